"""Names with an older fold are folded again: those that are stored, and those that old code still writes."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from alembic import command

import pessoas.routes
from chassis.db import migrate
from chassis.db.folding import BATCH, fold_older_rows, keep_folding
from chassis.query.pagination import cursor
from chassis.text import FOLD_VERSION, fold
from deploy.postgres import Cluster
from tests.applications import database_settings, opened
from tests.databases import temporary_postgres
from tests.resources import PESSOAS

OLD_REVISION = "0002"
WAIT_SECONDS = 60
"""Bounds every wait; nothing here measures time."""
PESSOA = {"pessoa": {"nome_pessoa": "nome_busca"}}
TYPED = ["2ª via", "D’Ávila", "Jose\u0301", "Łódź", " Ana\u00a0\u00a0Lima", "Bia", "Ｊｏｓé"]


def old_fold(text: str) -> str:
    """The fold of the previous release."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


class OldCode:
    """What a process of the previous release writes to pessoas."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def add(self, name: str) -> int:
        sql = "INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES (%s, %s) RETURNING id"
        row = self.connection.execute(sql, [name, old_fold(name)]).fetchone()
        assert row
        return row[0]

    def change(self, id: int, name: str) -> None:
        sql = "UPDATE pessoa SET nome_pessoa = %s, nome_busca = %s WHERE id = %s"
        self.connection.execute(sql, [name, old_fold(name), id])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL whose databases may be at any revision."""
    with temporary_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


def at_old_revision(server: Cluster, service: str) -> str:
    url = server.create_database(service)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    with migrate.connect(url) as connection:
        command.upgrade(migrate.config(service, connection), OLD_REVISION)
    return url


@pytest.fixture
def url(server: Cluster) -> str:
    """The URL of pessoas' database as the release before left it."""
    return at_old_revision(server, "pessoas")


@pytest.fixture
def old(url: str) -> Iterator[OldCode]:
    code = OldCode(url)
    yield code
    code.connection.close()


def stored(url: str, table: str = "pessoa", name: str = "nome_pessoa") -> list[tuple[str, str, int]]:
    with psycopg.connect(url) as connection:
        sql = f"SELECT {name}, nome_busca, fold_version FROM {table} ORDER BY id"
        return connection.execute(sql.encode()).fetchall()


def as_folded(names: list[str]) -> list[tuple[str, str, int]]:
    return [(unicodedata.normalize("NFC", name), fold(name), FOLD_VERSION) for name in names]


