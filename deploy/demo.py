"""Demo data, the same every time: `python -m deploy.demo` fills the empty databases of a first start.

20 categorias, 200 produtos, 500 pessoas, 50 serviços and 5,000 solicitações over the year 2025. DEMO_SIZE is another
number of solicitações, up to 1,000,000, by a tenth as many pessoas, at most 50,000. A few pessoas have very
many solicitações and a few have none, as in a real system, so that paging and grouping have something to show.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, chain, islice, product
from typing import LiteralString

import psycopg
from psycopg import sql

from chassis.db.database import FOLD_OPTION
from chassis.text import fold
from deploy import databases

SEED = 20250101
SIZE, SMALLEST, LARGEST = 5_000, 1_000, 1_000_000
"""How many solicitações there are by default, and may be."""
MOST_PESSOAS = 50_000
PROGRESS_ROWS = 200_000
WITHOUT_SOLICITACAO = 12

# Two kinds of thing for each of twenty categorias, each in five variants: 200 produtos.
CATEGORIAS: dict[str, Sequence[str]] = {
    "Automação": ("Controlador Lógico", "Sensor de Presença"),
    "Câmeras e Vídeo": ("Câmera de Segurança", "Gravador de Vídeo"),
    "Climatização": ("Ar-condicionado Split", "Ventilador de Teto"),
    "Computadores": ("Notebook Profissional", "Estação de Trabalho"),
    "Construção": ("Betoneira Elétrica", "Andaime Tubular"),
    "Cozinha Industrial": ("Fogão Industrial", "Câmara Refrigerada"),
    "Elétrica": ("Quadro de Distribuição", "Gerador a Diesel"),
    "Energia Solar": ("Painel Fotovoltaico", "Inversor Solar"),
    "Ferramentas": ("Furadeira de Impacto", "Parafusadeira a Bateria"),
    "Hidráulica": ("Bomba Submersa", "Caixa d'Água"),
    "Iluminação": ("Luminária de LED", "Refletor Externo"),
    "Impressão": ("Impressora a Laser", "Plotter de Recorte"),
    "Jardinagem": ("Cortador de Grama", "Pulverizador Costal"),
    "Limpeza": ("Lavadora de Alta Pressão", "Aspirador de Pó"),
    "Móveis de Escritório": ("Cadeira Ergonômica", "Mesa de Reunião"),
    "Redes e Telefonia": ("Roteador Sem Fio", "Central Telefônica"),
    "Saúde e Segurança": ("Capacete de Proteção", "Kit de Primeiros Socorros"),
    "Som e Áudio": ("Caixa Acústica", "Microfone Sem Fio"),
    "Transporte": ("Empilhadeira Elétrica", "Carrinho de Carga"),
    "Vídeo e Projeção": ("Projetor Multimídia", "Tela Retrátil"),
}
VARIANTES = ("Básico", "Compacto", "Avançado", "Robusto", "Edição São Paulo")

ACOES = (
    *("Instalação", "Manutenção Preventiva", "Conserto", "Inspeção Técnica", "Configuração"),
    *("Locação", "Entrega Expressa", "Treinamento", "Substituição de Peças", "Orçamento"),
)
AMBITOS = ("Residencial", "Comercial", "Industrial", "em Condomínio", "em Órgão Público")

NOMES = (
    *("Abílio", "Adriana", "Aline", "Álvaro", "Amélia", "Ana Júlia", "André", "Ângela", "Antônio", "Aurélio"),
    *("Bárbara", "Beatriz", "Benício", "Brás", "Caio", "Camila", "Cássia", "Cecília", "César", "Cláudia"),
    *("Conceição", "Cristóvão", "Débora", "Édson", "Eloísa", "Estêvão", "Fábio", "Fátima", "Flávia", "Geraldo"),
    *("Gonçalo", "Heloísa", "Hélio", "Inês", "Íris", "João", "Joaquim", "José", "Júlia", "Lázaro"),
    *("Letícia", "Lívia", "Lúcia", "Luís", "Márcia", "Maria", "Mário", "Mônica", "Natália", "Otávio"),
    *("Patrícia", "Raimundo", "Renê", "Rogério", "Rubens", "Sebastião", "Sérgio", "Sônia", "Tânia", "Valéria"),
)
SOBRENOMES = (
    *("da Silva", "dos Santos", "de Oliveira", "Souza", "Araújo", "Assunção", "Barbosa", "Brandão", "Cardoso"),
    *("Conceição", "Corrêa", "da Conceição", "das Graças", "de Jesus", "do Nascimento", "Falcão", "Fernandes"),
    *("Galvão", "Gonçalves", "Guimarães", "Leão", "Magalhães", "Mourão", "Negrão", "Pacheco", "Paixão", "Queirós"),
    *("Ribeiro", "Simões", "Távora", "Teófilo", "Vasconcelos", "Vilaça", "Zacarias"),
)
CONHECIDAS = ("João da Silva", "Conceição Araújo", "Maria das Graças")
"""The first pessoas, for examples that want to name somebody."""


@dataclass(frozen=True)
class Table:
    """The rows of one table, in the order of their ids, which are the first column. They can be read once."""

    service: str
    name: LiteralString
    columns: Sequence[LiteralString]
    count: int
    rows: Iterable[tuple[object, ...]]


def tables(size: int = SIZE) -> list[Table]:
    """All demo data with `size` solicitações. Every call gives the same."""
    rng = random.Random(SEED)  # noqa: S311 - demo data hides nothing
    kinds = [(kind, number) for number, pair in enumerate(CATEGORIAS.values(), 1) for kind in pair]
    produtos = [(f"{kind} {variant}", number) for kind, number in kinds for variant in VARIANTES]
    servicos = [f"{acao} {ambito}" for acao, ambito in product(ACOES, AMBITOS)]
    pessoas = names_of_pessoas(rng, min(size // 10, MOST_PESSOAS))
    return [
        Table("catalogo", "categoria", ("id", "nome_categoria", "nome_busca"), len(CATEGORIAS), named(CATEGORIAS)),
        Table(
            "catalogo",
            "produto",
            ("id", "nome_produto", "nome_busca", "categoria_id"),
            len(produtos),
            [(id, nome, fold(nome), categoria) for id, (nome, categoria) in enumerate(produtos, 1)],
        ),
        Table("pessoas", "pessoa", ("id", "nome_pessoa", "nome_busca"), len(pessoas), named(pessoas)),
        Table("servicos", "servico", ("id", "nome_servico", "nome_busca"), len(servicos), named(servicos)),
        Table(
            "solicitacoes",
            "solicitacao",
            ("id", "servico_id", "pessoa_id", "produto_id", "data_solicitacao"),
            size,
            solicitacoes(rng, size, len(pessoas), len(servicos), len(produtos)),
        ),
    ]


def names_of_pessoas(rng: random.Random, count: int) -> list[str]:
    pessoas = [f"{nome} {sobrenome}" for nome, sobrenome in product(NOMES, SOBRENOMES)]
    rng.shuffle(pessoas)
    with_two_surnames = (" ".join(names) for names in product(NOMES, SOBRENOMES, SOBRENOMES))
    return list(islice(dict.fromkeys(chain(CONHECIDAS, pessoas, with_two_surnames)), count))


def named(names: Iterable[str]) -> list[tuple[object, ...]]:
    return [(id, name, fold(name)) for id, name in enumerate(names, 1)]


def solicitacoes(
    rng: random.Random, size: int, pessoas: int, servicos: int, produtos: int
) -> Iterator[tuple[object, ...]]:
    """Rows whose dates rise with their ids through the year 2025, in UTC."""
    # The weight falls with the rank (Zipf's law): one pessoa has hundreds of solicitações, many have one, some have
    # none.
    askers = list(range(1, pessoas + 1))
    rng.shuffle(askers)
    del askers[-WITHOUT_SOLICITACAO:]
    weights = list(accumulate(1 / rank for rank in range(1, len(askers) + 1)))
    start = datetime(2025, 1, 1, tzinfo=UTC)
    seconds = sorted(rng.sample(range(365 * 24 * 3600), size))
    for id, (pessoa, second) in enumerate(
        zip(rng.choices(askers, cum_weights=weights, k=size), seconds, strict=True), 1
    ):
        yield id, rng.randint(1, servicos), pessoa, rng.randint(1, produtos), start + timedelta(seconds=second)


def read_size(text: str) -> int:
    """DEMO_SIZE as a number. Raises ValueError, which says what is allowed."""
    if not (text.isascii() and text.isdigit() and SMALLEST <= int(text[:8]) <= LARGEST):
        raise ValueError(f"DEMO_SIZE must be a whole number from {SMALLEST} to {LARGEST}, not {text!r}")
    return int(text)


def load(urls: dict[str, str], size: int = SIZE) -> int:
    """Fills the databases at `urls` and returns the number of rows. If one of them is not empty, changes nothing and
    returns 0. There is one transaction in each database, and none is committed before all have their data."""
    wanted = tables(size)
    with ExitStack() as stack:
        connections = {
            service: stack.enter_context(psycopg.connect(url, options=FOLD_OPTION)) for service, url in urls.items()
        }
        for table in wanted:
            row = connections[table.service].execute(
                sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table.name))
            )
            if row.fetchone() != (False,):
                return 0
        for table in wanted:
            copy_into(connections[table.service], table)
        return sum(table.count for table in wanted)


def copy_into(connection: psycopg.Connection, table: Table) -> None:
    """Copies the rows with their ids, sets the identity sequence past them, and updates the planner's statistics
    (ANALYZE)."""
    name = sql.Identifier(table.name)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    with connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)) as copy:
            for number, row in enumerate(table.rows, 1):
                copy.write_row(row)
                if number % PROGRESS_ROWS == 0:
                    print(f"{table.name}: {number:,} of {table.count:,} rows", flush=True)
        cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (table.name, table.count))
        cursor.execute(sql.SQL("ANALYZE {}").format(name))


def main() -> None:
    try:
        size = read_size(os.environ.get("DEMO_SIZE") or str(SIZE))
    except ValueError as wrong:
        raise SystemExit(str(wrong)) from None
    services = dict.fromkeys(table.service for table in tables())
    if rows := load(databases.urls(*services), size):
        print(f"loaded {rows:,} rows of demo data (DEMO=0 starts empty)")
    else:
        print("the databases are not empty: no demo data loaded")


if __name__ == "__main__":
    main()
