"""The database fails: every request still gets an answer, and good answers are back as soon as the database is."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
import psutil
import psycopg
import pytest
import pytest_asyncio
from fastapi import FastAPI

import pessoas.routes
from chassis.db.connection import BoundStatement, DatabaseConnection, DatabaseConnectionLost, Outage, Timelines
from chassis.db.database import Database, Transaction
from chassis.db.idempotency import keep_forgetting
from chassis.db.migrate import upgrade
from chassis.errors import DeadlineExceeded, NotFound, Refusal, Unavailable
from chassis.neighbours.remote import Remote
from chassis.request import deadline
from chassis.settings import DatabaseSettings
from deploy.postgres import HOST, SETTINGS, Cluster, free_ports
from tests import builders
from tests.applications import Gateway, Services, database_settings
from tests.chassis.peers import until
from tests.neighbours import ServiceNetwork, on_a_socket
from tests.resources import PESSOAS

PATIENCE = 60
"""Seconds that bound every wait; nothing here measures time."""
NOT_NOW = (Unavailable, DeadlineExceeded)
"""What a question may end in that is asked again, until there is an answer."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Cluster]:
    """A PostgreSQL that a test may stop, kill or freeze."""
    with open(os.devnull, "w") as quiet:
        cluster = Cluster(tmp_path, free_ports(), durable=False, log=quiet.fileno())
        cluster.start()
        upgrade("pessoas", cluster.create_database("pessoas"))
        yield cluster
        cluster.stop()


@pytest.fixture
def another_server(server: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """One with an empty database of the same name and the same password, as a standby has."""
    with (
        open(os.devnull, "w") as quiet,
        Cluster(tmp_path / "another", free_ports(), durable=False, log=quiet.fileno()) as cluster,
    ):
        with psycopg.connect(cluster.create_database("pessoas"), autocommit=True) as connection:
            connection.execute(f"ALTER ROLE pessoas PASSWORD '{urlsplit(server.url('pessoas')).password}'".encode())
        yield cluster


def settings(server: Cluster, **given: Any) -> DatabaseSettings:
    return database_settings(**{"url": server.url("pessoas"), **given})


@pytest.fixture
def app(server: Cluster, request: pytest.FixtureRequest) -> FastAPI:
    """pessoas, whose statements may take two seconds, or as long as a test says."""
    seconds: float = getattr(request, "param", 2.0)
    return pessoas.routes.create_app(settings(server, database_timeout=seconds, log_level="ERROR"))


patient = pytest.mark.parametrize("app", [30.0], indirect=True)
"""For tests in which no statement may take too long."""


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test", timeout=PATIENCE) as client,
    ):
        await until_good(client)
        yield client


async def add(client: httpx2.AsyncClient, nome: str = "Ana") -> int:
    return (await client.post(PESSOAS.path, json={"nome_pessoa": nome})).status_code


async def until_good(client: httpx2.AsyncClient) -> None:
    for _ in range(20 * PATIENCE):
        if (await client.get(PESSOAS.path)).status_code == 200:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"no good answer in {PATIENCE} s")


