"""Several processes behind one port: they share the work, one that is killed is replaced, and they end together."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import psutil
import psycopg
import pytest

from chassis.process.server import Server, bind
from chassis.settings import ServerSettings
from deploy.local import ROOT, ready
from deploy.postgres import HOST, free_ports
from tests import builders
from tests.applications import Services
from tests.chassis.peers import LoopbackServer
from tests.deploy.processes import WAIT_SECONDS, PythonLink, all_end, eventually, family
from tests.scraped import scrape

WORKERS = 3
EACH_ANEW = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
IN_A_HURRY = """
from chassis import serve
from chassis.process import workers
workers.KILL_SECONDS = 0.5
serve.main()
"""
AWAY = f"postgresql://nobody:x@{HOST}:1/nothing"
"""A service is live without its database."""


class Parent:
    def __init__(self, name: str = "pessoas", how: Sequence[str] = ("-m", "chassis.serve"), **variables: str) -> None:
        self.port = free_ports()
        self._logs, path = tempfile.mkstemp()
        os.unlink(path)
        environment = {**os.environ, "DATABASE_URL": AWAY, "PORT": str(self.port), "WORKERS": str(WORKERS), **variables}
        self.process = subprocess.Popen(
            [sys.executable, *how, name],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=self._logs,
            text=True,
        )

    def logged(self) -> str:
        """What it and its workers have logged."""
        return os.pread(self._logs, 1_000_000, 0).decode()

    def workers(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for child in family(self.process.pid)[1:]:
            with suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
        return found

    def listens(self) -> bool:
        """Whether at least one worker has started."""
        with socket.socket() as client:
            return client.connect_ex((HOST, self.port)) == 0

    def ask(self, stack: ExitStack) -> None:
        """One answered request, whose connection stays open."""
        connection = stack.enter_context(closing(HTTPConnection(HOST, self.port, timeout=WAIT_SECONDS)))
        connection.request("GET", "/health/live")
        assert connection.getresponse().read() == b'{"status":"live"}'

    def answering(self) -> set[int]:
        """The workers that have a client's connection."""
        return {
            worker.pid
            for worker in self.workers()
            for one in worker.net_connections("tcp")
            if one.status == psutil.CONN_ESTABLISHED and one.laddr.port == self.port
        }


@contextmanager
def running(name: str = "pessoas", how: Sequence[str] = ("-m", "chassis.serve"), **variables: str) -> Generator[Parent]:
    parent = Parent(name, how, **variables)
    try:
        yield parent
    finally:
        everything = family(parent.process.pid) if parent.process.poll() is None else []
        parent.process.kill()
        parent.process.wait()
        all_end(everything)


@pytest.fixture
def parent() -> Iterator[Parent]:
    with running() as parent:
        eventually(lambda: len(parent.workers()) == WORKERS and parent.listens(), lambda: "all workers start")
        yield parent


def test_every_worker_answers_and_sigterm_ends_them_all(parent: Parent) -> None:
    with ExitStack() as stack:

        def all_answer() -> bool:
            parent.ask(stack)
            return len(parent.answering()) == WORKERS

        eventually(all_answer, lambda: f"{WORKERS} workers answer")
    everything = family(parent.process.pid)
    parent.process.send_signal(signal.SIGTERM)

    assert parent.process.wait(WAIT_SECONDS) == 0
    all_end(everything)


def test_a_killed_worker_is_replaced_while_the_others_answer(parent: Parent) -> None:
    first = parent.workers()
    first[0].kill()
    with ExitStack() as stack:
        parent.ask(stack)

    eventually(
        lambda: len(parent.workers()) == WORKERS and first[0] not in parent.workers(), lambda: "it is started again"
    )


def test_a_worker_that_cannot_be_started_again_is_tried_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = PythonLink(tmp_path, monkeypatch)
    with running() as parent:
        eventually(lambda: len(parent.workers()) == WORKERS and parent.listens(), lambda: "all workers start")
        with link.missing():
            parent.workers()[0].kill()
            eventually(lambda: "worker cannot be started" in parent.logged(), lambda: "it is tried")
            with ExitStack() as stack:
                parent.ask(stack)

        eventually(lambda: len(parent.workers()) == WORKERS, lambda: "it is started again")


def test_workers_do_not_outlive_a_killed_parent(parent: Parent) -> None:
    workers = parent.workers()
    parent.process.kill()

    all_end(workers)


