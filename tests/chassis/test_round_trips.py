"""How often a request and its database speak in turn: each time wakes both, and is a journey if they are far apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest
import pytest_asyncio

import pessoas.routes
from chassis.settings import DatabaseSettings
from deploy.postgres import Cluster
from tests.applications import PATIENT
from tests.faults.proxy import Tunnel
from tests.resources import PESSOAS

TRIP = ["to server", "to client"]


@pytest_asyncio.fixture
async def tunnel(cluster: Cluster) -> Tunnel:
    """The way to the database, which is counted."""
    tunnel = Tunnel(cluster.port)
    await tunnel.listen()
    return tunnel


@pytest_asyncio.fixture
async def client(tunnel: Tunnel, cluster: Cluster, database_urls: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """pessoas, with one connection to its database."""
    url = database_urls["pessoas"].replace(f":{cluster.port}/", f":{tunnel.port}/")
    settings = {**PATIENT, "database_url": url, "database_pool_size": 1, "log_level": "ERROR"}
    app = pessoas.routes.create_app(DatabaseSettings.model_validate(settings))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test", timeout=60) as client,
    ):
        yield client


async def fewest(tunnel: Tunnel, ask: Callable[[int], Awaitable[httpx2.Response]]) -> list[str]:
    """The directions of the try with the fewest: this process also does work of its own now and then."""
    tries: list[list[str]] = []
    for n in range(10):
        tunnel.directions.clear()
        assert (await ask(n)).is_success
        tries.append([*tunnel.directions])
    return min(tries, key=len)


@pytest.mark.usefixtures("services")
async def test_a_read_by_id_is_one_round_trip(tunnel: Tunnel, client: httpx2.AsyncClient) -> None:
    assert await fewest(tunnel, lambda _: client.get(f"{PESSOAS.path}?id=1,2,3")) == TRIP


@pytest.mark.usefixtures("services")
async def test_a_post_with_a_key_changes_direction_three_times(tunnel: Tunnel, client: httpx2.AsyncClient) -> None:
    def post(n: int) -> Awaitable[httpx2.Response]:
        return client.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers={"Idempotency-Key": f"key-{n}"})

    assert await fewest(tunnel, post) == 2 * TRIP, "the claim and the row; the answer and the commit"


@pytest.mark.usefixtures("services")
async def test_a_post_without_a_key_is_two_round_trips(tunnel: Tunnel, client: httpx2.AsyncClient) -> None:
    assert await fewest(tunnel, lambda _: client.post(PESSOAS.path, json={"nome_pessoa": "Ana"})) == 2 * TRIP


@pytest.mark.usefixtures("services")
async def test_a_retry_undoes_its_own_work_and_reads_the_first_answer(
    tunnel: Tunnel, client: httpx2.AsyncClient
) -> None:
    async def post(n: int) -> httpx2.Response:
        return await client.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers={"Idempotency-Key": "one"})

    first = await post(0)
    assert await fewest(tunnel, post) == 3 * TRIP
    again = await post(1)

    assert (again.headers["Idempotency-Replayed"], again.json()) == ("true", first.json())
    assert len((await client.get(PESSOAS.path)).json()) == 1
