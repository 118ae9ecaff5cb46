"""The whole system on a replicated PostgreSQL: its four databases are in one Patroni group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path

import httpx2

from chassis.db.migrate import upgrade
from deploy import demo, topology
from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.failover import nodes
from tests.failover.nodes import Node
from tests.faults.followers import PATH
from tests.faults.stage import FAULTS, PATIENCE, PROCESSES, SERVICES, Stage, until
from tests.listener import Listener
from tests.system import free_offset


class ReplicatedStage(Stage):
    """One process of each name, whose databases may be at any of three servers. A second one of pessoas knows only the
    server that is the primary in the beginning."""

    primary: Node
    """Which node that is."""

    def __init__(self, directory: Path) -> None:  # pyright: ignore[reportMissingSuperCall]  # nothing of it is launched
        self.directory = directory
        self.proxies = {}
        self._set_up(free_offset())
        self.straggler = free_ports()
        """Port of the process that knows only the old primary."""
        self._said: list[list[str]] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(self._start, stack)
            for tunnel in (*self.tunnels.values(), self.gateway_tunnel):
                await tunnel.listen()
            for port in (*map(self.port, PROCESSES), self.straggler):
                await self.ready(port)
            async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
                for name in SERVICES:
                    await until(lambda name=name: self._tells(client, name), f"{name} tells its changes")
            yield

    async def _tells(self, client: httpx2.AsyncClient, name: str) -> bool:
        return (await client.get(f"http://{HOST}:{self.port(name)}{PATH}")).status_code == 200

    def _start(self, stack: contextlib.ExitStack) -> None:
        group = stack.enter_context(nodes.running(self.directory))
        group.create_databases(*SERVICES)
        primary = group.primary()
        assert primary
        self.primary = primary
        self.urls = {name: group.url(name) for name in SERVICES}
        for name, url in self.urls.items():
            upgrade(name, url)
        demo.load(self.urls)
        for process in topology.PROCESSES:
            variables = {topology.url_variable(name): f"http://{HOST}:{self.port(name)}" for name in process.asks}
            if process.owns_database:
                variables["DATABASE_URL"] = self.urls[process.name]
            stack.enter_context(self._process(process.name, self.port(process.name), variables))
        stack.enter_context(self._process("pessoas", self.straggler, {"DATABASE_URL": group.url("pessoas", primary)}))
        nodes.until(group.complete, "the primary has two standbys")

    @contextlib.contextmanager
    def _process(self, name: str, port: int, variables: Mapping[str, str]) -> Generator[None]:
        started = subprocess.Popen(
            [sys.executable, "-m", "chassis.serve", name],
            cwd=ROOT,
            env={**os.environ, "HOST": HOST, "PORT": str(port), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert started.stdout
        self._said.append(Listener(started.stdout).said)
        try:
            yield
        finally:
            started.kill()
            started.wait(PATIENCE)

    def faults_of_ours(self) -> list[str]:
        lines = Counter(line for said in self._said for line in list(said) if any(word in line for word in FAULTS))
        new, self._heard = lines - self._heard, lines
        return list(new)
