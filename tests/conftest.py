"""A real PostgreSQL per run, a database per service, and the real applications in this process over them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from chassis.db.migrate import upgrade
from chassis.neighbours.resolver import ResolvingLoop
from chassis.observe.logs import output
from deploy import postgres
from deploy.postgres import Cluster
from deploy.topology import SERVICES
from tests.applications import Applications, Gateway, Services
from tests.databases import SharedDatabase, temporary_postgres
from tests.deploy.processes import WAIT_SECONDS
from tests.issuer import Issuer
from tests.listener import Logged
from tests.neighbours import SCRIPTED, on_a_socket
from tests.pooler.pgbouncer import PROGRAM, mode, pgbouncer
from tests.system import PATIENT_VARIABLES, System, free_offset

pytest_plugins = ["tests.skips"]

TESTS_PORTS = range(10_000, 20_000)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that processes run on."""
    return {"uvloop": ResolvingLoop}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pooler", action="store_true", help="let the applications reach PostgreSQL through PgBouncer")


def pytest_configure(config: pytest.Config) -> None:
    # Each worker has ports of its own, since a port is found long before its server uses it. The programs that tests
    # run find theirs beyond these.
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    share = len(TESTS_PORTS) // int(workers)
    first = share * (int(worker.removeprefix("gw")) % int(workers))
    postgres.PORTS = TESTS_PORTS[first : first + share]
    if config.getoption("--pooler") and not PROGRAM:
        raise pytest.UsageError(
            "--pooler needs PgBouncer on PATH, 1.22 or newer for prepared statements: apt install pgbouncer, "
            "or on Debian 12 `.ci/pgbouncer DIRECTORY`, which makes DIRECTORY/pgbouncer"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first: at the end of a parallel run no process waits long for another. The others are
    mixed, so that tests that wait run beside tests that compute. The tests of a file stay together."""
    files = list(dict.fromkeys(item.path for item in items))
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    share = {file: n / len(found) for found in folders.values() for n, file in enumerate(found)}
    order = {file: (share[file] if is_short(file) else -1.0, n) for n, file in enumerate(files)}
    items.sort(key=lambda item: order[item.path])


def is_short(file: Path) -> bool:
    """Whether it starts no whole system and no browser, and does not compute for half a minute."""
    return (
        file.parent.name not in {"browser", "clients", "deploy", "e2e", "fuzz", "house"}
        and file.stem != "test_same_answers"
    )


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """What a busy machine takes long for has much time, unless a test is about that: a connection whose two ends are in
    this process, a read that joins another, a write's position in the feed, the feed's own position, and the issuer's
    keys."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("default_transport", "httpx_transport", "resolver"):
            patch.setattr(f"chassis.neighbours.{module}.CONNECT_SECONDS", WAIT_SECONDS)
        patch.setattr("chassis.neighbours.remote.JOIN_SECONDS", WAIT_SECONDS)
        patch.setattr("chassis.feed.feed.POSITION_SECONDS", WAIT_SECONDS)
        patch.setattr("gateway.live.feeds.READY_SECONDS", WAIT_SECONDS)
        patch.setattr("chassis.identity.keys.FETCH_SECONDS", WAIT_SECONDS)
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A temporary PostgreSQL for the whole run."""
    with temporary_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system with its demo data, as `make run` starts it: five processes, real sockets. Its time-outs are
    longer."""
    running = System(tmp_path_factory.mktemp("system"), free_offset(), demo=1, **PATIENT_VARIABLES)
    running.says("open GraphiQL")
    yield running
    running.stop(signal.SIGTERM)


@pytest.fixture(scope="session")
def protected_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system with AUTH_MODE=jwt and its own development key, and with demo data."""
    running = System(tmp_path_factory.mktemp("protected"), free_offset(), demo=1, AUTH_MODE="jwt", **PATIENT_VARIABLES)
    running.says("open GraphiQL")
    yield running
    running.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def gateway_url(system: System) -> str:
    return f"http://localhost:{8000 + system.offset}"


@pytest.fixture(scope="session")
def database_urls(cluster: Cluster) -> dict[str, str]:
    """The URL of every service's migrated database."""
    cluster.create_databases(*(service.name for service in SERVICES))
    urls = {service.name: cluster.url(service.name) for service in SERVICES}
    for name, url in urls.items():
        upgrade(name, url)
    return urls


@pytest.fixture(scope="session")
def application_urls(
    database_urls: dict[str, str], pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The URLs by which the applications reach these databases: with `--pooler` those of a PgBouncer."""
    if not pytestconfig.getoption("--pooler"):
        yield database_urls
        return
    with (
        pgbouncer(tmp_path_factory.mktemp("pgbouncer"), database_urls) as pooler,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DATABASE_POOLER", mode())
        yield pooler.urls


@pytest_asyncio.fixture(scope="session")
async def applications(application_urls: dict[str, str]) -> AsyncIterator[Applications]:
    """The four services and the gateway, as they are deployed, but without sockets between them."""
    async with AsyncExitStack() as stack:
        yield await Applications.start(stack, application_urls)


@pytest_asyncio.fixture(scope="session")
async def scripted_server() -> AsyncIterator[None]:
    async with on_a_socket(SCRIPTED):
        yield


@pytest_asyncio.fixture
async def scripted(scripted_server: None) -> AsyncIterator[None]:
    """Neighbours that answer by a script, for clients that `tests.neighbours.remote` makes."""
    yield
    await SCRIPTED.forget()


@pytest.fixture(scope="session")
def shared_databases(database_urls: dict[str, str]) -> Iterator[list[SharedDatabase]]:
    databases = [SharedDatabase(url) for url in database_urls.values()]
    yield databases
    for database in databases:
        database.close()


@pytest.fixture
def services(applications: Applications, shared_databases: list[SharedDatabase]) -> Services:
    """The four services over empty databases; what they are asked is in `services.calls`."""
    for database in shared_databases:
        # The event loop goes on meanwhile, since an application may be within a transaction, which holds the tables.
        applications.loop.run_until_complete(asyncio.to_thread(database.empty))
    applications.restore()
    return applications.services


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Logged:
    output.flush(WAIT_SECONDS)
    capfd.readouterr()  # what other tests have left

    def lines() -> list[dict[str, Any]]:
        output.flush(WAIT_SECONDS)
        return [json.loads(line) for line in capfd.readouterr().out.splitlines()]

    return lines


@pytest.fixture(autouse=True)
def finish_log_lines() -> Iterator[None]:
    """Log lines are written a moment later. This waits for them, so that pytest shows them with this test if it
    fails."""
    yield
    output.flush(WAIT_SECONDS)


@pytest.fixture
def early_in_a_minute() -> None:
    """Rates are counted for each minute of the clock. This keeps the charges of one test within one minute."""
    rest = 60 - time.time() % 60
    if rest < 15:
        time.sleep(rest)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """An issuer of tokens, with its keys in a file."""
    return Issuer(tmp_path_factory.mktemp("issuer") / "jwks.json")


@pytest_asyncio.fixture(scope="session")
async def asking_for_tokens(application_urls: dict[str, str], issuer: Issuer) -> AsyncIterator[Applications]:
    """The applications with AUTH_MODE=jwt, which trust `issuer`."""
    async with AsyncExitStack() as stack:
        started = await Applications.start(stack, application_urls, **issuer.settings())
        await started.ready()
        yield started


@pytest.fixture
def protected(asking_for_tokens: Applications, services: Services) -> Applications:
    """The same applications with AUTH_MODE=jwt, over the databases of `services`, which itself requires no tokens."""
    asking_for_tokens.restore()
    return asking_for_tokens


@pytest.fixture
def gateway(applications: Applications, services: Services) -> Gateway:
    """The gateway over those services."""
    return applications.gateway
