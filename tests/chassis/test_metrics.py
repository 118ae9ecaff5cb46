"""Real requests, and what `/metrics` says of them afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf, nan
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from chassis.observe import metrics
from chassis.observe import scrape as scraping
from chassis.observe.meters import REGISTRY, Gauge
from chassis.version import VERSION
from deploy.local import ROOT
from deploy.postgres import free_ports
from tests import builders
from tests.applications import Services
from tests.deploy.processes import eventually
from tests.neighbours import remote
from tests.resources import PESSOAS
from tests.scraped import Scrape, parsed, scrape


async def until(found: Any) -> None:
    async with asyncio.timeout(30):
        while not await found():  # noqa: ASYNC110  # a condition of what is tested, which has no event for it
            await asyncio.sleep(0.01)


# -- HTTP ----------------------------------------------------------------------------------------------------------


async def test_a_request_is_counted_by_method_route_and_class_of_status(services: Services) -> None:
    before = await scrape(services.pessoas)
    row = await builders.pessoa(services)
    await services.pessoas.get(PESSOAS.at(row))
    await services.pessoas.get(PESSOAS.at(row).rstrip("/"))
    await services.pessoas.get(f"{PESSOAS.path}987654/")
    await services.pessoas.post(f"{PESSOAS.path}query/", json={})
    await services.pessoas.get(PESSOAS.path.rstrip("/"))
    after = await scrape(services.pessoas)

    def grew(method: str, route: str, status: str) -> float:
        labels = {"method": method, "route": route, "status": status}
        return after.value("http_requests_total", **labels) - before.value("http_requests_total", **labels)

    assert grew("POST", "/api/pessoas/", "2xx") == 1
    assert grew("GET", "/api/pessoas/{id}/", "2xx") == 2
    assert grew("GET", "/api/pessoas/{id}/", "4xx") == 1
    assert grew("POST", "/api/pessoas/query/", "2xx") == 1
    assert grew("GET", "/api/pessoas/", "2xx") == 1
    series = {"method": "GET", "route": "/api/pessoas/{id}/"}
    name = "http_request_duration_seconds_count"
    assert after.value(name, **series) - before.value(name, **series) == 3


async def test_health_and_the_scrape_itself_are_not_counted_but_seen_in_progress(services: Services) -> None:
    await services.pessoas.get("/health/ready")

    found = await scrape(services.pessoas)

    assert not found.label("http_requests_total", "route") & {"/metrics", "/health/ready"}
    assert found.value("http_requests_in_progress") == 1


async def test_hostile_paths_and_methods_add_no_series(services: Services) -> None:
    async def ask(n: int) -> None:
        for path in (f"/x{n}", f"/api/pessoas/{n}/{n}/", f"/api/x{n}/1/", f"{PESSOAS.path}{n}%2F{n}/", f"/{n}/" * 50):
            await services.pessoas.get(path)
        await services.pessoas.request(f"M{n}", PESSOAS.path)
        await services.pessoas.get(f"{PESSOAS.path}{n}/")

    await ask(0)
    before = await scrape(services.pessoas)
    for n in range(1, 60):
        await ask(n)
    after = await scrape(services.pessoas)

    assert after.value("http_requests_total", route="other") - before.value("http_requests_total", route="other") > 200
    assert after.value("http_requests_total", method="other", status="4xx") >= 60
    assert len(after.samples) == len(before.samples)


# -- neighbours ----------------------------------------------------------------------------------------------------

READ = ("/api/pessoas/1/", orjson.loads)


async def settled(*calls: Any) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def never(_request: httpx2.Request) -> httpx2.Response:
    await asyncio.Event().wait()
    raise AssertionError


def cut(_request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError("cut by a test")


def good(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json={"id": 1})


def absent(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(404, json={"code": "NOT_FOUND", "detail": "não há"})


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    ("answer", "outcome"), [(good, "ok"), (absent, "refused"), (cut, "unavailable"), (never, "timeout")]
)
async def test_a_call_is_counted_by_what_became_of_it(services: Services, answer: Any, outcome: str) -> None:
    name = f"counted-{outcome}"

    await settled(remote(answer, name, retry_budget=0, neighbour_timeout=0.05 if answer is never else 30).read(*READ))

    found = await scrape(services.pessoas)
    assert found.value("downstream_calls_total", service=name) == 1
    assert found.value("downstream_calls_total", service=name, outcome=outcome) == 1
    assert found.value("downstream_call_duration_seconds_count", service=name) == 1


@pytest.mark.usefixtures("scripted")
async def test_a_call_that_nobody_waits_for_any_more_is_counted_as_cancelled(services: Services) -> None:
    call = asyncio.create_task(remote(never, "left").read(*READ))
    await asyncio.sleep(0.01)

    call.cancel()
    await settled(call)

    found = await scrape(services.pessoas)
    assert found.value("downstream_calls_total", service="left", outcome="cancelled") == 1


@pytest.mark.usefixtures("scripted")
async def test_retries_and_shared_reads_are_counted(services: Services) -> None:
    await settled(remote(cut, "retried").read(*READ))
    shared = remote(good, "shared")
    await settled(*(shared.read(*READ) for _ in range(5)))

    found = await scrape(services.pessoas)

    assert found.value("downstream_retries_total", service="retried") == 1
    assert found.value("downstream_calls_total", service="retried") == 1
    assert found.value("downstream_reads_joined_total", service="shared") == 4
    assert found.value("downstream_calls_total", service="shared") == 1


@pytest.mark.usefixtures("scripted")
async def test_the_breaker_and_the_bulkhead_show_how_they_are(services: Services) -> None:
    async with remote(cut, "broken", retry_budget=0) as broken:
        await settled(*(broken.read(f"/{n}/", orjson.loads) for n in range(10)))
        found = await scrape(services.pessoas)
    assert found.value("breaker_open", service="broken") == 1
    assert found.value("breaker_openings_total", service="broken") == 1

    async with remote(never, "crowded", neighbour_connections=2) as crowded:
        calls = [asyncio.create_task(crowded.read(f"/{n}/", orjson.loads)) for n in range(5)]
        await asyncio.sleep(0.01)
        found = await scrape(services.pessoas)
        for call in calls:
            call.cancel()
        await settled(*calls)
        later = await scrape(services.pessoas)
    assert (found.value("bulkhead_calls_busy", service="crowded"), found.value("breaker_open", service="crowded")) == (
        2,
        0,
    )
    assert found.value("bulkhead_calls_waiting", service="crowded") == 3
    assert later.value("bulkhead_calls_busy", service="crowded") == 0


# -- the process ---------------------------------------------------------------------------------------------------


async def test_the_database_shows_its_pool_and_counts_statements(services: Services) -> None:
    name, counted = "database_statement_duration_seconds_count", list[float]()
    after = await scrape(services.pessoas)
    for _ in range(10):
        before = after
        await services.pessoas.get(PESSOAS.path)
        after = await scrape(services.pessoas)
        counted.append(after.value(name) - before.value(name))

    assert min(counted) == 1, "the services of this process also do work of their own now and then"
    assert after.value("database_pool_connections_max") >= 10
    assert after.value("database_pool_connections") >= after.value("database_pool_connections_idle") >= 1


async def test_a_blocked_event_loop_is_seen(services: Services) -> None:
    measuring = asyncio.create_task(metrics.measure_lag(interval=0.01))
    await asyncio.sleep(0)

    async def seen() -> bool:
        time.sleep(0.1)  # noqa: ASYNC251  # the very thing that is to be seen
        await asyncio.sleep(0.02)
        return (await scrape(services.pessoas)).value("event_loop_lag_max_seconds") >= 0.05

    await until(seen)
    measuring.cancel()


async def test_openmetrics_is_answered_to_who_asks_for_it(services: Services) -> None:
    answer = await services.pessoas.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


async def test_the_version_that_is_running_can_be_seen(services: Services) -> None:
    assert (await scrape(services.pessoas)).label("build_info", "version") == {VERSION}


# -- several workers -----------------------------------------------------------------------------------------------


class Worker:
    """A real process of one service that writes its counts into a shared directory."""

    def __init__(self, directory: Path, database_url: str) -> None:
        port = free_ports(1)
        variables = {"PORT": str(port), "METRICS_DIR": str(directory), "DATABASE_URL": database_url}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chassis.serve", "pessoas"],
            cwd=ROOT,
            env=os.environ | variables | {"DATABASE_TIMEOUT": "30", "OPERATION_TIMEOUT": "60", "LOG_LEVEL": "ERROR"},
        )
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        eventually(self._is_ready, lambda: "the worker is ready")

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def scrape(self) -> Scrape:
        return parsed(self.http.get("/metrics"))


@pytest.fixture
def workers(tmp_path: Path, database_urls: dict[str, str]) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        found = [Worker(tmp_path, database_urls["pessoas"]) for _ in range(2)]
        for worker in found:
            stack.callback(worker.process.wait)
            stack.callback(worker.process.kill)
        yield found


def test_any_worker_answers_for_all_that_share_its_port(workers: list[Worker], tmp_path: Path) -> None:
    first, second = workers
    names = {str(worker.process.pid) for worker in workers}
    first.http.get(PESSOAS.path)
    for _ in range(2):
        second.http.get(PESSOAS.path)

    def counted(worker: Worker) -> float:
        return worker.scrape().value("http_requests_total", route=PESSOAS.path, status="2xx")

    for worker in workers:
        eventually(lambda worker=worker: counted(worker) == 3, lambda: "each knows of the requests of both")
        assert worker.scrape().label("process_cpu_seconds_total", "worker") == names
    assert first.scrape().value("http_requests_total", worker=str(second.process.pid), route=PESSOAS.path) == 2

    second.process.send_signal(signal.SIGKILL)
    second.process.wait()
    [left] = tmp_path.glob(f"{second.process.pid}.json")
    assert first.scrape().label("build_info", "worker") == names, "its last word, for a while"
    os.utime(left, (0, 0))
    assert first.scrape().label("build_info", "worker") == names - {str(second.process.pid)}

    first.process.terminate()
    first.process.wait()
    assert not list(tmp_path.glob(f"{first.process.pid}.json")), "it has taken its own away"


def test_what_is_infinite_or_no_number_passes_between_workers_too(tmp_path: Path) -> None:
    """As JSON it would be null, and then no worker could answer a scrape."""
    gauge = Gauge("extreme", "Set by a test.", ("kind",))
    for kind, value in (("infinite", inf), ("negative", -inf), ("no number", nan), ("ordinary", 2.5)):
        gauge.labels(kind).value = value
    try:
        scraping.write(tmp_path)
        [family] = [one for one in scraping.Workers(tmp_path).collect() if one.name == "extreme"]
    finally:
        REGISTRY.unregister(gauge)

    assert repr([sample.value for sample in family.samples]) == repr([inf, -inf, nan, 2.5])


async def test_a_worker_goes_on_writing_when_that_has_failed_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scraping, "WRITE_SECONDS", 0.01)
    directory = tmp_path / "metrics"

    async def written() -> bool:
        return any(directory.glob("*.json"))

    async with scraping.keep_measuring(directory):
        await asyncio.sleep(0.02)
        directory.mkdir()
        await until(written)