async def answered(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """The rows, once there is an answer."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(*NOT_NOW):
                return await database.fetch(sql, ())


def end_connections(server: Cluster) -> None:
    with psycopg.connect(server.url("pessoas"), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'pessoas' AND usename = current_user AND pid <> pg_backend_pid()"
        )


def backends(server: Cluster) -> list[psutil.Process]:
    """Every process of the server."""
    found: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name() == "postgres" and str(server.port) in process.cmdline():
                found.append(process)
    postmaster = min(found, key=psutil.Process.create_time)  # a process that it has just forked still has its name
    return [postmaster, *postmaster.children(recursive=True)]


async def test_a_frozen_database_is_503_with_retry_after_and_good_answers_come_back(
    server: Cluster, client: httpx2.AsyncClient
) -> None:
    assert await add(client) == 201
    frozen = backends(server)
    for process in frozen:
        process.suspend()
    try:
        answers = await asyncio.gather(*(client.get(f"{PESSOAS.path}1/") for _ in range(50)), add(client, "Bia"))
    finally:
        for process in frozen:
            process.resume()

    for answer in answers[:-1]:
        assert isinstance(answer, httpx2.Response)
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
        assert "trace_id" in answer.json()
    assert answers[-1] == 503
    await until_good(client)
    assert [row["nome_pessoa"] for row in (await client.get(PESSOAS.path)).json()] == ["Ana"]


async def test_connections_to_a_frozen_server_are_dropped_and_the_next_server_is_asked(
    server: Cluster, another_server: Cluster
) -> None:
    """A frozen server still acknowledges TCP, so only a time-out can end these connections."""
    first, both = f"{HOST}:{server.port}", f"{HOST}:{server.port},{HOST}:{another_server.port}"
    url = server.url("pessoas").replace(first, both)
    database = Database(settings(server, url=url, database_timeout=0.5, database_pool_size=2))

    port = "SELECT inet_server_port() FROM pg_sleep(0.05)"
    await database.open()
    frozen: list[psutil.Process] = []
    try:
        before = await asyncio.gather(*(answered(database, port) for _ in range(2)))  # so each connection has answered
        frozen = backends(server)
        for process in frozen:
            process.suspend()
        during = await asyncio.gather(*(database.fetch(port, ()) for _ in range(2)), return_exceptions=True)
        after = [await answered(database, port) for _ in range(10)]
    finally:
        for process in frozen:
            process.resume()
        await database.close()

    assert before == [[(server.port,)]] * 2
    assert {type(one) for one in during} == {Unavailable}
    assert after == [[(another_server.port,)]] * 10


@patient
async def test_killed_connections_cost_no_client_an_error(server: Cluster, client: httpx2.AsyncClient) -> None:
    await asyncio.gather(*(add(client) for _ in range(20)))
    for _ in range(3):
        end_connections(server)

        reads = [client.get(PESSOAS.path) for _ in range(20)]
        answers = await asyncio.gather(*reads, *(add(client) for _ in range(20)))

        assert {answer if isinstance(answer, int) else answer.status_code for answer in answers} == {200, 201}


async def test_a_connection_that_the_server_has_ended_is_no_fault_of_ours_when_the_time_is_over_too(
    server: Cluster, app: FastAPI, client: httpx2.AsyncClient
) -> None:
    faults: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, fault: faults.append(fault))
    try:
        sessions = [process for process in backends(server) if "pessoas pessoas" in " ".join(process.cmdline())]
        for session in sessions:
            session.suspend()
        question = asyncio.ensure_future(app.state.database.fetch("SELECT 1", ()))
        for _ in range(50):  # turns of the loop, in which the statement is sent
            await asyncio.sleep(0)
        for session in sessions:  # it ends with the statement unread, so the kernel resets the connection
            session.kill()
        time.sleep(3)  # noqa: ASYNC251 - the process is held up for longer than the statement may take
        with pytest.raises(Unavailable):
            await question
    finally:
        loop.set_exception_handler(None)
    assert faults == []


async def test_a_restarted_database_is_found_again(server: Cluster, client: httpx2.AsyncClient) -> None:
    assert await add(client) == 201
    server.stop()
    assert (await client.get(PESSOAS.path)).status_code == 503
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/health/ready")).status_code == 503
    server.start()

    await until_good(client)

    assert (await client.get("/health/ready")).status_code == 200


async def test_a_service_starts_live_but_not_ready_while_its_database_is_away(server: Cluster, app: FastAPI) -> None:
    server.stop()
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test", timeout=PATIENCE) as client,
    ):
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
        server.start()
        await until_good(client)
        assert (await client.get("/health/ready")).status_code == 200


@patient
async def test_a_database_that_is_not_migrated_is_not_ready(server: Cluster, client: httpx2.AsyncClient) -> None:
    with psycopg.connect(server.url("pessoas"), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        old = await client.get("/health/ready")
        connection.execute("DROP TABLE alembic_version")
        empty = await client.get("/health/ready")

    assert (old.status_code, empty.status_code) == (503, 503)


@pytest.mark.parametrize("app", [0.5], indirect=True)  # much less than a neighbour waits
async def test_a_frozen_database_is_the_services_failure_and_opens_the_breaker(server: Cluster, app: FastAPI) -> None:
    service = ServiceNetwork("pessoas", app, [])
    async with on_a_socket(service), Remote("pessoas", service.url) as asking:
        async with httpx2.AsyncClient(base_url=service.url, timeout=PATIENCE) as client:
            await until_good(client)
        frozen = backends(server)
        for process in frozen:
            process.suspend()
        try:
            reads = [asking.read(f"{PESSOAS.path}1/?n={n}", orjson.loads) for n in range(20)]
            refused = await asyncio.gather(*reads, return_exceptions=True)
            opened = asking.breaker.openings
        finally:
            for process in frozen:
                process.resume()

        assert {isinstance(one, Refusal) for one in refused} == {True}
        assert opened == 1


# -- what others hold ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", [10.0], indirect=True)  # so a lock's time ends much earlier than its statement's
async def test_a_row_held_by_somebody_else_is_contended_and_nothing_is_half_written(
    server: Cluster, client: httpx2.AsyncClient
) -> None:
    assert [await add(client) for _ in range(4)] == [201] * 4
    one, two, three, four = [f"{PESSOAS.path}{id}/" for id in (1, 2, 3, 4)]
    with psycopg.connect(server.url("pessoas")) as other:
        other.execute("SELECT FROM pessoa FOR UPDATE")
        held = await asyncio.gather(
            client.patch(one, json={"nome_pessoa": "Bia"}),
            client.put(two, json={"nome_pessoa": "Bia"}, headers={"Idempotency-Key": "k"}),
            client.delete(three),
            client.delete(four, headers={"X-Timeout-Ms": "8000"}),
        )
        read = (await client.get(PESSOAS.path)).json()
        other.rollback()

    free = await client.put(two, json={"nome_pessoa": "Bia"}, headers={"Idempotency-Key": "k"})

    for answer in held:
        assert (answer.status_code, answer.json()["code"]) == (409, "CONTENDED")
        assert answer.headers["retry-after"] == "1"
    assert [row["nome_pessoa"] for row in read] == ["Ana"] * 4
    assert (free.status_code, free.json()["nome_pessoa"]) == (200, "Bia")


@pytest.mark.parametrize(
    ("lock", "method", "path", "body"),
    [
        ("SELECT FROM produto FOR SHARE", "DELETE", "/api/categorias/1/", None),
        ("SELECT FROM categoria FOR UPDATE", "PATCH", "/api/produtos/1/", {"nome_produto": "Mesa"}),
        ("SELECT FROM categoria FOR UPDATE", "POST", "/api/produtos/", {"nome_produto": "Mesa", "categoria_id": 1}),
        ("LOCK TABLE categoria", "POST", "/api/categorias/", {"nome_categoria": "Móveis"}),
    ],
)
async def test_whatever_a_write_waits_for_too_long_is_contended(
    services: Services, database_urls: dict[str, str], lock: str, method: str, path: str, body: object
) -> None:
    await builders.produto(services)
    with psycopg.connect(database_urls["catalogo"]) as other:
        other.execute(lock.encode())
        answer = await services.catalogo.request(method, path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (409, "CONTENDED")
    assert answer.headers["retry-after"] == "1"


async def test_a_table_locked_against_readers_is_503(services: Services, database_urls: dict[str, str]) -> None:
    await builders.pessoa(services)
    with psycopg.connect(database_urls["pessoas"]) as other:
        other.execute("LOCK TABLE pessoa")
        answer = await services.pessoas.get(f"{PESSOAS.path}1/")

    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert answer.json()["detail"] == "os dados estão em manutenção; tente de novo em instantes"


async def test_in_graphql_a_held_row_is_something_that_the_caller_can_mend(
    gateway: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    await builders.pessoa(services)
    query = 'mutation { excluirPessoa(id: "1") { pessoa { id } errors { code message } } }'
    with psycopg.connect(database_urls["pessoas"]) as other:
        other.execute("SELECT FROM pessoa FOR UPDATE")
        found = await gateway.data(query)

    message = "o recurso está sendo alterado por outros; tente de novo"
    assert found == {"excluirPessoa": {"pessoa": None, "errors": [{"code": "CONTENDED", "message": message}]}}


@patient
async def test_a_transaction_that_ends_in_deadlocks_again_and_again_is_contended(
    server: Cluster, client: httpx2.AsyncClient
) -> None:
    with psycopg.connect(server.url("pessoas"), autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE tries")
        connection.execute(
            "CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF nextval('tries') IN (2, 3) OR NEW.nome_pessoa = 'Nunca' THEN "
            "RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END IF; RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER collide BEFORE INSERT ON pessoa FOR EACH ROW EXECUTE FUNCTION collide()")
        made = [await add(client, nome) for nome in ("Ana", "Bia")]
        never = await client.post(PESSOAS.path, json={"nome_pessoa": "Nunca"})

    assert made == [201, 201], "the second one at its third attempt"
    assert (never.status_code, never.json()["code"], never.headers["retry-after"]) == (409, "CONTENDED", "1")


# -- what the log says ---------------------------------------------------------------------------------------------


@pytest.fixture
def said() -> Iterator[list[logging.LogRecord]]:
    """What the database and the readiness write to the log; an application sends the root's lines elsewhere."""
    loggers = [logging.getLogger(name) for name in ("database", "health")]
    kept = Kept()
    for logger in loggers:
        logger.addHandler(kept)
        logger.setLevel(logging.INFO)
    yield kept.records
    for logger in loggers:
        logger.removeHandler(kept)
        logger.setLevel(logging.NOTSET)


class Kept(logging.Handler):
    """Keeps every line."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


PASSWORD = "s3cr3t-w0rd"  # wrong on purpose


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("somebody:{password}@{host}:{port}/pessoas", "authentication failed"),
        ("postgres:{password}@{host}:{closed}/pessoas", "Connection refused"),
        ("postgres:{password}@no-such-name.invalid:{port}/pessoas", "failed to resolve host"),
    ],
    ids=["password", "port", "name"],
)
async def test_a_database_that_cannot_be_reached_is_one_warning_with_the_cause(
    server: Cluster, said: list[logging.LogRecord], place: str, cause: str
) -> None:
    url = "postgresql://" + place.format(password=PASSWORD, host=HOST, port=server.port, closed=free_ports(1))
    app = pessoas.routes.create_app(settings(server, url=url, database_timeout=1, log_level="ERROR"))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test", timeout=PATIENCE) as client,
    ):
        answers = [await client.get(path) for path in (PESSOAS.path, "/health/ready") for _ in range(3)]

    assert {answer.status_code for answer in answers} == {503}
    lines = [(record.levelname, record.name, record.msg) for record in said]
    assert lines == [("WARNING", "database", "database cannot be reached"), ("WARNING", "health", "not ready")]
    for record in said:
        assert cause in record.__dict__["reason"]
        assert PASSWORD not in str(record.__dict__)


async def test_a_database_that_comes_back_is_one_line_more(
    server: Cluster, client: httpx2.AsyncClient, said: list[logging.LogRecord]
) -> None:
    assert (await client.get("/health/ready")).status_code == 200
    server.stop()
    for _ in range(3):
        assert (await client.get(PESSOAS.path)).status_code == 503
        assert (await client.get("/health/ready")).status_code == 503
    server.start()
    await until_good(client)
    for _ in range(3):
        assert (await client.get("/health/ready")).status_code == 200

    lines = [(record.levelname, record.msg) for record in said]
    assert lines.count(("WARNING", "database cannot be reached")) == 1
    assert lines.count(("INFO", "database reached again")) == 1
    assert lines[-1] == ("INFO", "ready again")


@patient
async def test_readiness_says_each_reason_once(
    server: Cluster, client: httpx2.AsyncClient, said: list[logging.LogRecord]
) -> None:
    with psycopg.connect(server.url("pessoas"), autocommit=True) as connection:
        connection.execute("ALTER TABLE alembic_version RENAME TO away")
        for _ in range(3):
            assert (await client.get("/health/ready")).status_code == 503
        connection.execute("ALTER TABLE away RENAME TO alembic_version")
    for _ in range(3):
        assert (await client.get("/health/ready")).status_code == 200

    assert [(record.levelname, record.msg) for record in said] == [
        ("WARNING", "not ready"),
        ("INFO", "ready again"),
    ]
    assert said[0].__dict__["reason"] == "o banco de dados ainda não foi migrado"


@pytest.mark.parametrize("begun", [False, True], ids=["a statement", "the end of a transaction"])
async def test_nothing_that_is_asked_of_a_frozen_database_takes_longer_than_its_request_may(
    server: Cluster, begun: bool
) -> None:
    database = Database(settings(server, database_timeout=PATIENCE, database_pool_size=1))

    def freeze() -> None:
        for process in backends(server):
            process.suspend()

    async def freeze_and_refuse(transaction: Transaction) -> None:
        await transaction.fetch("SELECT 1", ())
        freeze()
        raise NotFound("what was looked for")

    await database.open()
    assert await database.fetch("SELECT 1", ()) == [(1,)]
    if not begun:
        freeze()
    token = deadline.begin(0.5)
    try:
        with pytest.raises(DeadlineExceeded):
            async with asyncio.timeout(PATIENCE / 2):
                await (database.transaction(freeze_and_refuse) if begun else database.fetch("SELECT 1", ()))
    finally:
        deadline.end(token)
        for process in backends(server):
            process.resume()
        await database.close()


async def test_expired_answers_are_forgotten_once_the_database_is_there_and_migrated(server: Cluster) -> None:
    url = server.url("pessoas")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE idempotency RENAME TO not_migrated")
        connection.execute("INSERT INTO not_migrated VALUES ('key', 'fingerprint', '{}', now() - interval '25 hours')")
    server.stop()
    database = Database(settings(server, database_timeout=0.5))
    await database.open()
    async with keep_forgetting(database, every=0.05):
        await asyncio.sleep(1)  # some tries that find nobody
        server.start()
        await asyncio.sleep(1)  # and some that find no table
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE not_migrated RENAME TO idempotency")
            left = connection.execute("SELECT key FROM idempotency").fetchall()
            for _ in range(20 * PATIENCE):
                if not left:
                    break
                await asyncio.sleep(0.05)
                left = connection.execute("SELECT key FROM idempotency").fetchall()
    await database.close()
    assert left == []


async def test_good_answers_come_back_however_many_have_waited_in_vain(server: Cluster) -> None:
    database = Database(settings(server, database_pool_size=1, database_timeout=0.1))
    await database.open()
    server.kill()
    server.wait()
    try:
        for _ in range(50):  # more than may wait
            with pytest.raises(Unavailable):
                await database.fetch("SELECT 1", ())
        server.start()
        assert await answered(database, "SELECT 1") == [(1,)]
    finally:
        await database.close()


async def test_a_connection_to_what_has_become_a_standby_is_left_and_the_write_done_elsewhere(server: Cluster) -> None:
    database = Database(settings(server, database_pool_size=1))
    await database.open()
    write = "INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('Ana', 'ana') RETURNING nome_pessoa"

    async def written(transaction: Transaction) -> list[tuple[str]]:
        return await transaction.fetch(write, ())

    try:
        await database.fetch("SET default_transaction_read_only = on", ())  # as every statement is on a standby
        alone = await database.fetch(write, ())
        await database.fetch("SET default_transaction_read_only = on", ())
        together = await database.transaction(written)
    finally:
        await database.close()

    assert alone == together == [("Ana",)]


async def test_a_transaction_that_the_server_has_ended_since_it_took_too_long_is_done_all_the_same(
    server: Cluster,
) -> None:
    """As when the process was frozen for a while."""
    database = Database(settings(server, database_pool_size=1))
    await database.open()
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await transaction.fetch("INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('Ana', 'ana')", ())
        if attempts == 1:
            time.sleep(1)  # noqa: ASYNC251 - nothing of this process runs
        await transaction.fetch("SELECT 1", ())

    try:
        await database.fetch("SET transaction_timeout = 500", ())  # the only connection's
        await database.transaction(work)
        [(stored,)] = await database.fetch("SELECT count(*) FROM pessoa", ())
    finally:
        await database.close()

    assert (attempts, stored) == (2, 1)


@pytest.mark.parametrize("limit", ["idle_in_transaction_session_timeout", "transaction_timeout"])
async def test_a_connection_whose_transaction_the_server_has_ended_is_lost(server: Cluster, limit: str) -> None:
    connection = await DatabaseConnection.connect(
        server.url("pessoas"), autocommit=True, outage=Outage(), options=f"-c {limit}=200"
    )
    await connection.run(PATIENCE, BoundStatement("BEGIN"))
    time.sleep(1)  # noqa: ASYNC251 - nothing of this process runs

    with pytest.raises(DatabaseConnectionLost):
        await connection.run(PATIENCE, BoundStatement("SELECT 1"))
    assert connection.closed


async def test_a_client_that_is_frozen_in_the_middle_of_a_pipeline_does_not_keep_its_locks_for_ever(
    server: Cluster, client: httpx2.AsyncClient
) -> None:
    await add(client)
    frozen = await DatabaseConnection.connect(
        server.url("pessoas"),
        autocommit=True,
        outage=Outage(),
        transaction_ms=3000,
        options="-c statement_timeout=1000 -c idle_in_transaction_session_timeout=1000",
    )
    with psycopg.connect(server.url("pessoas"), autocommit=True) as other:
        frozen.pgconn.enter_pipeline_mode()
        for part in ("BEGIN", "UPDATE pessoa SET nome_pessoa = 'Bia'"):
            frozen.pgconn.send_query_params(part.encode(), None)
        frozen.pgconn.send_flush_request()  # and no Sync
        frozen.pgconn.flush()
        free = "SELECT FROM pessoa FOR UPDATE SKIP LOCKED"
        await until(lambda: not other.execute(free).fetchall(), "the row is locked")

        other.execute(f"SET lock_timeout = '{PATIENCE} s'".encode())
        other.execute("UPDATE pessoa SET nome_pessoa = 'Cora'")
    await frozen.close()

    assert (await client.get(f"{PESSOAS.path}1/")).json()["nome_pessoa"] == "Cora"


async def test_each_session_knows_how_long_a_transaction_may_take(server: Cluster) -> None:
    database = Database(settings(server, database_timeout=20))
    await database.open()
    try:
        told = await database.fetch("SELECT current_setting('transaction_timeout')", ())
    finally:
        await database.close()

    assert told == [("100s",)]


async def test_a_new_connection_that_cannot_be_set_up_is_closed_and_the_reason_is_told(server: Cluster) -> None:
    outage = Outage()
    with psycopg.connect(server.url("pessoas"), autocommit=True) as other:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'pessoas' AND pid <> pg_backend_pid()"
        with pytest.raises(psycopg.OperationalError, match="Value exceeds integer range"):
            await DatabaseConnection.connect(
                server.url("pessoas"), autocommit=True, outage=outage, transaction_ms=1 << 40
            )

        assert outage.cause is not None
        await until(lambda: other.execute(others).fetchone() == (0,), "the connection is closed")


@pytest.fixture
def successor(server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A copy of the server that begins a new timeline, as a standby that becomes the primary does; the server runs
    too."""
    monkeypatch.setitem(SETTINGS, "wal_level", "replica")  # what was written before cannot be recovered from
    server.start()
    server.stop()
    copy = tmp_path / "successor"
    shutil.copytree(tmp_path, copy, ignore=shutil.ignore_patterns(copy.name))
    server.start()
    (copy / "postgres" / "recovery.signal").touch()
    monkeypatch.setitem(SETTINGS, "restore_command", "false")
    with open(os.devnull, "w") as quiet, Cluster(copy, free_ports(), durable=False, log=quiet.fileno()) as cluster:
        monkeypatch.delitem(SETTINGS, "restore_command")
        with psycopg.connect(cluster.url("pessoas"), autocommit=True) as connection:
            while connection.execute("SELECT pg_is_in_recovery()").fetchall() == [(True,)]:
                time.sleep(0.05)
        yield cluster


async def test_an_old_primary_that_does_not_know_of_its_successor_is_not_asked(
    server: Cluster, successor: Cluster
) -> None:
    """Its rows are out of date."""
    url = server.url("pessoas").replace(f"{HOST}:{server.port}", f"{HOST}:{server.port},{HOST}:{successor.port}")
    url += "?target_session_attrs=read-write"
    # The last question here waits for half of its time.
    database = Database(settings(server, url=url, database_timeout=2, database_pool_size=1))
    port = "SELECT inet_server_port()"
    await database.open()
    try:
        assert await answered(database, port) == [(server.port,)], "the first of the URL"
        server.stop()
        assert await answered(database, port) == [(successor.port,)]
        server.start()
        end_connections(successor)
        with pytest.raises(Unavailable):
            await database.fetch(port, ())
    finally:
        await database.close()


async def test_a_connection_to_an_old_primary_is_closed_when_its_successor_was_seen(
    server: Cluster, successor: Cluster
) -> None:
    timelines = Timelines()

    async def connected(to: Cluster) -> DatabaseConnection:
        return await DatabaseConnection.connect(
            to.url("pessoas"), autocommit=True, outage=Outage(), timelines=timelines
        )

    async with await connected(server) as old:
        await timelines.check(old)
        async with await connected(successor) as new:
            await timelines.check(new)
            with pytest.raises(psycopg.OperationalError, match="an old primary, of timeline 1: 2 was seen"):
                await timelines.check(old)
            assert old.closed


async def test_a_statement_that_was_to_be_prepared_when_another_failed_is_done_all_the_same(server: Cluster) -> None:
    """psycopg then counts it as prepared, which it is not: each later use on that connection would fail."""
    database = Database(settings(server, database_pool_size=1))
    await database.open()

    def dividing_by(number: int) -> Callable[[Transaction], Awaitable[list[tuple[int]]]]:
        async def work(transaction: Transaction) -> list[tuple[int]]:
            transaction.with_next("SELECT 1 / %s", [number])
            return await transaction.fetch("SELECT 42", ())

        return work

    try:
        for number in (0, *[1] * 5, 0):  # the last is the one in which it is to be prepared
            with suppress(psycopg.errors.DivisionByZero):
                await database.transaction(dividing_by(number))
        alone, together = await database.fetch("SELECT 42", ()), await database.transaction(dividing_by(1))
    finally:
        await database.close()

    assert alone == together == [(42,)]


async def test_work_that_is_given_up_is_not_done_again_when_its_connection_dies_too(server: Cluster) -> None:
    database = Database(settings(server))
    await database.open()
    begun: list[Transaction] = []

    async def work(transaction: Transaction) -> None:
        begun.append(transaction)
        await transaction.fetch("SELECT 42", ())
        await asyncio.to_thread(end_connections, server)
        raise asyncio.CancelledError  # as when the client hangs up

    try:
        with pytest.raises(asyncio.CancelledError):
            await database.transaction(work)
    finally:
        await database.close()

    assert len(begun) == 1


WAITING_FOR_THE_STANDBY = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = 'pessoas'"


@pytest.fixture
def replicating(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server waits for a standby that does not exist, for roles that ask for it."""
    for name, value in {
        "wal_level": "replica",
        "max_wal_senders": "1",
        "synchronous_standby_names": "nobody",
        "synchronous_commit": "local",
    }.items():
        monkeypatch.setitem(SETTINGS, name, value)


@pytest.mark.usefixtures("replicating")
async def test_a_write_whose_wait_for_the_standby_is_cancelled_is_never_acknowledged(server: Cluster) -> None:
    """Not by its own answer, and not by a retry that finds it in the database."""
    with psycopg.connect(server.url("pessoas"), autocommit=True) as watcher:
        watcher.execute("ALTER ROLE pessoas SET synchronous_commit = on")
        app = pessoas.routes.create_app(settings(server, database_timeout=PATIENCE, log_level="ERROR"))
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://pessoas.test") as client,
        ):

            async def sent() -> httpx2.Response:
                key = {"Idempotency-Key": "the-write"}
                return await client.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=key, timeout=PATIENCE)

            async def cancelled() -> httpx2.Response:
                sending = asyncio.create_task(sent())
                while not sending.done():
                    for (pid,) in watcher.execute(WAITING_FOR_THE_STANDBY).fetchall():
                        watcher.execute("SELECT pg_cancel_backend(%s)", [pid])
                    await asyncio.sleep(0.02)
                return await sending

            first, again = await cancelled(), await cancelled()
            stored = watcher.execute("SELECT nome_pessoa FROM pessoa").fetchall()
            watcher.execute("ALTER ROLE pessoas SET synchronous_commit = local")
            end_connections(server)
            confirmed = await sent()

    assert (first.status_code, again.status_code) == (503, 503)
    assert stored == [("Ana",)]
    assert (confirmed.status_code, confirmed.headers["idempotency-replayed"]) == (201, "true")


@pytest.mark.usefixtures("replicating")
async def test_a_commit_that_nobody_waits_for_any_more_is_no_fault_of_the_next_request(server: Cluster) -> None:
    database = Database(settings(server, database_pool_size=1))

    async def write(transaction: Transaction) -> None:
        await transaction.fetch("INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('Ana', 'ana')", ())

    with psycopg.connect(server.url("pessoas"), autocommit=True) as watcher:
        watcher.execute("ALTER ROLE pessoas SET synchronous_commit = on")
        await database.open()
        try:
            writing = asyncio.create_task(database.transaction(write))
            await until(lambda: bool(watcher.execute(WAITING_FOR_THE_STANDBY).fetchall()), "it waits for the standby")
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            read = await database.fetch("SELECT nome_pessoa FROM pessoa", ())
        finally:
            await database.close()

    assert read == [("Ana",)]
