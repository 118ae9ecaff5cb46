"""Writes the rows of the benchmark into a file for the stub: one line for each row, by collection and rising id."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from chassis.query.pagination import cursor

CATEGORIAS, PRODUTOS, SERVICOS, PESSOAS, SOLICITACOES = 20, 200, 50, 500, 5_000
START = datetime(2025, 1, 1, tzinfo=UTC)


def date(id: int) -> str:
    """The date of solicitação `id`; dates rise with ids."""
    return f"{START + timedelta(minutes=7 * id):%Y-%m-%dT%H:%M:%SZ}"


def place(id: int) -> str:
    """The cursor of solicitação `id`. Pages go backwards, so the page after it begins with the solicitação before
    it."""
    return cursor("data_solicitacao", date(id), id)


def at_random(_id: int, rng: random.Random) -> int:
    """One of the 500 pessoas, each with the same probability, so a page of 100 rows has about 90 distinct ones."""
    return rng.randint(1, PESSOAS)


def write(
    path: Path,
    *,
    pessoas: int = PESSOAS,
    solicitacoes: int = SOLICITACOES,
    pessoa_of: Callable[[int, random.Random], int] = at_random,
) -> None:
    """Writes the rows, the same at every call."""
    rng = random.Random(5)  # noqa: S311  # the same rows in every run
    with path.open("wb") as file:

        def row(collection: str, id: int, more: dict[str, object], place: str = "") -> None:
            json = orjson.dumps({"id": id, **more}).decode()
            file.write(f"{collection}\t{id}\t{json}\t{place}\n".encode())

        for id in range(1, CATEGORIAS + 1):
            row("categorias", id, {"nome_categoria": f"Manutenção e Iluminação {id}"})
        for id in range(1, PRODUTOS + 1):
            of = (id - 1) % CATEGORIAS + 1
            categoria = {"id": of, "nome_categoria": f"Manutenção e Iluminação {of}"}
            row("produtos", id, {"nome_produto": f"Lavadora de Alta Pressão {id}", "categoria": categoria})
        for id in range(1, SERVICOS + 1):
            row("servicos", id, {"nome_servico": f"Instalação em Condomínio {id}"})
        for id in range(1, pessoas + 1):
            row("pessoas", id, {"nome_pessoa": f"Conceição de Araújo Brandão {id}"})
        for id in range(1, solicitacoes + 1):
            refers = {
                "servico_id": rng.randint(1, SERVICOS),
                "pessoa_id": pessoa_of(id, rng),
                "produto_id": rng.randint(1, PRODUTOS),
            }
            row("solicitacoes", id, {**refers, "data_solicitacao": date(id)}, place(id))
