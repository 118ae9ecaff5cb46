"""When a client hangs up, its work is cancelled in the gateway, in the service and in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx2
import psycopg
import pytest
import pytest_asyncio

import gateway.app
import gateway.settings
import pessoas.routes
from chassis.settings import DatabaseSettings
from tests import builders
from tests.applications import PATIENT, Services
from tests.chassis.peers import Peer, ServedApplication, serving, until
from tests.databases import WAITING
from tests.listener import Logged
from tests.scraped import scrape

POOL = 2
LOOK_SECONDS = 3

LOOKED = """
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_start > %s
    AND state = 'idle' AND query LIKE '%%fold_version <%%'
"""
"""Whether a process that was started since then has looked for names to fold."""


class Holder:
    """A connection that holds a lock for which others wait."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection = psycopg.connect(database_url)

    def hold(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def let_go(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()

    def waiting(self) -> int:
        """How many statements wait in the database for a lock."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            return len(connection.execute(WAITING).fetchall())


@pytest.fixture
def holder(services: Services, database_urls: dict[str, str]) -> Iterator[Holder]:
    holder = Holder(database_urls["pessoas"])
    yield holder
    holder.close()


@pytest_asyncio.fixture
async def service(services: Services, database_urls: dict[str, str]) -> AsyncIterator[ServedApplication]:
    """The pessoas service behind its real server, with two connections to the database and very long time-outs: a
    statement that ends sooner was ended because the client hung up."""
    await builders.pessoa(services)
    settings = {**PATIENT, "database_url": database_urls["pessoas"], "database_pool_size": POOL}
    app = pessoas.routes.create_app(DatabaseSettings.model_validate({**settings, "log_level": "ERROR"}))
    with psycopg.connect(database_urls["pessoas"], autocommit=True) as connection:
        before = connection.execute("SELECT clock_timestamp()").fetchone()

        def has_looked() -> bool:
            return connection.execute(LOOKED, before).fetchone() is not None

        async with serving(app) as served:
            # The names to fold are looked for first, since that would wait for a lock and hold a connection. Another
            # statement on the same connection may hide it; then it is over after this time too.
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    while not has_looked():  # noqa: ASYNC110 # there is no event to wait for
                        await asyncio.sleep(0.01)
            yield served


async def let_wait_and_hang_up(holder: Holder, served: ServedApplication, *requests: bytes) -> None:
    """Sends `requests`, each from a peer of its own, which hangs up when its statement waits."""
    peers: list[Peer] = []
    for request in requests:
        peer = await served.peer()
        peer.send(request)
        peers.append(peer)
    await until(lambda: holder.waiting() == len(requests), "every statement waits")
    for peer in peers:
        peer.hang_up()
    await until(lambda: holder.waiting() == 0, "no statement waits any more")
    await until(lambda: not served.state.tasks, "no request is left")


def raw(method: str, path: str, body: object = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


@pytest.mark.parametrize(
    ("lock", "request_bytes"),
    [
        ("SELECT FROM pessoa FOR UPDATE", raw("PATCH", "/api/pessoas/1/", {"nome_pessoa": "Bia"})),
        ("LOCK TABLE pessoa", raw("GET", "/api/pessoas/1/")),
        ("LOCK TABLE pessoa", raw("POST", "/api/pessoas/", {"nome_pessoa": "Cida"})),
    ],
    ids=["update", "read", "insert"],
)
async def test_a_statement_nobody_waits_for_is_cancelled_and_the_pool_stays_whole(
    holder: Holder, service: ServedApplication, lock: str, request_bytes: bytes
) -> None:
    for _ in range(3):
        holder.hold(lock)
        await let_wait_and_hang_up(holder, service, *[request_bytes] * POOL)
        holder.let_go()

    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client:
        answers = await asyncio.gather(*(client.get("/api/pessoas/") for _ in range(4 * POOL)))
    assert {answer.status_code for answer in answers} == {200}
    assert [row["nome_pessoa"] for row in answers[0].json()] == ["João Silva"]


async def test_a_client_that_hangs_up_is_counted_as_none_and_logged_as_499(
    holder: Holder, service: ServedApplication, logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client:

        async def counted(status: str) -> float:
            labels = {"method": "GET", "route": "/api/pessoas/{id}/", "status": status}
            return (await scrape(client)).value("http_requests_total", **labels)

        before = [await counted("none"), await counted("4xx")]
        caplog.set_level(logging.INFO, "http")
        holder.hold("LOCK TABLE pessoa")
        await let_wait_and_hang_up(holder, service, raw("GET", "/api/pessoas/1/"))
        holder.let_go()

        assert [await counted("none"), await counted("4xx")] == [before[0] + 1, before[1]]
    lines = logged()
    assert [(line["message"], line["status"]) for line in lines] == [("GET /api/pessoas/1/", 499)]


async def test_a_client_that_hung_up_before_its_body_was_read_is_no_fault_of_ours(
    service: ServedApplication, logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "http")
    with socket.create_connection(("127.0.0.1", service.port)) as client:  # the server runs in this thread, so later
        client.sendall(raw("POST", "/api/pessoas/", {"nome_pessoa": "Cida"}))

    lines = list[dict[str, Any]]()
    await until(lambda: lines.extend(logged()) or bool(lines), "the request is logged")
    assert [(line["message"], line["status"]) for line in lines] == [("POST /api/pessoas/", 499)]


@pytest.mark.parametrize(
    "query",
    [
        "{ pessoa(id: 1) { nomePessoa } }",
        "{ pessoas { nodes { nomePessoa } } }",
        "{ a: pessoa(id: 1) { solicitacoes { totalCount } } b: pessoa(id: 2) { id } }",
        'mutation { criarPessoa(input: {nomePessoa: "Cida"}) { pessoa { id } } }',
    ],
    ids=["object", "page", "two objects", "mutation"],
)
async def test_hanging_up_on_the_gateway_reaches_the_database(
    holder: Holder, service: ServedApplication, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    urls = dict.fromkeys(
        ("catalogo_url", "pessoas_url", "servicos_url", "solicitacoes_url"), f"http://127.0.0.1:{service.port}"
    )
    # Without a cache, since that asks for changes all the time.
    settings = {**PATIENT, **urls, "cache": "off", "log_level": "ERROR"}
    app = gateway.app.create_app(gateway.settings.Settings.model_validate(settings))
    logging.getLogger("remote").addHandler(caplog.handler)  # not the root's: an application replaces that
    logging.getLogger("remote").setLevel(logging.WARNING)
    async with serving(app) as front:
        holder.hold("LOCK TABLE pessoa")
        await let_wait_and_hang_up(holder, front, raw("POST", "/graphql", {"query": query}))
        holder.let_go()
        await until(lambda: not service.state.tasks, "the service has nothing left to do")
        peer = await front.peer()
        peer.send(raw("POST", "/graphql", {"query": "{ pessoas { totalCount } }"}))
        assert json.loads((await peer.answer()).body) == {"data": {"pessoas": {"totalCount": 1}}}
    logging.getLogger("remote").removeHandler(caplog.handler)
    assert caplog.records == []  # a call that ran into its own deadline, instead, would have said so
