"""Which web pages may call: none but those of CORS_ORIGINS, which may then read whatever there is to read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest
import pytest_asyncio

from tests.applications import Applications, Services
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
    sent = ("authorization", "content-type", "idempotency-key", "if-match", "traceparent", "prefer")

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
