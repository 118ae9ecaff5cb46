"""Statements from models: a service's own questions, values of every type, and how many texts are kept."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pytest_asyncio
import sqlalchemy
from sqlalchemy import DateTime, Enum, Executable, Integer, Numeric, delete, func, literal_column
from sqlalchemy.schema import CreateTable
from sqlmodel import Field, SQLModel, col, select

import catalogo.routes
from catalogo.models import Categoria, Produto
from catalogo.repository import CategoriaRepository, ProdutoRepository
from chassis.db import statements
from chassis.db.columns import RowDict, Rows
from chassis.db.database import Database, Transaction
from chassis.db.models import id_field, tables
from chassis.db.repository import Repository
from chassis.db.statements import compiled, text_and_values
from chassis.query.models import Id, RichQuery
from chassis.settings import DatabaseSettings
from deploy.postgres import Cluster
from tests import builders
from tests.applications import PATIENT, Services, database_settings

QUERY = "/api/categorias/query/"


async def opened(url: str) -> Database:
    database = Database(database_settings(url, database_pool_size=1))
    await database.open()
    return database


@pytest_asyncio.fixture
async def database(database_urls: dict[str, str], services: Services) -> AsyncIterator[Database]:
    """The empty database of catalogo, over one connection."""
    database = await opened(database_urls["catalogo"])
    yield database
    await database.close()


# -- a question of a service's own ---------------------------------------------------------------------------------


class OwnQuestions(CategoriaRepository):
    async def called(self, nome: str) -> list[int]:
        """The ids of the categorias with exactly this name."""
        question = select(Categoria.id).where(Categoria.nome_categoria == nome).order_by(col(Categoria.id))
        return [id for (id,) in await self.ask(question)]

    async def sizes(self, ids: list[int]) -> dict[str, int]:
        """The number of produtos of each of these categorias."""
        question = (
            select(Categoria.nome_categoria, func.count(col(Produto.id)))
            .join(Produto, isouter=True)
            .where(col(Categoria.id).in_(ids))
            .group_by(Categoria.nome_categoria)
        )
        return dict(await self.ask(question))

    async def newest(self, count: int) -> list[RowDict]:
        """The representations of the categorias that were added last."""
        return await self.find(self.rows.select.order_by(col(Categoria.id).desc()).limit(count))

    async def empty(self, transaction: Transaction, id: int) -> int:
        """Deletes the produtos of a categoria, and returns how many."""
        statement = delete(Produto).where(col(Produto.categoria_id) == id).returning(col(Produto.id))
        return len(await transaction.fetch(*text_and_values(statement)))


async def test_a_question_of_a_services_own_is_a_select_with_its_values(services: Services, database: Database) -> None:
    livros = (await builders.categoria(services, "Livros"))["id"]
    await builders.produto(services, "Dom Casmurro", livros)
    vazia = (await builders.categoria(services, "100% algodão: a"))["id"]
    repository = OwnQuestions(database)

    assert await repository.called("Livros") == [livros]
    assert await repository.called("100% algodão: a") == [vazia]
    assert await repository.called("%") == []
    assert await repository.sizes([livros, vazia]) == {"Livros": 1, "100% algodão: a": 0}
    assert await repository.sizes([vazia]) == {"100% algodão: a": 0}
    assert await repository.sizes([]) == {}
    assert await repository.newest(1) == [{"id": vazia, "nome_categoria": "100% algodão: a"}]
    assert await repository.database.transaction(lambda transaction: repository.empty(transaction, livros)) == 1
    assert await repository.sizes([livros]) == {"Livros": 0}


# -- values of every type ------------------------------------------------------------------------------------------


class Base(SQLModel, registry=tables()):
    pass


class Cor(enum.Enum):
    AZUL = "azul"
    VERDE = "verde"


class PecaWrite(SQLModel):
    cor: Cor = Field(sa_type=Enum(Cor, native_enum=False))  # pyright: ignore
    preco: Decimal | None = Field(default=None, sa_type=Numeric(12, 2))  # pyright: ignore
    feita: datetime = Field(sa_type=DateTime(timezone=True))  # pyright: ignore


class PecaPublic(PecaWrite):
    id: Id = id_field()


class Peca(PecaPublic, Base, table=True):
    pass


class PecaRepository(Repository):
    noun = label = "peca"
    rows = Rows(select(Peca), PecaPublic)


@pytest_asyncio.fixture
async def pecas(cluster: Cluster) -> AsyncIterator[PecaRepository]:
    url = cluster.create_database("pecas")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(str(CreateTable(PecaRepository.rows.table).compile(dialect=statements.DIALECT)).encode())
    database = await opened(url)
    yield PecaRepository(database)
    await database.close()


async def test_values_pass_through_the_conversions_of_their_types_in_both_directions(pecas: PecaRepository) -> None:
    instant = datetime(2025, 8, 6, 17, 30, 0, 1, tzinfo=UTC)
    written = {"cor": Cor.AZUL, "preco": Decimal("1234567890.10"), "feita": instant}
    changed = {"cor": Cor.VERDE, "preco": None, "feita": instant}

    async def work(transaction: Transaction) -> list[dict[str, Any]]:
        added = await pecas.add(transaction, written)
        return [added, await pecas.lock(transaction, 1), await pecas.change(transaction, 1, changed)]

    assert await pecas.database.transaction(work) == [{"id": 1} | row for row in (written, written, changed)]
    everywhere = [await pecas.get(1), *await pecas.by_ids([1]), *(await pecas.page(RichQuery())).items]
    assert everywhere == 3 * [{"id": 1} | changed]
    assert await pecas.ask(select(col(Peca.cor), col(Peca.preco)).where(Peca.cor == Cor.VERDE)) == [(Cor.VERDE, None)]
    assert await pecas.find(pecas.rows.select.where(col(Peca.preco).is_(None))) == [{"id": 1} | changed]
    assert await pecas.ask(select(Peca.feita).where(col(Peca.cor).in_([Cor.VERDE]))) == [(instant,)]
    assert await pecas.database.fetch("SELECT cor FROM peca", ()) == [("VERDE",)]


def test_types_that_psycopg_reads_as_they_are_have_no_conversion() -> None:
    columns = [*PecaRepository.rows.table.c, *ProdutoRepository.rows.table.c]

    assert [column.name for column in columns if statements.result_conversion(column.type)] == ["cor"]


# -- how many texts are kept ---------------------------------------------------------------------------------------


async def test_no_filter_cursor_or_size_that_a_client_sends_makes_a_statement_be_compiled(services: Services) -> None:
    def query(n: int) -> dict[str, Any]:
        several = [{"id": {"eq": n}}, {"nome_categoria": {"in": ["a", "b"]}}, {"id": {"in": [n, n + 1]}}]
        return {"filter": {"or": [*several[: n % 4], *n * [{"not": {"id": {"lt": n}}}]]}, "first": n, "count": True}

    assert (await services.catalogo.post(QUERY, json=query(1))).status_code == 200
    before = compiled.cache_info().misses
    for n in range(2, 60):
        assert (await services.catalogo.post(QUERY, json=query(n))).status_code == 200

    assert compiled.cache_info().misses == before


def test_the_texts_that_were_used_last_are_kept_and_no_others() -> None:
    shapes = 2 * statements.MAX_SHAPES

    def build(n: int) -> Executable:
        return sqlalchemy.select(literal_column(str(n), Integer()))

    for n in range(shapes):
        compiled(build, n)
        text_and_values(build(n))

    assert compiled.cache_info().currsize == statements.MAX_SHAPES
    assert len(statements._texts) <= 1.5 * statements.MAX_SHAPES  # pyright: ignore


async def test_a_connection_prepares_a_bounded_number_of_statements(
    database_urls: dict[str, str], services: Services
) -> None:
    app = catalogo.routes.create_app(
        DatabaseSettings.model_validate(
            {**PATIENT, "database_url": database_urls["catalogo"], "database_pool_size": 1, "log_level": "ERROR"}
        )
    )
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://catalogo.test", timeout=60) as client,
    ):
        for n in range(1, 131):
            for _ in range(7):
                assert (await client.post(QUERY, json={"first": n})).status_code == 200
        [(prepared,)] = await app.state.database.fetch("SELECT count(*) FROM pg_prepared_statements", ())

    assert 90 < prepared <= 101
