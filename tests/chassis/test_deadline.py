"""The time that a request has left: what a caller asks for, what is passed on to neighbours, and what PostgreSQL is
told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from starlette.types import Receive, Scope, Send

from chassis.db.database import Database
from chassis.identity.rates import RateLimit
from chassis.observe.metrics import Requests
from chassis.request import deadline
from chassis.web.middleware import RequestMiddleware
from gateway.names import camel
from tests import builders, issuer
from tests.applications import Applications, Gateway, Services
from tests.chassis.peers import serving, until
from tests.databases import WAITING
from tests.resources import PESSOAS, SOLICITACOES

GUARD = 30
"""Seconds that bound every wait; nothing here measures time."""


@pytest.mark.parametrize("asked", ["0", "-1", "1.5", "soon", "", "9999999999"])
async def test_a_time_that_is_no_whole_number_of_milliseconds_is_malformed(services: Services, asked: str) -> None:
    answer = await services.pessoas.get(PESSOAS.path, headers={"X-Timeout-Ms": asked})

    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")
    assert "X-Timeout-Ms" in answer.json()["detail"]


async def test_a_request_ends_when_its_time_is_over_and_its_statement_too(
    services: Services, database_urls: dict[str, str]
) -> None:
    with psycopg.connect(database_urls["pessoas"]) as holder:
        holder.execute("LOCK TABLE pessoa")

        answer = await services.pessoas.get(PESSOAS.path, headers={"X-Timeout-Ms": "300"})

        waiting = holder.execute(WAITING).fetchall()
    assert (answer.status_code, answer.json()["code"]) == (504, "TIMEOUT")
    assert waiting == []
    assert (await services.pessoas.get(PESSOAS.path)).status_code == 200


async def test_the_server_is_told_of_a_shorter_time_and_of_the_usual_one_after_it(applications: Applications) -> None:
    database: Database = applications.services.networks["pessoas"].app.state.database

    async def told() -> str:
        return (await database.fetch("SELECT setting FROM pg_settings WHERE name = 'statement_timeout'", ()))[0][0]

    usual = await told()
    token = deadline.begin(3)
    shorter = await told()
    deadline.end(token)

    assert usual == "3500"
    assert 0 < int(shorter) <= 3000
    assert {await told() for _ in range(5)} == {usual}


async def test_what_is_left_travels_from_the_gateway_to_every_service(gateway: Gateway, services: Services) -> None:
    await builders.solicitacao(services)
    told: dict[str, int] = {}

    def note(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        told[request.url.host] = int(request.headers["x-timeout-ms"])
        return answer

    for network in services.networks.values():
        network.disturb = note
    query = "{ solicitacoes { nodes { pessoa { id } servico { id } produto { id } } } }"

    await gateway.client.post("/graphql", json={"query": query}, headers={"X-Timeout-Ms": "20000"})

    assert len(told) == 4
    assert all(0 < milliseconds <= 20000 for milliseconds in told.values())


async def test_an_operation_that_runs_out_of_time_answers_what_has_arrived(
    gateway: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    row = await builders.solicitacao(services)
    query = "{ solicitacoes { nodes { id pessoa { nomePessoa } servico { id } } } }"
    with psycopg.connect(database_urls["pessoas"]) as holder:
        holder.execute("LOCK TABLE pessoa")

        answer = await gateway.client.post("/graphql", json={"query": query}, headers={"X-Timeout-Ms": "5000"})

    node = {"id": str(row["id"]), "pessoa": None, "servico": {"id": str(row["servico_id"])}}
    assert answer.json()["data"] == {"solicitacoes": {"nodes": [node]}}
    [error] = answer.json()["errors"]
    assert error["path"] == ["solicitacoes", "nodes", 0, "pessoa"]
    assert error["extensions"] == {"code": "TIMEOUT", "service": "pessoas"}


CREATE = """mutation ($input: CriarSolicitacaoInput!) {
  criarSolicitacao(input: $input) { solicitacao { id } errors { code } } }"""


async def test_each_process_gives_up_before_the_one_that_waits_for_it(
    services: Services, database_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """pessoas is asked by solicitacoes, and that by the gateway. While pessoas is silent, nobody else is blamed; and
    when only the first process of it that was asked is silent, the write is done."""
    body = await SOLICITACOES.body(services)
    variables = {"input": {camel(name): str(id) for name, id in body.items()}}
    silent, asked = set[int](), list[str]()

    async with AsyncExitStack() as stack:
        applications = await Applications.start(stack, database_urls, retry_budget=1)
        network = applications.services.networks["pessoas"]
        pessoas = network.app

        async def sometimes(scope: Scope, receive: Receive, send: Send) -> None:
            asked.append(scope["path"])
            if len(asked) in silent:
                await asyncio.Event().wait()
            await pessoas(scope, receive, send)

        monkeypatch.setattr(network, "app", sometimes)

        async def create(*silent_calls: int) -> Any:
            silent.update(silent_calls)
            asked.clear()
            headers = {"X-Timeout-Ms": "8000"}
            request = {"query": CREATE, "variables": variables}
            return (await applications.gateway.client.post("/graphql", json=request, headers=headers)).json()

        rescued = await create(1)
        failed = await create(1, 2)

    assert rescued["data"]["criarSolicitacao"]["solicitacao"], rescued
    [error] = failed["errors"]
    assert error["extensions"].items() >= {"code": "UNAVAILABLE", "service": "pessoas"}.items()
    assert len(asked) == 2, "solicitacoes asks twice, and the gateway asks it once"


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@asynccontextmanager
async def in_a_hurry(seconds: float = 0.3) -> AsyncGenerator[None]:
    """Runs the block as within a request that has this much time."""
    token = deadline.begin(seconds)
    try:
        async with asyncio.timeout(GUARD):
            yield
    finally:
        deadline.end(token)


@pytest.mark.parametrize("path", [PESSOAS.path, "/graphql"])
async def test_no_request_waits_longer_than_it_may_for_the_keys_of_an_issuer(
    services: Services, database_urls: dict[str, str], mute: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.identity.keys.FETCH_SECONDS", 2 * GUARD)
    common = {"auth_mode": "jwt", "auth_issuer": issuer.ISSUER, "auth_audience": issuer.AUDIENCE}
    async with AsyncExitStack() as stack:
        url = f"http://127.0.0.1:{mute}/jwks"
        applications = await Applications.start(stack, database_urls, **common, auth_jwks=url)
        client = applications.gateway.client if path == "/graphql" else applications.services.pessoas
        headers = {"X-Timeout-Ms": "300", **issuer.bearer("pessoas:read")}
        async with asyncio.timeout(GUARD):
            answers = [await client.post(path, json={"query": "{ __typename }"}, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [504, 504]
    assert '"TIMEOUT"' in answers[0].text


async def test_no_request_waits_longer_than_it_may_for_the_store_of_the_rates_and_its_hurry_says_nothing_of_it(
    mute: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.identity.rates.STORE_TIMEOUT", 2 * GUARD)
    rates = RateLimit("test", 10, f"redis://127.0.0.1:{mute}/0")
    async with in_a_hurry():
        told = await rates.charge({"type": "http", "client": ("192.0.2.1", 1)}, 1)

    assert "r=9" in told["RateLimit"], "it is counted here"
    assert not rates.counts_locally
    await rates.close()


async def test_a_request_whose_turn_comes_too_late_is_told_so_and_not_begun() -> None:
    release, begun = asyncio.Event(), list[str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append(scope["path"])
        if scope["path"] == "/first":
            await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def edge(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await RequestMiddleware(app, 1_000_000, 60, Requests([]))(scope, receive, send)

    async with serving(edge) as served:
        peer = await served.peer()
        peer.get("/first")
        peer.get("/second", "X-Timeout-Ms: 50")
        peer.get("/third")
        await until(lambda: begun == ["/first"], "the first has begun")  # all were read together
        await asyncio.sleep(0.1)
        release.set()
        answers = [await peer.answer() for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 504, 200]
    assert begun == ["/first", "/third"]
