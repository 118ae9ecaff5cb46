"""Very slow searches: they are ended, they leave room for reads by id, and open no breaker.

A search is made slow in the database: the folded name becomes a function that sleeps, which only a search calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import orjson
import psycopg
import pytest
import pytest_asyncio
from fastapi import FastAPI

import gateway.app
import gateway.settings
import pessoas.routes
from chassis.db.connection import TOO_SLOW
from chassis.db.database import TOO_MANY_SEARCHES
from chassis.db.migrate import upgrade
from chassis.errors import DeadlineExceeded, Refusal, Unavailable
from chassis.neighbours.remote import Remote
from chassis.query.models import Declaration, RichQuery, query_model
from chassis.settings import DatabaseSettings, NeighbourSettings
from deploy.postgres import Cluster
from solicitacoes.routes import solicitacoes
from tests.chassis.peers import until
from tests.neighbours import ServiceNetwork, on_a_socket
from tests.resources import PESSOAS

POOL = 4
LONG = 60.0
"""Seconds that a statement may take if the test itself ends it."""
BOUND = 2 * LONG
"""Bounds each test. A cancellation that reaches the server before its statement does is lost, and then the statement
takes all of its time."""
SHORT = 2.0
"""Seconds that a statement may take if its time is to run out: enough for any other on a busy machine."""
SLOW = """
CREATE FUNCTION slow(name text) RETURNS text STABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(120); RETURN name; END $$;
ALTER TABLE pessoa RENAME TO stored;
CREATE VIEW pessoa AS SELECT id, nome_pessoa, slow(nome_busca) AS nome_busca FROM stored;
INSERT INTO stored (nome_pessoa, nome_busca) VALUES ('Ana', 'ana'), ('Bia', 'bia');
"""
ANA = {"id": 1, "nome_pessoa": "Ana"}
READS: tuple[Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]], ...] = (
    lambda client: client.get(f"{PESSOAS.path}1/"),
    lambda client: client.get(f"{PESSOAS.path}?id=1"),
    lambda client: client.get(f"{PESSOAS.path}?page_size=1"),
    lambda client: client.post(f"{PESSOAS.path}query/", json={"ids": [1]}),
    lambda client: client.post(f"{PESSOAS.path}query/", json={"filter": {"id": {"in": [1]}}, "count": True}),
)


@pytest.fixture(scope="module")
def database_url(cluster: Cluster) -> str:
    url = cluster.create_database("slow_pessoas")
    upgrade("pessoas", url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SLOW)
    return url


Make = Callable[..., Awaitable[ServiceNetwork]]


@pytest_asyncio.fixture
async def make(database_url: str) -> AsyncIterator[Make]:
    """Starts a pessoas service whose searches are slow, with these settings."""
    async with AsyncExitStack() as stack:

        async def started(**settings: Any) -> ServiceNetwork:
            given = {"database_url": database_url, "log_level": "ERROR", "database_pool_size": POOL, **settings}
            service = ServiceNetwork("pessoas", pessoas.routes.create_app(DatabaseSettings.model_validate(given)), [])
            await stack.enter_async_context(on_a_socket(service))
            return service

        yield started


def calling(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://pessoas.test", timeout=LONG)


async def ended(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_reads_by_id_are_answered_while_more_searches_run_than_there_are_connections(make: Make) -> None:
    service = await make(database_timeout=LONG, operation_timeout=LONG)
    async with calling(service.app) as client, asyncio.timeout(BOUND):
        searches = [asyncio.create_task(client.get(PESSOAS.path, params={"search": f"x{n}"})) for n in range(3 * POOL)]
        stats = service.app.state.database.stats
        await until(
            lambda: stats()["searches_busy"] + stats()["searches_waiting"] == len(searches), "all searches are there"
        )

        answers = [await read(client) for read in READS for _ in range(3)]

        assert stats()["searches_busy"] == POOL // 2
        assert {answer.status_code for answer in answers} == {200}
        assert answers[0].json() == ANA
        assert not any(search.done() for search in searches)
        await ended(*searches)
    assert stats()["searches_busy"] == stats()["searches_waiting"] == 0


async def test_a_search_too_slow_is_told_to_ask_for_less_and_one_too_many_to_come_later(make: Make) -> None:
    service = await make(database_timeout=SHORT, operation_timeout=LONG)
    async with calling(service.app) as client:
        many = [client.post(f"{PESSOAS.path}query/", json={"filter": FILTER, "select": "ids"}) for _ in range(3 * POOL)]

        answers = await asyncio.gather(*many)

    slow, late = ([one for one in answers if one.status_code == status] for status in (504, 503))
    assert len(slow) + len(late) == len(answers)
    assert {(one.json()["code"], one.json()["detail"]) for one in slow} == {("TOO_SLOW", TOO_SLOW)}
    assert {(one.json()["code"], one.json()["detail"], one.headers["retry-after"]) for one in late} == {
        ("BUSY", TOO_MANY_SEARCHES, "1")
    }


async def test_searches_that_wait_leave_a_third_of_all_places_to_others(make: Make) -> None:
    service = await make(database_timeout=LONG, operation_timeout=LONG, max_concurrency=12)
    async with calling(service.app) as client, asyncio.timeout(BOUND):
        stats = service.app.state.database.stats
        searches = [asyncio.create_task(client.get(PESSOAS.path, params={"search": f"x{n}"})) for n in range(12)]
        await until(lambda: sum(search.done() for search in searches) == 4, "four are answered")

        refused = [search.result() for search in searches if search.done()]

        assert stats()["searches_busy"] + stats()["searches_waiting"] == 8
        assert {(one.status_code, one.json()["code"]) for one in refused} == {(503, "BUSY")}
        await ended(*searches)


async def outcome(calling: Any) -> Any:
    try:
        return await calling
    except Refusal as refusal:
        return refusal


FILTER = {"nome_pessoa": {"contains": "x"}}


async def test_no_number_of_slow_searches_opens_the_breaker_of_those_who_read_by_id(make: Make) -> None:
    service = await make(database_timeout=SHORT, operation_timeout=LONG)
    async with Remote("pessoas", service.url, NeighbourSettings(neighbour_timeout=LONG)) as asking:
        for n in range(3):
            searches = [
                asking.read(f"{PESSOAS.path}?search={n}x{one}", orjson.loads, search=True) for one in range(4 * POOL)
            ]
            reads = [asking.read(f"{PESSOAS.path}1/", orjson.loads) for _ in range(5)]
            found = await asyncio.gather(*map(outcome, [*searches, *reads]))

            assert {type(one) for one in found[: len(searches)]} <= {DeadlineExceeded, Unavailable}
            assert {one.detail for one in found[: len(searches)]} == {TOO_SLOW, TOO_MANY_SEARCHES}
            assert found[len(searches) :] == [ANA] * len(reads)
        assert asking.breaker.openings == 0


async def test_a_search_is_told_that_it_is_too_slow_by_its_owner_before_the_caller_gives_it_up(make: Make) -> None:
    service = await make(database_timeout=8, operation_timeout=LONG)
    settings = NeighbourSettings(neighbour_timeout=8)
    async with Remote("pessoas", service.url, settings) as asking:
        refusal = await outcome(asking.read(f"{PESSOAS.path}?search=x", orjson.loads, search=True))

    assert (type(refusal), refusal.detail) == (DeadlineExceeded, TOO_SLOW)


async def test_in_graphql_the_slow_search_is_a_time_out_and_the_rest_is_answered(make: Make) -> None:
    service = await make(database_timeout=SHORT)
    urls = dict.fromkeys(("catalogo_url", "pessoas_url", "servicos_url", "solicitacoes_url"), service.url)
    settings = gateway.settings.Settings.model_validate(
        {**urls, "log_level": "ERROR", "neighbour_timeout": LONG, "operation_timeout": LONG}
    )
    front = gateway.app.create_app(settings)
    query = '{ pessoa(id: 1) { id } pessoas(filter: {nomePessoa: {contains: "x"}}) { nodes { id } } }'
    async with front.router.lifespan_context(front), calling(front) as client:
        answer = (await client.post("/graphql", json={"query": query})).json()

    assert answer["data"] == {"pessoa": {"id": "1"}, "pessoas": None}
    [error] = answer["errors"]
    assert (error["message"], error["path"]) == (TOO_SLOW, ["pessoas"])
    assert error["extensions"] == {"code": "TIMEOUT", "service": "pessoas"}


NAMED = query_model(
    "Pessoa",
    {"id": Declaration(kind="id", indexed=True), "nome": Declaration(kind="name", indexed=True)},
    ("id", "nome"),
)
PARENTS = solicitacoes.query_model
ANY = {"nome": {"contains": "x"}}
ONE = {"nome": {"eq": "x"}}


@pytest.mark.parametrize(
    ("kind", "asked", "expected"),
    [
        (NAMED, {}, False),
        (NAMED, {"ids": [1]}, False),
        (NAMED, {"ordering": "nome", "first": 1000}, False),
        (NAMED, {"select": "ids"}, False),
        (NAMED, {"count": True}, True),
        (NAMED, {"filter": ANY}, True),
        (NAMED, {"filter": ANY, "select": "ids"}, True),
        (NAMED, {"filter": {"nome": {"starts_with": "x"}}}, True),
        (NAMED, {"filter": {"id": {"gt": 5}}}, True),
        (NAMED, {"filter": {}}, True),
        (NAMED, {"filter": ONE, "count": True}, False),
        (NAMED, {"filter": {"id": {"in": [1, 2]}, **ANY}}, False),
        (NAMED, {"filter": {"not": ONE}}, True),
        (NAMED, {"filter": {"not": ONE, "and": [ANY, ONE]}}, False),
        (NAMED, {"filter": {"or": [ONE, ANY]}}, True),
        (NAMED, {"filter": {"or": [ONE, {"id": {"eq": 1}}]}}, False),
        (PARENTS, {"per": {"field": "pessoa_id", "ids": [1]}, "count": True}, False),
        (PARENTS, {"per": {"field": "pessoa_id", "ids": [1]}, "filter": {"servico_id": {"eq": 1}}}, True),
        (PARENTS, {"filter": {"pessoa_id": {"in": [1, 2]}}, "count": True}, False),
        (PARENTS, {"filter": {"data_solicitacao": {"gte": "2026-01-01T00:00:00Z"}}}, True),
    ],
)
def test_a_search_is_what_no_index_leads_to(kind: type[RichQuery], asked: dict[str, Any], expected: bool) -> None:
    assert kind.model_validate(asked).is_search is expected
