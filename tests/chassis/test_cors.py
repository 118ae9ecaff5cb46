"""Web pages that may call: our own and those of CORS_ORIGINS, which may then read every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest
import pytest_asyncio

from chassis.web import cors
from tests import builders
from tests.applications import Applications, Gateway, Services
from tests.issuer import Issuer, bearer

PAGE, STRANGER = "https://app.example.com", "https://evil.example.com"


@pytest_asyncio.fixture(scope="module")
async def shared(database_urls: dict[str, str], issuer: Issuer) -> AsyncIterator[Applications]:
    """The applications, with tokens, open to one page."""
    async with AsyncExitStack() as stack:
        yield await Applications.start(stack, database_urls, cors_origins=(PAGE,), **issuer.settings())


def preflight(origin: str, method: str, *headers: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": ", ".join(headers),
    }


@pytest.fixture(params=["pessoas", "gateway"])
def door(request: pytest.FixtureRequest, shared: Applications) -> tuple[httpx2.AsyncClient, str]:
    if request.param == "gateway":
        return shared.gateway.client, "/graphql"
    return shared.services.pessoas, "/api/pessoas/"


async def test_the_page_may_send_what_clients_send_and_needs_no_token_to_ask(
    door: tuple[httpx2.AsyncClient, str],
) -> None:
    client, path = door
    sent = (*(name.lower() for name in cors.REQUEST_HEADERS), "accept", "content-type")

    allowed = await client.options(path, headers=preflight(PAGE, "POST", *sent))

    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in allowed.headers


async def test_the_page_may_read_every_answer_refusals_too(door: tuple[httpx2.AsyncClient, str]) -> None:
    client, path = door
    answers = [
        await client.get(path, headers={"Origin": PAGE}),
        await client.get(path, headers={"Origin": PAGE} | bearer("pessoas:read")),
        await client.post(path, content=b"x" * 1_000_001, headers={"Origin": PAGE}),
    ]

    assert [answer.headers["access-control-allow-origin"] for answer in answers] == [PAGE] * 3
    assert all("ETag" in answer.headers["access-control-expose-headers"] for answer in answers)
    assert all("Origin" in answer.headers["vary"] for answer in answers)


async def test_a_stranger_is_told_nothing(door: tuple[httpx2.AsyncClient, str]) -> None:
    client, path = door
    refused = await client.options(path, headers=preflight(STRANGER, "POST"))
    answer = await client.get(path, headers={"Origin": STRANGER} | bearer("pessoas:read"))

    assert "access-control-allow-origin" not in refused.headers
    assert "access-control-allow-origin" not in answer.headers


async def test_without_origins_every_page_is_a_stranger(services: Services) -> None:
    refused = await services.pessoas.options("/api/pessoas/", headers=preflight(PAGE, "DELETE"))
    answer = await services.pessoas.get("/api/pessoas/", headers={"Origin": PAGE})

    assert not any(name.startswith("access-control") for name in [*refused.headers, *answer.headers])


@pytest.mark.parametrize("listed", [True, False], ids=["with CORS_ORIGINS", "without"])
async def test_a_refused_preflight_is_a_problem_and_one_line_that_names_the_origin_and_the_variable(
    services: Services, gateway: Gateway, shared: Applications, caplog: pytest.LogCaptureFixture, listed: bool
) -> None:
    clients = shared.clients() if listed else [gateway.client, *map(services.client, services.networks)]
    for client in clients:
        with caplog.at_level("INFO"):
            caplog.clear()
            refused = await client.options("/api/", headers=preflight(STRANGER, "POST", "content-type"))

        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        assert refused.json()["code"] == "FORBIDDEN"
        [told] = [vars(record) for record in caplog.records if STRANGER in str(vars(record))]
        assert (told["origin"], told["reason"]) == (STRANGER, "CORS_ORIGINS does not name it")


@pytest.mark.parametrize(("method", "header"), [("TRACE", "prefer"), ("POST", "x-nothing-of-ours")])
async def test_a_known_page_hears_what_of_its_preflight_is_not_allowed(
    shared: Applications, caplog: pytest.LogCaptureFixture, method: str, header: str
) -> None:
    with caplog.at_level("INFO"):
        refused = await shared.services.pessoas.options("/api/pessoas/", headers=preflight(PAGE, method, header))

    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    [told] = [vars(record) for record in caplog.records if PAGE in str(vars(record))]
    assert (told["origin"], told["asked"]) == (PAGE, header)
    assert "CORS_ORIGINS names it" in told["reason"]


async def test_options_that_is_no_preflight_is_answered_to_any_page(services: Services) -> None:
    answer = await services.pessoas.options("/api/pessoas/", headers={"Origin": STRANGER})

    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


WRITES = [
    ("pessoas", "POST", "/api/pessoas/"),
    ("pessoas", "PUT", "/api/pessoas/1/"),
    ("pessoas", "PATCH", "/api/pessoas/1/"),
    ("pessoas", "DELETE", "/api/pessoas/1/"),
    ("pessoas", "POST", "/api/pessoas/query/"),
    ("solicitacoes", "POST", "/api/solicitacoes/"),
    ("gateway", "POST", "/graphql"),
]
FOREIGN = [
    STRANGER,
    "null",
    "",
    "http://{host}:3000",
    "http://evil.{host}",
    "http://{host}.evil.test",
    "http://me@{host}",
    "http://{host}/",
    "file://{host}",
    "{host}",
]


@pytest.mark.parametrize(("process", "method", "path"), WRITES)
async def test_a_page_of_another_origin_changes_nothing_and_asks_nothing_by_post(
    services: Services, gateway: Gateway, process: str, method: str, path: str
) -> None:
    client = gateway.client if process == "gateway" else services.client(process)
    await builders.pessoa(services)

    refused = await client.request(method, path, headers={"Origin": STRANGER})

    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    assert "access-control-allow-origin" not in refused.headers
    assert len((await services.pessoas.get("/api/pessoas/")).json()) == 1


@pytest.mark.parametrize("origin", FOREIGN)
async def test_what_is_not_our_host_and_port_is_another_origin(services: Services, origin: str) -> None:
    headers = {"Origin": origin.format(host="pessoas.test")}

    assert (await services.pessoas.delete("/api/pessoas/1/", headers=headers)).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("pessoas.test", "http://pessoas.test"),
        ("pessoas.test", "https://pessoas.test"),
        ("Pessoas.test", "http://pessoas.test:80"),
        ("pessoas.test:443", "https://pessoas.test"),
        ("pessoas.test:8443", "https://pessoas.test:8443"),
        ("[::1]:8002", "http://[::1]:8002"),
    ],
)
async def test_a_page_of_ours_may_write_also_where_tls_ends_before_us(
    services: Services, host: str, origin: str
) -> None:
    written = await services.pessoas.post(
        "/api/pessoas/", json={"nome_pessoa": "Ana"}, headers={"Host": host, "Origin": origin}
    )

    assert written.status_code == 201


async def test_a_page_of_another_origin_is_no_page_of_ours_by_its_scheme_s_port(services: Services) -> None:
    crossed = {"Host": "pessoas.test:443", "Origin": "http://pessoas.test"}

    assert (await services.pessoas.delete("/api/pessoas/1/", headers=crossed)).status_code == 403


async def test_a_page_that_cors_lets_in_may_write_and_a_stranger_is_asked_for_no_token(shared: Applications) -> None:
    url, body = "/api/pessoas/", {"nome_pessoa": "Ana"}
    token = bearer("pessoas:read", "pessoas:write")

    known = await shared.services.pessoas.post(url, json=body, headers={"Origin": PAGE} | token)
    strange = await shared.services.pessoas.post(url, json=body, headers={"Origin": STRANGER})

    assert known.status_code == 201
    assert (strange.status_code, "www-authenticate" in strange.headers) == (403, False)
