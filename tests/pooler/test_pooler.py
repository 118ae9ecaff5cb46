"""The services work behind a pooler that gives each transaction another session of PostgreSQL.

`make test-pooler` runs the suites of the services and of the feed in the same way.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg
import pytest

import pessoas.routes
from chassis.db.database import Transaction
from chassis.db.migrate import NotMigrated, upgrade
from chassis.errors import TooSlow
from chassis.request import deadline
from chassis.settings import DatabaseSettings
from chassis.text import FOLD_VERSION
from deploy.postgres import Cluster
from tests.applications import opened
from tests.pooler.pgbouncer import PREPARES, PROGRAM, pgbouncer, version
from tests.resources import PESSOAS

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None, reason="needs the program pgbouncer"),
]
MODES = ("transaction", "transaction-unprepared")
SESSIONS = 4
"""Of the server, for all connections together."""
TOLD = """
SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
       current_setting('idle_in_transaction_session_timeout'), current_setting('solicita.fold', true),
       current_setting('transaction_timeout')
"""


@pytest.fixture(scope="module")
def direct_url(cluster: Cluster) -> str:
    """The database of pessoas on a server whose clients are in São Paulo."""
    url = cluster.create_database("pooled")
    upgrade("pessoas", url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER DATABASE pooled SET timezone = 'America/Sao_Paulo'")
    return url


@pytest.fixture(scope="module")
def pooled_url(direct_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    more = [f"default_pool_size = {SESSIONS}"]
    with pgbouncer(tmp_path_factory.mktemp("pgbouncer"), {"pessoas": direct_url}, more) as running:
        yield running.urls["pessoas"]


@pytest.fixture(params=MODES)
def settings(pooled_url: str, request: pytest.FixtureRequest) -> DatabaseSettings:
    if request.param == "transaction" and version() < PREPARES:
        pytest.skip("this PgBouncer knows no prepared statements")
    given = {"database_url": pooled_url, "database_pooler": request.param, "log_level": "ERROR", "database_timeout": 20}
    return DatabaseSettings.model_validate({**given, "operation_timeout": 60})


async def test_writes_reads_and_changes_pass_through_it(settings: DatabaseSettings) -> None:
    app, run = pessoas.routes.create_app(settings), uuid.uuid4().hex
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test", timeout=60) as client,
    ):
        begin = (await client.get("/api/changes/")).json()

        async def add(n: int) -> Any:
            key = {"Idempotency-Key": uuid.uuid4().hex}
            answers = [
                await client.post(PESSOAS.path, json={"nome_pessoa": f"José {run} {n}"}, headers=key) for _ in range(2)
            ]
            [row, again] = [answer.json() for answer in answers]
            assert (row, answers[1].headers.get("idempotency-replayed")) == (again, "true")
            return row

        rows = [row for n in range(10) for row in await asyncio.gather(*(add(10 * n + k) for k in range(10)))]
        found = await asyncio.gather(*(client.get(PESSOAS.at(row)) for row in rows))
        searched = await client.get(PESSOAS.path, params={"search": f"jose {run} 99"})
        told = await client.get("/api/changes/", params={"after": begin["last"], "epoch": begin["epoch"]})

    assert [answer.json() for answer in found] == rows
    assert [row["nome_pessoa"] for row in searched.json()] == [f"José {run} 99"]
    assert sorted(change["id"] for change in told.json()["items"]) == sorted(row["id"] for row in rows)


async def test_a_transaction_knows_its_limits_and_its_session_keeps_none(
    settings: DatabaseSettings, pooled_url: str
) -> None:
    async with opened(settings) as database:

        async def asked(transaction: Transaction) -> tuple[str, ...]:
            [row] = await transaction.fetch(TOLD, ())
            return row

        alone = [row for _ in range(10) for row in await database.fetch(TOLD, ())]
        together = [await database.transaction(asked) for _ in range(10)]
    async with await psycopg.AsyncConnection.connect(pooled_url, autocommit=True) as other:
        left = [await (await other.execute(TOLD)).fetchone() for _ in range(2 * SESSIONS)]

    assert {*alone, *together} == {("17500ms", "15750ms", "100s", str(FOLD_VERSION), "100s")}
    assert {*left} == {("0", "0", "0", "", "0")}


async def test_a_statement_ends_when_its_request_has_no_time_left(settings: DatabaseSettings) -> None:
    async with opened(settings) as database:
        assert await database.fetch("SELECT 1", ()) == [(1,)]
        token = deadline.begin(1.0)
        with pytest.raises(TooSlow):
            await database.fetch("SELECT pg_sleep(60)", ())
        deadline.end(token)

        assert await database.fetch("SELECT 1", ()) == [(1,)]


async def test_instants_are_utc_whatever_the_server_s_own_time_zone(settings: DatabaseSettings) -> None:
    async with opened(settings) as database:
        [(instant, text)] = await database.fetch("SELECT now(), now()::text", ())

    assert (str(instant)[-6:], text[-3:]) == ("+00:00", "+00")


def test_a_migration_refuses_a_pooler(pooled_url: str) -> None:
    with pytest.raises(NotMigrated, match="leads to a pooler"):
        upgrade("pessoas", pooled_url)
