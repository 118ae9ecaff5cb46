"""Fair shares at the services: which caller is charged, what a refusal says, one count for all replicas, and what
happens while its store is away."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import psutil
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import RateLimited
from chassis.identity.rates import (
    KEYS_OF_A_SHARD,
    SHARDS,
    WINDOW,
    LocalCounters,
    RateLimit,
    RateLimitItemPerMinute,
    Usage,
)
from deploy.postgres import free_ports
from tests.applications import Applications, Services
from tests.chassis.peers import serving, until
from tests.issuer import Issuer, bearer
from tests.resources import PESSOAS
from tests.store import Store, with_a_store

pytestmark = pytest.mark.usefixtures("early_in_a_minute")

MOST = 3


@pytest_asyncio.fixture(scope="module")
async def limited(database_urls: dict[str, str]) -> AsyncIterator[Applications]:
    """The services with a share of MOST requests a minute, for addresses."""
    async with AsyncExitStack() as stack:
        yield await Applications.start(stack, database_urls, api_rate_limit=MOST)


@pytest_asyncio.fixture(scope="module")
async def guarded(database_urls: dict[str, str], issuer: Issuer) -> AsyncIterator[Applications]:
    """The same, for tokens."""
    async with AsyncExitStack() as stack:
        yield await Applications.start(stack, database_urls, api_rate_limit=MOST, **issuer.settings())


@asynccontextmanager
async def client_at(applications: Applications, address: str) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of pessoas whose address is this."""
    transport = httpx2.ASGITransport(app=applications.services.networks["pessoas"].app, client=(address, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test") as client:
        yield client


async def statuses(applications: Applications, *addresses: str, **headers: Any) -> list[int]:
    found: list[int] = []
    for address in addresses:
        async with client_at(applications, address) as client:
            found.append((await client.get(PESSOAS.path, headers=headers)).status_code)
    return found


async def test_a_caller_is_told_where_they_stand_and_refused_beyond_their_share(
    limited: Applications, services: Services
) -> None:
    async with client_at(limited, "192.0.2.1") as client:
        answers = [await client.post(PESSOAS.path, json={"nome_pessoa": "Ana"}) for _ in range(MOST + 1)]

    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"default";q=3;w=60'}
    assert [answer.headers["ratelimit"].split(";")[:2] for answer in answers] == [
        ['"default"', f"r={left}"] for left in (2, 1, 0, 0)
    ]
    assert answers[0].headers.get("retry-after") is None
    refused = answers[-1]
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 2 * WINDOW
    assert refused.headers["ratelimit"] == f'"default";r=0;t={wait}'
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["code"], problem["title"], problem["status"]) == ("RATE_LIMITED", "Too Many Requests", 429)
    assert problem["detail"] == f"a cota é de 3 por minuto; tente de novo em {wait} s"
    assert len((await services.pessoas.get(PESSOAS.path)).json()) == MOST


async def test_a_share_is_its_addresss_own(limited: Applications) -> None:
    assert await statuses(limited, *["192.0.2.2"] * 4, "192.0.2.3") == [200, 200, 200, 429, 200]


async def test_an_ipv6_network_of_one_customer_shares(limited: Applications) -> None:
    same = ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3", "2001:db8:1:2:abcd::4"]

    assert await statuses(limited, *same, "2001:db8:1:3::1") == [200, 200, 200, 429, 200]


async def test_an_ipv4_address_is_the_same_when_ipv6_carries_it(limited: Applications) -> None:
    mapped = "::ffff:192.0.2.4"

    assert await statuses(limited, mapped, "192.0.2.4", mapped, "192.0.2.4", "::ffff:192.0.2.5") == [200] * 3 + [
        429,
        200,
    ]


async def test_a_share_is_its_tokens_subjects_own_wherever_they_are(guarded: Applications) -> None:
    ana, bia = bearer("pessoas:read", sub="ana"), bearer("pessoas:read", sub="bia")

    assert await statuses(guarded, *(f"192.0.2.{n}" for n in range(4)), **ana) == [200, 200, 200, 429]
    assert await statuses(guarded, "192.0.2.0", **bia) == [200]


async def test_a_refused_token_is_charged_to_its_address(guarded: Applications) -> None:
    async with client_at(guarded, "192.0.2.20") as client:
        answers = [
            await client.get(PESSOAS.path, headers={"Authorization": f"Bearer guess-{n}"}) for n in range(MOST + 1)
        ]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert answers[0].headers["www-authenticate"].startswith("Bearer")


async def test_a_token_without_the_scope_is_charged_to_its_subject(guarded: Applications) -> None:
    narrow = bearer("catalogo:read", sub="carla")

    assert await statuses(guarded, *["192.0.2.21"] * 4, **narrow) == [403, 403, 403, 429]
    assert await statuses(guarded, "192.0.2.21", **bearer("pessoas:read", sub="dora")) == [200]


async def test_health_is_not_counted(limited: Applications) -> None:
    async with client_at(limited, "192.0.2.9") as client:
        for path in ["/health/live", "/openapi.json"] * MOST:
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "ratelimit" not in answer.headers
    assert await statuses(limited, *["192.0.2.9"] * 4) == [200, 200, 200, 429]


async def test_every_refusal_tells_where_the_caller_stands_too(limited: Applications) -> None:
    async with client_at(limited, "192.0.2.10") as client:
        answers = [await client.get(path) for path in ("/api/nada/", f"{PESSOAS.path}999/", f"{PESSOAS.path}?nada=1")]

    assert [answer.status_code for answer in answers] == [404, 404, 422]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0"]


async def test_without_a_limit_nothing_is_told(services: Services) -> None:
    answers = [await services.pessoas.get(PESSOAS.path) for _ in range(MOST + 1)]

    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)


