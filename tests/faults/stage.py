"""The system on which the scenarios run, and everything that they may do to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path

import httpx2
import psutil
import psycopg

from chassis.db.database import FOLD_OPTION
from deploy import topology
from deploy.local import ROOT
from deploy.postgres import HOST, Cluster, free_ports
from tests.deploy.processes import family, has_ended
from tests.faults.journal import Journal
from tests.faults.live import LiveControl
from tests.faults.proxy import Proxy, Tunnel, honest
from tests.faults.reads import Demo
from tests.listener import Listener
from tests.system import System, free_offset

SERVICES = tuple(one.name for one in topology.SERVICES)
PROCESSES = tuple(one.name for one in topology.PROCESSES)
PATIENCE = 60
"""Bounds every wait, in seconds."""
FAULTS = ("unhandled exception", "resolver failed", "Traceback")
"""The beginning of a log line about a fault of the process itself."""


class Stage:
    """A system as `make run` starts it, on data below `directory`, with a second gateway that sees the services
    through proxies."""

    def __init__(self, directory: Path, **settings: object) -> None:
        """`settings` are variables of all processes."""
        self.directory = directory
        self._settings = {name: str(value) for name, value in settings.items()}
        self.system = System(directory / "data", free_offset(), demo=1, **self._settings)
        self._set_up(self.system.offset)
        self.proxies = {name: Proxy(self.port(name)) for name in SERVICES}
        self.far_gateway = free_ports()
        """Port of the gateway behind the proxies."""
        self.far_tunnel = Tunnel(self.far_gateway)

    def _set_up(self, offset: int) -> None:
        """Sets what any system has whose ports lie `offset` beyond the usual ones."""
        self.offset = offset
        self.demo = Demo()
        self.reads = self.demo.reads()
        self.journal = Journal(self.demo)
        self.tunnels = {name: Tunnel(self.port(name)) for name in SERVICES}
        """What stands between the services and those who follow their changes."""
        self.gateway_tunnel = Tunnel(self.port("gateway"))
        """What stands between the gateway and the clients of live queries."""
        self.live = LiveControl()
        self._heard = Counter[str]()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Starts everything and waits until it is ready; stops it in the end."""
        far: subprocess.Popen[str] | None = None
        try:
            await asyncio.to_thread(self.system.says, "open GraphiQL")
            cluster = Cluster(self.directory / "data", topology.POSTGRES_PORT + self.offset)
            self.urls = {name: cluster.url(name) for name in SERVICES}
            for listening in (*self.proxies.values(), *self.tunnels.values(), self.gateway_tunnel, self.far_tunnel):
                await listening.listen()
            far = self._start_far_gateway()
            await self.ready(self.far_gateway)
            yield
        finally:
            if far:
                far.terminate()
                far.wait(PATIENCE)
            self.system.stop(signal.SIGTERM)

    def _start_far_gateway(self) -> subprocess.Popen[str]:
        urls = {topology.url_variable(name): f"http://{HOST}:{proxy.port}" for name, proxy in self.proxies.items()}
        started = subprocess.Popen(
            [sys.executable, "-m", "chassis.serve", "gateway"],
            cwd=ROOT,
            env={**os.environ, **urls, **self._settings, "PORT": str(self.far_gateway)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert started.stdout
        self.far_log = Listener(started.stdout)
        return started

    @property
    def variables(self) -> dict[str, str]:
        """The environment of programs that look for this system."""
        return {**os.environ, "DATA_DIR": str(self.directory / "data"), "PORT_OFFSET": str(self.offset)}

    def port(self, name: str) -> int:
        return topology.by_name(name).port + self.offset

    # -- processes ---------------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """kill -9."""
        self.system.process(name).kill()

    def postgres(self) -> list[psutil.Process]:
        """Every process of PostgreSQL, the postmaster first."""
        return [one for one in family(self.system.launcher.pid) if _name(one) == "postgres"]

    @contextlib.contextmanager
    def frozen(self, processes: list[psutil.Process]) -> Generator[None]:
        """SIGSTOP, and SIGCONT in the end."""
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    async def ready(self, port: int) -> None:
        """Returns once `/health/ready` is a 200."""
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as client:
            await until(lambda: self._answers(client, port), f"port {port} is ready")

    async def _answers(self, client: httpx2.AsyncClient, port: int) -> bool:
        try:
            return (await client.get(f"http://{HOST}:{port}/health/ready")).status_code == 200
        except httpx2.TransportError:
            return False

    async def ended(self, process: psutil.Process) -> None:
        async def gone() -> bool:
            return has_ended(process)

        await until(gone, f"{process} ends")

    # -- databases ---------------------------------------------------------------------------------------------

    async def connect(self, name: str) -> psycopg.AsyncConnection:
        """A connection to a service's database, as its own role. What it writes need not be folded anew."""
        return await psycopg.AsyncConnection.connect(self.urls[name], autocommit=True, options=FOLD_OPTION)

    async def database_is_back(self) -> None:
        async def connects() -> bool:
            try:
                await (await self.connect("pessoas")).close()
            except psycopg.OperationalError:
                return False
            return True

        await until(connects, "PostgreSQL takes connections")

    def lost_and_doubled(self) -> tuple[list[str], list[str]]:
        return self.journal.check(self.urls)

    # -- the rest ----------------------------------------------------------------------------------------------

    @property
    def spoiled(self) -> int:
        """The number of exchanges that the proxies have disturbed so far."""
        return sum(proxy.spoiled for proxy in self.proxies.values())

    def make_peace(self) -> None:
        """Makes the proxies pass everything on unchanged again."""
        for proxy in self.proxies.values():
            proxy.treat = honest
            proxy.cut()

    def faults_of_ours(self) -> list[str]:
        """The lines that the processes have logged since the last call and that no fault of others explains."""
        found: list[str] = []
        for name, lines in (
            ("system", list(self.system.said)),
            ("far gateway", list(self.far_log.said)),
        ):
            new, self._heard[name] = lines[self._heard[name] :], len(lines)
            found += [line for line in new if any(word in line for word in FAULTS)]
        return found


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Returns once `condition` holds; fails with `what` when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < deadline, f"not in {PATIENCE} s: {what}"
        await asyncio.sleep(0.05)