@asynccontextmanager
async def running(url: str) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of pessoas over this database."""
    app = pessoas.routes.create_app(database_settings(url))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test") as client,
    ):
        yield client


async def until_all_are_folded(url: str) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while any(version < FOLD_VERSION for _, _, version in stored(url)):  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)


def test_a_migration_folds_the_rows_that_are_there_in_batches(url: str, old: OldCode) -> None:
    names = [f"{TYPED[n % len(TYPED)]} {n}" for n in range(2 * BATCH + 1)]
    for name in names:
        old.add(name)

    migrate.upgrade("pessoas", url)

    assert stored(url) == as_folded(names)


def test_a_migration_folds_every_table_that_has_names(server: Cluster) -> None:
    url = at_old_revision(server, "catalogo")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO categoria (nome_categoria, nome_busca) VALUES ('1ª linha', '1ª linha')")
        insert = "INSERT INTO produto (nome_produto, nome_busca, categoria_id) VALUES ('Nº 5', 'nº 5', 1)"
        connection.execute(insert)

    migrate.upgrade("catalogo", url)

    assert stored(url, "categoria", "nome_categoria") == as_folded(["1ª linha"])
    assert stored(url, "produto", "nome_produto") == as_folded(["Nº 5"])


async def test_what_old_code_writes_while_and_after_rows_are_folded_is_folded_by_the_next_process(
    url: str, old: OldCode
) -> None:
    ids = [old.add(f"{TYPED[n % len(TYPED)]} {n}") for n in range(3 * BATCH)]
    migrated = threading.Event()

    def migrating() -> None:
        migrate.upgrade("pessoas", url)
        migrated.set()

    step = threading.Thread(target=migrating)
    step.start()
    written = 0
    while not migrated.is_set() and step.is_alive():  # in random order: before, in and after the batches
        old.change(ids[written * 7 % len(ids)], f"3ª via {written}")
        old.add(f"4ª via {written}")
        written += 1
    step.join()
    assert migrated.is_set()
    old.change(ids[0], "2ª via")
    new = old.add("Jose\u0301 da 2ª via")
    assert stored(url)[0] == ("2ª via", "2ª via", 1)

    async with running(url) as client:
        await until_all_are_folded(url)
        rows = (await client.get(PESSOAS.path, params={"search": "2a via", "id": f"{ids[0]},{new}"})).json()

    assert rows == [{"id": ids[0], "nome_pessoa": "2ª via"}, {"id": new, "nome_pessoa": "José da 2ª via"}]
    assert stored(url) == as_folded([name for name, _, _ in stored(url)])


async def test_what_old_code_writes_beside_a_new_process_is_folded_soon(url: str, old: OldCode) -> None:
    migrate.upgrade("pessoas", url)
    async with opened(database_settings(url)) as database, keep_folding(database, PESSOA, every=0.01):
        id = old.add("2ª via")
        await until_all_are_folded(url)
        old.change(id, "2ª via")  # the same name with the old fold, which only the trigger can recognise
        await until_all_are_folded(url)

    assert stored(url) == as_folded(["2ª via"])


async def test_folding_waits_for_nobody_who_is_writing_and_loses_nothing_of_it(url: str, old: OldCode) -> None:
    migrate.upgrade("pessoas", url)
    held = old.add("1ª via")
    old.add("2ª via")
    async with opened(database_settings(url)) as database:
        with psycopg.connect(url) as writer:
            writer.execute("UPDATE pessoa SET nome_pessoa = '3ª via', nome_busca = '3ª via' WHERE id = %s", [held])
            await fold_older_rows(database, PESSOA)
            meanwhile = stored(url)
        await fold_older_rows(database, PESSOA)

    assert meanwhile == [("1ª via", "1ª via", 1), *as_folded(["2ª via"])]
    assert stored(url) == as_folded(["3ª via", "2ª via"])


async def test_a_process_says_by_which_fold_it_writes_and_has_nothing_to_fold_anew(url: str) -> None:
    migrate.upgrade("pessoas", url)
    async with running(url) as client:
        at = (await client.post(PESSOAS.path, json={"nome_pessoa": "2ª via"})).headers["location"]
        added = stored(url)
        await client.put(at, json={"nome_pessoa": "3ª via"})

    assert added == as_folded(["2ª via"])
    assert stored(url) == as_folded(["3ª via"])


async def test_a_cursor_of_before_the_migration_goes_on_after_it(url: str, old: OldCode) -> None:
    for name in ("2a via", "2ª via", "2b via", "Zé"):
        old.add(name)
    before = cursor("nome_pessoa", "2ª via", 2)
    migrate.upgrade("pessoas", url)

    async with running(url) as client:
        asked: dict[str, Any] = {"ordering": "nome_pessoa", "cursor": before}
        rows = (await client.get(PESSOAS.path, params=asked)).json()

    assert [row["nome_pessoa"] for row in rows] == ["2b via", "Zé"]


async def test_every_folded_text_of_a_row_is_folded_and_a_text_that_is_missing_stays_so(url: str) -> None:
    migrate.upgrade("pessoas", url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE pessoa ADD email text, ADD email_busca text")
        insert = "INSERT INTO pessoa (nome_pessoa, nome_busca, email, email_busca) VALUES (%s, %s, %s, %s)"
        connection.execute(insert, ["2ª via", "2ª via", "Jose\u0301@x", "jose\u0301@x"])
        connection.execute(insert, ["Zé", "zé", None, None])

    async with opened(database_settings(url)) as database:
        await fold_older_rows(database, {"pessoa": {"nome_pessoa": "nome_busca", "email": "email_busca"}})

    assert stored(url) == as_folded(["2ª via", "Zé"])
    with psycopg.connect(url) as connection:
        emails = connection.execute("SELECT email, email_busca FROM pessoa ORDER BY id").fetchall()
    assert emails == [("José@x", "jose@x"), (None, None)]
