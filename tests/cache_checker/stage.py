"""The system for the checker: the services of `make run` with tokens, and two gateways of our own that keep rows.

The near gateway calls the services directly. The far one calls them through proxies that hold answers up for a while,
so that answers are overtaken by changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from asyncio import StreamWriter
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from signal import SIGTERM

import httpx2

from deploy import issue_token, topology
from deploy.local import ROOT
from deploy.postgres import HOST, Cluster, free_ports
from tests.faults.proxy import Proxy, Treatment, honest
from tests.faults.stage import PATIENCE, SERVICES, Stage
from tests.system import System, free_offset

INJECT = Path(__file__).parent / "inject"
FEED = b"/api/changes/"
BUGS = ("fill", "lost", "bypass", "key")
"""The faults that `inject` can build in."""
LATEST_ANSWER = 0.1
"""Seconds by which the proxies hold up an answer at most."""
READ_ALL = [f"{name}:read" for name in SERVICES]


def jitter(seed: int = 1) -> Treatment:
    """Holds up each answer but those about changes, for a random time."""
    rng = random.Random(seed)

    async def treat(proxy: Proxy, request: bytes, client: StreamWriter) -> None:
        answer = await proxy.ask(request)
        if FEED not in request.split(b"\r\n", 1)[0]:
            await asyncio.sleep(rng.random() * LATEST_ANSWER)
        client.write(answer)

    return treat


def holds_polls(seconds: float) -> Treatment:
    """Holds up the answers about changes, and no others."""

    async def treat(proxy: Proxy, request: bytes, client: StreamWriter) -> None:
        if FEED in request.split(b"\r\n", 1)[0]:
            proxy.spoiled += 1
            await asyncio.sleep(seconds)
        await honest(proxy, request, client)

    return treat


class CheckedStage(Stage):
    """The services, and on them one pair of gateways after the other."""

    def __init__(self, directory: Path) -> None:  # pyright: ignore[reportMissingSuperCall]  # its system is another one
        self.directory = directory
        self.data = directory / "data"
        self.system = System(self.data, free_offset(), demo=1, AUTH_MODE="jwt")
        self.offset = self.system.offset
        self.proxies = {name: Proxy(self.port(name)) for name in SERVICES}
        self.tunnels = {}
        self.gateways = {"near": free_ports(), "far": free_ports()}
        self._heard = Counter[str]()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        try:
            await asyncio.to_thread(self.system.says, "open GraphiQL")
            cluster = Cluster(self.data, topology.POSTGRES_PORT + self.offset)
            self.urls = {name: cluster.url(name) for name in SERVICES}
            for proxy in self.proxies.values():
                await proxy.listen()
            self.make_peace()
            yield
        finally:
            self.system.stop(SIGTERM)

    @contextlib.asynccontextmanager
    async def two_gateways(self, workers: int, bug: str) -> AsyncGenerator[None]:
        """Runs both gateways, with this fault built in if there is one."""
        direct = {name: self.port(name) for name in SERVICES}
        beyond = {name: proxy.port for name, proxy in self.proxies.items()}
        started = [
            self._start(self.gateways["near"], direct, workers, bug),
            self._start(self.gateways["far"], beyond, workers, bug),
        ]
        try:
            for port in self.gateways.values():
                await self.ready(port)
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(PATIENCE)

    def _start(self, port: int, services: dict[str, int], workers: int, bug: str) -> subprocess.Popen[bytes]:
        variables = {topology.url_variable(name): f"http://{HOST}:{one}" for name, one in services.items()}
        variables |= issue_token.settings(self.data)
        variables |= {"PORT": str(port), "WORKERS": str(workers), "AUTH_MODE": "jwt", "LOG_LEVEL": "ERROR"}
        variables |= {"CACHE": "on", "BUG": bug}
        if bug:
            variables["PYTHONPATH"] = os.pathsep.join([str(INJECT), str(ROOT)])
        return subprocess.Popen(
            [sys.executable, "-m", "chassis.serve", "gateway"], cwd=ROOT, env={**os.environ, **variables}
        )

    def token(self, *scopes: str) -> str:
        return issue_token.mint(self.data, subject="checker", scopes=scopes or issue_token.ALL)

    def make_peace(self) -> None:
        for proxy in self.proxies.values():
            proxy.treat = jitter()
            proxy.cut()

    async def counted(self, metric: str) -> float:
        """The sum of a counter's series whose text begins with `metric`, over both gateways."""
        total = 0.0
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
            for port in self.gateways.values():
                lines = (await client.get(f"http://{HOST}:{port}/metrics")).text.splitlines()
                total += sum(float(line.rsplit(" ", 1)[1]) for line in lines if metric in line and line[0] != "#")
        return total
