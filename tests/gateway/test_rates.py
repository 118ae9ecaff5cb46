"""Fair shares at the gateway: an operation is charged its estimated cost before any service is called for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests import builders
from tests.applications import Applications, Services
from tests.issuer import Issuer, bearer

pytestmark = pytest.mark.usefixtures("early_in_a_minute")

MOST = 100
TEN = "{ pessoas(first: 10) { nodes { id } } }"  # costs 11
NINETY = "{ pessoas(first: 89) { nodes { id } } }"
GRAPHQL_JSON = "application/graphql-response+json"


@pytest_asyncio.fixture(scope="module")
async def guarded(database_urls: dict[str, str], issuer: Issuer) -> AsyncIterator[Applications]:
    """The gateway with a share of MOST units a minute for each subject."""
    async with AsyncExitStack() as stack:
        yield await Applications.start(stack, database_urls, rate_limit=MOST, **issuer.settings())


@pytest_asyncio.fixture(scope="module")
async def behind(database_urls: dict[str, str]) -> AsyncIterator[Applications]:
    """Services with a share of one request a minute, and a gateway without."""
    async with AsyncExitStack() as stack:
        yield await Applications.start(stack, database_urls, api_rate_limit=1)


async def ask(applications: Applications, subject: str, query: str, **headers: str) -> httpx2.Response:
    token = bearer("pessoas:read", "pessoas:write", sub=subject)
    return await applications.gateway.client.post("/graphql", json={"query": query}, headers=token | headers)


def left(answer: httpx2.Response) -> int:
    name, remaining, seconds = answer.headers["ratelimit"].split(";")
    assert (name, seconds[:2]) == ('"default"', "t=")
    assert answer.headers["ratelimit-policy"] == f'"default";q={MOST};w=60'
    return int(remaining.removeprefix("r="))


async def test_an_operation_is_charged_its_cost(guarded: Applications, services: Services) -> None:
    first = await ask(guarded, "cost", TEN, **{"X-Query-Cost": "1"})
    second = await ask(guarded, "cost", TEN)

    cost = first.json()["extensions"]["cost"]["requested"]
    assert [left(first), left(second)] == [MOST - cost, MOST - 2 * cost]
    assert cost > 10


@pytest.mark.parametrize("accept", ["application/json", GRAPHQL_JSON])
async def test_beyond_the_share_nothing_is_executed(guarded: Applications, services: Services, accept: str) -> None:
    await ask(guarded, accept, NINETY)
    guarded.services.calls.clear()

    answer = await ask(guarded, accept, TEN, Accept=accept)

    assert answer.status_code == 429
    assert answer.headers["content-type"].startswith(accept)
    wait = int(answer.headers["retry-after"])
    assert 1 <= wait <= 120
    assert answer.headers["ratelimit"] == f'"default";r={left(answer)};t={wait}'
    assert answer.json() == {
        "errors": [
            {
                "message": f"a cota é de {MOST} por minuto; tente de novo em {wait} s",
                "extensions": {"code": "RATE_LIMITED", "limit": "RATE_LIMIT", "retry_after": wait},
            }
        ]
    }
    assert guarded.services.calls == []
    assert (await ask(guarded, accept, "{ pessoa(id: 1) { id } }")).status_code == 200  # the share has room for that


async def test_a_mutation_beyond_the_share_writes_nothing(guarded: Applications, services: Services) -> None:
    mutation = 'mutation { a: criarPessoa(input: {nomePessoa: "Ana"}) { pessoa { id } } }'
    answers = [await ask(guarded, "writer", mutation) for _ in range(MOST + 1)]

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    written = (await services.pessoas.get("/api/pessoas/?page_size=1000")).json()
    assert len(written) == statuses.count(200)


async def test_a_share_is_its_callers_own(guarded: Applications, services: Services) -> None:
    await ask(guarded, "greedy", NINETY)

    assert (await ask(guarded, "greedy", TEN)).status_code == 429
    assert (await ask(guarded, "modest", TEN)).status_code == 200


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ __typename }", 1),
        ("{ nada }", 1),
        ("{", 1),
        ("query A { __typename } query B { __typename }", 1),
        ("query ($id: ID!) { pessoa(id: $id) { id } }", 1),
        ("{ pessoas(first: 1000) { nodes { id } } }", 1),
        ("{ __schema { queryType { name } } }", None),
    ],
    ids=["nothing", "invalid", "syntax", "which operation", "variable", "over a limit", "introspection"],
)
async def test_what_costs_no_row_costs_something(guarded: Applications, query: str, cost: int | None) -> None:
    answer = await ask(guarded, f"judged {query}", query)

    assert answer.status_code == 200
    assert left(answer) == MOST - cost if cost else left(answer) < MOST - 1


async def test_no_waiting_helps_what_costs_more_than_a_whole_share(guarded: Applications, services: Services) -> None:
    guarded.services.calls.clear()

    answer = await ask(guarded, "hopeless", "{ pessoas(first: 1000) { nodes { id } } }")

    [error] = answer.json()["errors"]
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "RATE_LIMIT", "asked": 1001, "allowed": MOST}
    assert "1001" in error["message"]
    assert guarded.services.calls == []


async def test_refused_documents_use_up_the_share_too(guarded: Applications) -> None:
    statuses = [(await ask(guarded, "fuzzer", "{ nada }")).status_code for _ in range(MOST + 1)]

    assert statuses == [200] * MOST + [429]


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (401, {"Authorization": "Bearer guess"}, b'{"query": "{ __typename }"}'),
        (400, {}, b"{"),
        (400, {}, b"[]"),
        (415, {"Content-Type": "text/plain"}, b'{"query": "{ __typename }"}'),
        (406, {"Accept": "text/css"}, b'{"query": "{ __typename }"}'),
    ],
    ids=["refused token", "no JSON", "no object", "media type", "nothing acceptable"],
)
async def test_a_request_that_is_refused_before_its_document_uses_up_the_share_too(
    guarded: Applications, status: int, headers: dict[str, str], body: bytes
) -> None:
    typed = {"Content-Type": "application/json"}
    token = bearer("pessoas:read", sub=f"refused {status} {body!r}")
    transport = httpx2.ASGITransport(app=guarded.gateway_app, client=(f"192.0.2.{status % 256}", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        answers = [
            await client.post("/graphql", content=body, headers=typed | token | headers) for _ in range(MOST + 1)
        ]

    assert [answer.status_code for answer in answers] == [status] * MOST + [429]
    assert left(answers[0]) == MOST - 1
    assert answers[-1].headers["retry-after"]


async def test_without_a_limit_nothing_is_told(applications: Applications, services: Services) -> None:
    answer = await applications.gateway.client.post("/graphql", json={"query": TEN})

    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers


async def test_a_service_that_is_over_its_own_limit_is_named_at_its_field(
    behind: Applications, services: Services
) -> None:
    await builders.pessoa(services)
    answers: list[Any] = [(await behind.gateway.run("{ pessoa(id: 1) { id } }")) for _ in range(2)]

    assert answers[0] == {"data": {"pessoa": {"id": "1"}}}
    [error] = answers[1]["errors"]
    assert (answers[1]["data"], error["path"]) == ({"pessoa": None}, ["pessoa"])
    wait = error["extensions"].pop("retry_after")
    assert error["extensions"] == {"code": "RATE_LIMITED", "service": "pessoas"}
    assert wait > 1
    assert error["message"].endswith(f"tente de novo em {wait} s")
