"""After a load in which a service was away, every panel of the dashboards shows a number, and what was wrong has raised
an alarm."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import httpx2
import pytest
import pytest_asyncio

from deploy.boards import boards
from deploy.topology import PROCESSES
from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.edge import stage
from tests.edge.load import Load
from tests.edge.stage import Edge
from tests.observability.prometheus import Prometheus, scraping

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus"),
]

QUIET_SECONDS = 10
"""How long all is well before and after a service is away: some scrapes."""
ALARMS = {("MetricsGone", "servicos"), ("BreakerOpen", "servicos"), ("BudgetBurnsFast", "")}
VARIABLES = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}
WRONG = "query Servicos { servicos { nodes { nomeServico } } pessoas { totalCount } }"
PANELS = [
    (file.removesuffix(".json"), panel["title"], target["expr"])
    for file, board in boards().items()
    for panel in cast("list[dict[str, Any]]", json.loads(board)["panels"])
    for target in panel.get("targets", ())
]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, database_urls: dict[str, str]) -> Iterator[Edge]:
    with stage.running(tmp_path_factory.mktemp("edge"), database_urls, WORKERS="2", CACHE="on") as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, edge: Edge) -> Iterator[Prometheus]:
    with scraping(edge, tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def alerts(edge: Edge, prometheus: Prometheus) -> AsyncGenerator[set[tuple[str, str]]]:
    """The alerts that fired during a load. In the middle of it, one service is away until they have fired."""
    fired = set[tuple[str, str]]()
    [servicos] = edge.replicas["servicos"]

    async def outage() -> None:
        await asyncio.sleep(QUIET_SECONDS)
        servicos.kill()
        until = time.monotonic() + WAIT_SECONDS
        while not fired >= ALARMS and time.monotonic() < until:
            await asyncio.gather(*(client.post("/graphql", json={"query": WRONG}) for _ in range(20)))
            fired.update(await asyncio.to_thread(prometheus.alerts))
            await asyncio.sleep(1)
        servicos.start()
        await asyncio.to_thread(servicos.wait_until_ready)
        await asyncio.sleep(QUIET_SECONDS)

    async with edge.client() as client:
        created = await client.post("/api/pessoas/", json={"nome_pessoa": "Ana"})
        following = asyncio.gather(follow(client), read_again(client, created.json()["id"]))
        await Load(client).run_while(outage(), at_least=0, clients=4)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    yield fired


async def follow(client: httpx2.AsyncClient) -> None:
    """Listens to the changes of pessoas, as many as there are."""
    async with client.stream("GET", "/pessoas/api/changes/", headers={"Accept": "text/event-stream"}) as stream:
        async for _ in stream.aiter_lines():
            pass


async def read_again(client: httpx2.AsyncClient, id: int) -> None:
    """Reads a row by its id all the time, which its gateway keeps."""
    while True:
        await client.post("/graphql", json={"query": f"query Ana {{ pessoa(id: {id}) {{ nomePessoa }} }}"})
        await asyncio.sleep(0.2)


@pytest.mark.parametrize(("board", "title", "query"), PANELS)
def test_a_panel_shows_a_number(
    alerts: set[tuple[str, str]], prometheus: Prometheus, board: str, title: str, query: str
) -> None:
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)

    assert prometheus.numbers(query), query


def test_a_service_that_is_away_raises_the_alarm_for_itself_and_for_who_asks_it(alerts: set[tuple[str, str]]) -> None:
    assert alerts >= ALARMS


def test_each_process_is_scraped_and_none_is_counted_twice(
    alerts: set[tuple[str, str]], prometheus: Prometheus
) -> None:
    for process in PROCESSES:
        up = f'up{{job="{process.name}"}}'
        assert len(prometheus.numbers(up)) == len(stage.NAMES[process.name])
        eventually(lambda up=up: set(prometheus.numbers(up)) == {1.0}, lambda up=up: f"1 for each {up}")


def test_every_variable_of_a_board_is_in_this_test() -> None:
    used = {found for _, _, query in PANELS for found in re.findall(r"\$\w+", query)}

    assert used == set(VARIABLES)