def test_a_worker_that_does_not_end_when_it_is_told_to_is_killed() -> None:
    with running(how=("-c", IN_A_HURRY)) as parent:
        eventually(lambda: len(parent.workers()) == WORKERS and parent.listens(), lambda: "all workers start")
        everything = family(parent.process.pid)
        parent.workers()[0].suspend()
        parent.process.send_signal(signal.SIGTERM)

        assert parent.process.wait(WAIT_SECONDS) == 0
        all_end(everything)


def test_workers_that_cannot_start_end_their_parent() -> None:
    parent = Parent(DATABASE_URL="mysql://localhost/x")
    _, told = parent.process.communicate(timeout=WAIT_SECONDS)

    assert parent.process.returncode == 1
    assert "configuration error: DATABASE_URL" in told


async def test_all_workers_of_a_gateway_together_ask_a_service_for_no_more_than_it_has_for_one_address(
    services: Services, database_urls: dict[str, str]
) -> None:
    """Nothing is refused, and no breaker opens, however many workers share the gateway's address."""
    await builders.pessoa(services)
    patient = {"OPERATION_TIMEOUT": "60", "NEIGHBOUR_TIMEOUT": "60", "DATABASE_TIMEOUT": "60", "LOG_LEVEL": "ERROR"}
    patient["CACHE"] = "off"  # else the gateway asks for changes meanwhile
    service = running(WORKERS="1", MAX_CONCURRENCY="12", DATABASE_URL=database_urls["pessoas"], **patient)
    with service as pessoas, psycopg.connect(database_urls["pessoas"]) as holder:
        url = f"http://{HOST}:{pessoas.port}"
        urls = dict.fromkeys((f"{name.upper()}_URL" for name in services.networks), url)
        with running("gateway", NEIGHBOUR_CONNECTIONS="8", **urls, **patient) as front:
            address = f"http://{HOST}:{front.port}"
            async with httpx2.AsyncClient(base_url=address, timeout=WAIT_SECONDS, limits=EACH_ANEW) as client:
                await ready(front.port)
                await ready(pessoas.port)
                holder.execute("LOCK TABLE pessoa")
                queries = [f"{{ pessoa(id: 1) {{ id }} other: pessoa(id: {n}) {{ id }} }}" for n in range(2, 50)]
                asked = [asyncio.create_task(client.post("/graphql", json={"query": query})) for query in queries]
                async with asyncio.timeout(WAIT_SECONDS):
                    while not any(one.done() for one in asked) and await under_way(client) < len(asked):  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                early = [one.result().text for one in asked if one.done()]
                holder.rollback()
                answers = {(await one).text for one in asked}
                opened = (await scrape(client)).value("breaker_openings_total")

    assert early == []
    assert answers == {'{"data":{"pessoa":{"id":"1"},"other":null}}'}
    assert opened == 0


async def under_way(client: httpx2.AsyncClient) -> float:
    """Calls to pessoas that the gateway's workers have begun, or that wait for a place."""
    found = await scrape(client)
    return sum(found.value(f"bulkhead_calls_{name}", service="pessoas") for name in ("busy", "waiting"))


class Shared(socket.socket):
    """A listening socket from which other processes accept too; copies are of the same kind."""

    timeouts: ClassVar[list[float | None]] = []
    """All time-outs that were set."""

    def settimeout(self, value: float | None, /) -> None:
        self.timeouts.append(value)
        super().settimeout(value)


async def test_a_worker_that_starts_never_lets_the_others_wait_in_accept() -> None:
    async def nothing(*_: Any) -> None:
        raise RuntimeError("not even a lifespan")

    listening = Shared(fileno=socket.create_server((HOST, 0)).detach())
    server = Server(lambda: nothing, ServerSettings(), on_started=lambda: setattr(server, "should_exit", True))
    async with asyncio.timeout(WAIT_SECONDS):
        await server.serve(sockets=[listening])

    assert server.started
    assert set(Shared.timeouts) == {0.0}


async def test_a_process_that_is_still_starting_refuses_connections_so_that_a_balancer_asks_another() -> None:
    starting, may_start = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        starting.set()
        await may_start.wait()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    settings = ServerSettings(host=HOST, port=free_ports())
    started = asyncio.Event()
    server = LoopbackServer(lambda: slow, settings, started.set)
    async with asyncio.timeout(WAIT_SECONDS):
        serving = asyncio.create_task(server.serve(sockets=bind(settings)))
        await starting.wait()

        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, settings.port)
        may_start.set()
        await started.wait()
        _, writer = await asyncio.open_connection(HOST, settings.port)

        writer.close()
        server.should_exit = True
        await serving
