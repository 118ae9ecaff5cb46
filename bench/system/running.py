"""The system under measurement: the four services over PostgreSQL, as `make run` starts them, and the gateways that
take turns in front of them."""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

from bench import cpu
from bench.gateway.contestants import Contestant, environment, log, start
from bench.gateway.measure import stop
from chassis.query.pagination import cursor
from deploy.bootstrap import ROOT
from deploy.postgres import free_ports
from deploy.topology import PROCESSES, SERVICES, url_variable

START_SECONDS = 120


class System:
    """The services and their PostgreSQL. Its own gateway remembers nothing, so that it is at rest."""

    def __init__(self, directory: Path) -> None:
        self._offset = free_ports(len(PROCESSES) + 1) - min(process.port for process in PROCESSES)
        settings = {"DATA_DIR": str(directory / "data"), "PORT_OFFSET": str(self._offset), "CACHE": "off"}
        # All gateways have one address here, and a benchmark asks as much as it can.
        limits = {"MAX_CONCURRENCY": "400", "MAX_FOLLOWERS": "100", "LOG_LEVEL": "WARNING"}
        self.log = directory / "system.log"
        with self.log.open("wb") as output:
            self._launcher = subprocess.Popen(
                [sys.executable, "-m", "deploy.local"],
                cwd=ROOT,
                env={**environment(), **settings, **limits},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.ports = {process.name: process.port + self._offset for process in PROCESSES}
        self.urls: Mapping[str, str] = {
            url_variable(one.name): f"http://127.0.0.1:{self.ports[one.name]}" for one in SERVICES
        }
        self.parts: dict[str, list[psutil.Process]] = {}

    def wait(self) -> None:
        """Returns once the system is ready, and knows its processes then."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._launcher.poll() is None:
            try:
                if self.ask("gateway", "GET", "/health/ready")[0] == 200:
                    break
            except (OSError, HTTPException):
                time.sleep(0.2)
        else:
            raise SystemExit(f"the system does not start:\n{self.log.read_text(errors='replace')[-2000:]}")
        below = psutil.Process(self._launcher.pid).children(recursive=True)
        for service in SERVICES:
            self.parts[service.name] = [
                one for one in below if {"chassis.serve", service.name} <= set(one.cmdline()) and one.children() == []
            ]
        self.parts["PostgreSQL"] = [one for one in below if one.name() == "postgres" and one.children()]
        if not all(self.parts.values()):
            raise SystemExit(f"not all processes were found: {self.parts}")

    def ask(self, name: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of one answer of the process `name`."""
        connection = HTTPConnection("127.0.0.1", self.ports[name], timeout=30)
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if content else None

    def places(self) -> list[str]:
        """The cursors of all solicitações, the oldest first."""
        rows: list[tuple[str, int]] = []
        after = 0
        while True:
            query = {"filter": {"id": {"gt": after}}, "ordering": "id", "first": 1000}
            status, page = self.ask("solicitacoes", "POST", "/api/solicitacoes/query/", query)
            assert status == 200, page
            if not page["items"]:
                return [cursor("data_solicitacao", date, id) for date, id in sorted(rows)]
            rows += [(row["data_solicitacao"], row["id"]) for row in page["items"]]
            after = page["items"][-1]["id"]

    def stop(self) -> None:
        stop(self._launcher)


@dataclass
class Gateway:
    """One gateway in front of the system. It is suspended while another one is measured, so that it costs nothing."""

    contestant: Contestant
    port: int
    process: psutil.Process
    rounds: dict[str, list[dict[str, float]]] = field(default_factory=dict[str, list[dict[str, float]]])
    """By workload: the CPU of each part of the system in seconds per query, for each round."""
    kilobytes: dict[str, float] = field(default_factory=dict[str, float])
    """By workload: the size of an answer."""
    broken: str = ""

    def suspend(self) -> None:
        for one in (*self.process.children(recursive=True), self.process):
            one.suspend()

    def wake(self) -> None:
        for one in (self.process, *self.process.children(recursive=True)):
            one.resume()

    @contextmanager
    def awake(self) -> Generator[None]:
        self.wake()
        try:
            yield
        finally:
            self.suspend()


def used(system: System, gateway: Gateway) -> dict[str, float]:
    """The CPU time so far of each part, in seconds."""
    return {"gateway": cpu.seconds(gateway.process)} | {
        name: cpu.seconds(*processes) for name, processes in system.parts.items()
    }


def begin(contestant: Contestant, system: System, directory: Path) -> "tuple[Gateway, subprocess.Popen[bytes]]":
    """Starts a gateway and waits until it listens. Raises OSError."""
    port = free_ports(1)
    process = start(contestant, port, system.urls, directory)
    until = time.monotonic() + 40
    while time.monotonic() < until and process.poll() is None:
        try:
            HTTPConnection("127.0.0.1", port, timeout=2).connect()
            return Gateway(contestant, port, psutil.Process(process.pid)), process
        except OSError:  # not yet
            time.sleep(0.1)
    stop(process)
    raise OSError(f"it does not listen: {log(contestant, directory).read_text(errors='replace')[-300:]}")
