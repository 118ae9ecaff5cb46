"""While somebody writes a produto, nobody changes what it shows: neither the produto nor its categoria."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest_asyncio

from catalogo.repository import ProdutoRepository
from chassis.db.database import Database, Transaction
from chassis.settings import DatabaseSettings
from tests import builders
from tests.applications import Services
from tests.resources import CATEGORIAS, PRODUTOS

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'catalogo' AND wait_event_type = 'Lock'"
PATIENCE = 30
"""Seconds that bound every wait; nothing here measures time."""


@pytest_asyncio.fixture
async def repository(application_urls: dict[str, str]) -> AsyncIterator[ProdutoRepository]:
    """The produtos over a pool of this test's own, whose statements may wait for long."""
    settings = {"database_url": application_urls["catalogo"], "database_timeout": PATIENCE}
    database = Database(DatabaseSettings.model_validate(settings))
    await database.open()
    yield ProdutoRepository(database)
    await database.close()


async def test_who_writes_a_produto_keeps_others_from_changing_it_and_its_categoria(
    services: Services, repository: ProdutoRepository, database_urls: dict[str, str]
) -> None:
    notebook = await builders.produto(services)

    async def write(transaction: Transaction) -> list[asyncio.Task[Any]]:
        before = await repository.lock(transaction, notebook["id"])
        others = [
            asyncio.create_task(
                services.catalogo.patch(CATEGORIAS.at(notebook["categoria"]), json={"nome_categoria": "B"})
            ),
            asyncio.create_task(services.catalogo.patch(PRODUTOS.at(notebook), json={"nome_produto": "B"})),
        ]
        with psycopg.connect(database_urls["catalogo"], autocommit=True) as observer:
            async with asyncio.timeout(PATIENCE):
                while observer.execute(WAITING).fetchone() != (2,):
                    assert not any(other.done() for other in others), "somebody changed what is locked"
                    await asyncio.sleep(0.01)
        assert await repository.lock(transaction, notebook["id"]) == before
        return others

    answers = await asyncio.gather(*await repository.database.transaction(write))

    assert [answer.status_code for answer in answers] == [200, 200]
    after = await PRODUTOS.stored(services, notebook["id"])
    assert after == notebook | {"nome_produto": "B", "categoria": notebook["categoria"] | {"nome_categoria": "B"}}


async def test_two_produtos_of_one_categoria_are_written_at_the_same_time(
    services: Services, repository: ProdutoRepository
) -> None:
    notebook = await builders.produto(services)
    mouse = await builders.produto(services, "Mouse", notebook["categoria"]["id"])

    async def write(transaction: Transaction) -> int:
        await repository.lock(transaction, notebook["id"])
        return (await services.catalogo.patch(PRODUTOS.at(mouse), json={"nome_produto": "Rato"})).status_code

    assert await repository.database.transaction(write) == 200