@pytest.mark.parametrize(("trusted", "seen"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.7")])
async def test_a_client_chooses_its_address_only_where_its_proxy_is_trusted(trusted: str, seen: str) -> None:
    async def echo(scope: Any, _receive: Any, send: Any) -> None:
        body = scope["client"][0].encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    async with serving(echo, forwarded_allow_ips=trusted) as served:
        peer = await served.peer()
        peer.get("/", "X-Forwarded-For: 203.0.113.7")
        assert (await peer.answer()).body.decode() == seen


def at(address: str) -> dict[str, Any]:
    return {"client": (address, 1)}


async def left(rates: RateLimit, address: str, cost: int = 1) -> int:
    """What is left after a charge."""
    return int((await rates.charge(at(address), cost))["RateLimit"].split(";")[1].removeprefix("r="))


async def test_what_is_refused_is_not_charged() -> None:
    rates = RateLimit("test", 100)
    await rates.charge(at("192.0.2.1"), 60)
    for _ in range(5):
        with pytest.raises(RateLimited):
            await rates.charge(at("192.0.2.1"), 41)

    assert await left(rates, "192.0.2.1", 40) == 0


async def test_the_number_of_callers_remembered_is_bounded() -> None:
    local = LocalCounters(RateLimitItemPerMinute(10))
    for n in range(2 * SHARDS * KEYS_OF_A_SHARD):
        await local.charge(f"caller {n}", 1)

    assert SHARDS < len(local) <= SHARDS * KEYS_OF_A_SHARD


@given(
    limit=st.integers(1, 1000),
    share=st.floats(0, 1),
    before=st.integers(0, 1000),
    now=st.integers(0, 1000),
    passed=st.floats(0, WINDOW),
)
def test_who_waits_as_told_finds_room_and_who_waits_less_does_not(
    limit: int, share: float, before: int, now: int, passed: float
) -> None:
    cost, before, now = max(1, int(limit * share)), min(before, limit), min(now, limit)
    usage = Usage(before, WINDOW - passed, now, WINDOW - passed)

    def room_after(seconds: int, slack: float) -> bool:
        over = seconds - usage.current_ends
        counted = (
            before * (usage.previous_expires - seconds) / WINDOW + now
            if over < 0
            else now * max(0, WINDOW - over) / WINDOW
        )
        return counted + cost <= limit + slack

    wait = usage.retry_after(limit, cost)

    assert room_after(wait, 1e-6)
    assert wait == 1 or not room_after(wait - 1, -1e-6)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr("chassis.identity.rates.STORE_TIMEOUT", 30)  # a busy machine may need more than the usual time
    running = Store()
    yield running
    running.kill()


@asynccontextmanager
async def replicas(store: Store, limit: int) -> AsyncGenerator[tuple[RateLimit, RateLimit]]:
    """Two processes of one application that count in one store, to which both are connected."""
    found = RateLimit("test", limit, store.url), RateLimit("test", limit, store.url.replace("redis", "valkey"))
    try:
        for rates in found:
            await rates.charge(at("192.0.2.200"), 1)
            await until(lambda rates=rates: not rates.counts_locally, "the store is found")
        yield found
    finally:
        for rates in found:
            await rates.close()


@with_a_store
async def test_all_replicas_count_as_one(store: Store) -> None:
    async with replicas(store, 100) as (one, other):
        assert await left(one, "192.0.2.1", 60) == 40
        assert await left(other, "192.0.2.1", 30) == 10
        with pytest.raises(RateLimited) as refused:
            await one.charge(at("192.0.2.1"), 11)
        assert await left(other, "192.0.2.1", 10) == 0
        assert await left(other, "192.0.2.2", 1) == 99

    assert refused.value.headers["RateLimit"].startswith('"default";r=10;t=')
    assert (refused.value.retry_after or 0) > 1


@with_a_store
async def test_two_applications_share_a_store_but_no_count(store: Store) -> None:
    async with replicas(store, 100) as (one, _):
        neighbour = RateLimit("neighbour", 100, store.url)
        await one.charge(at("192.0.2.1"), 60)
        assert await left(neighbour, "192.0.2.1", 60) == 40
        await neighbour.close()


@with_a_store
@pytest.mark.parametrize("stalled", [False, True], ids=["killed", "stalled"])
async def test_without_the_store_each_counts_for_itself_until_it_is_back(
    store: Store, stalled: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "rates")
    async with replicas(store, 100) as (one, other):
        caplog.clear()
        assert await left(one, "192.0.2.1", 60) == 40
        if stalled:
            store.process.send_signal(signal.SIGSTOP)
            stopped = psutil.Process(store.process.pid)
            await until(lambda: stopped.status() == psutil.STATUS_STOPPED, "the store is stopped")
        else:
            store.kill()

        with monkeypatch.context() as while_away:
            while_away.setattr("chassis.identity.rates.STORE_TIMEOUT", 0.5)
            assert [await left(one, "192.0.2.1", 60), await left(other, "192.0.2.1", 60)] == [40, 40]
        assert (one.counts_locally, other.counts_locally) == (True, True)
        with pytest.raises(RateLimited):
            await one.charge(at("192.0.2.1"), 41)

        if stalled:
            store.process.send_signal(signal.SIGCONT)
        else:
            store.start()
        await until(lambda: not (one.counts_locally or other.counts_locally), "both have found the store")
        before = await left(one, "192.0.2.3", 10)
        assert (before, await left(other, "192.0.2.3", 10)) == (90, 80)

    said = [record.message for record in caplog.records if record.name == "rates"]
    assert said == ["rate limit store lost: every process counts for itself"] * 2 + ["rate limit store found again"] * 2


@with_a_store
async def test_a_store_that_only_reads_is_away_too(store: Store) -> None:
    async with replicas(store, 100) as (one, _):
        reader, writer = await one_connection(store)
        writer.write(b"REPLICAOF 127.0.0.1 1\r\n")
        assert (await reader.readline()).startswith(b"+OK")

        assert await left(one, "192.0.2.1") == 99
        assert one.counts_locally
        writer.write(b"REPLICAOF NO ONE\r\n")
        await until(lambda: not one.counts_locally, "the store is found again")
        writer.close()


async def one_connection(store: Store) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", store.port)


async def test_an_application_starts_and_answers_while_its_store_is_away(database_urls: dict[str, str]) -> None:
    url = f"redis://:secret@127.0.0.1:{free_ports()}/0"
    async with AsyncExitStack() as stack:
        applications = await Applications.start(stack, database_urls, api_rate_limit=MOST, rate_limit_url=url)

        assert await statuses(applications, *["192.0.2.1"] * 4) == [200, 200, 200, 429]
