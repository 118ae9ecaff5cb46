"""Measures what a process does at three times its capacity: `python -m bench.overload`, about a minute.

The system runs as `make run` starts it, on one core; the load generator has the other, so that it takes nothing from
what it measures. The capacity is the number of answers a second in a closed loop of 32 connections. Then an open loop
sends three times as many requests, each at its due time and not only after an answer, and afterwards half as many. An
answer is good if it is a 200 within a second of the moment when its request was due.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil
import uvloop

from bench import cpu
from bench.load import Request
from chassis.db.migrate import ROOT
from deploy import topology
from deploy.postgres import HOST, free_ports

CONCURRENCY = 32
CONNECTIONS = 450  # below half of MAX_CONNECTIONS, which is what one address may have
GOOD_SECONDS = 1.0
WARM, STEADY, OVER, AFTER = 3.0, 5.0, 8.0, 5.0
QUERY = b'{"query": "{ pessoas(first: 20) { nodes { id nomePessoa } } }"}'
CASES = {
    "gateway": Request.of("POST", "/graphql", QUERY),
    "pessoas": Request.of("GET", "/api/pessoas/?page_size=20"),
}


class LoadConnection(asyncio.Protocol):
    """One keep-alive connection, one request at a time; streams would cost the load generator twice as much."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[int] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports do not inherit from it

    def send(self, request: Request) -> asyncio.Future[int]:
        """A future for the status; it is 0 if the connection breaks."""
        self.answer = asyncio.get_running_loop().create_future()
        assert self.transport
        self.transport.write(request.raw)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._buffer = b""
        if self.answer and not self.answer.done():
            self.answer.set_result(int(head.split(b" ", 2)[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result(0)

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()


@dataclass
class PhaseOutcome:
    """The requests of one phase: when each was due, its status, and how long it took from then."""

    seconds: float
    answers: list[tuple[float, int, float]] = field(default_factory=list[tuple[float, int, float]])

    def count(self, status: int) -> int:
        return sum(found == status for _, found, _ in self.answers)

    @property
    def good(self) -> list[float]:
        return [took for _, status, took in self.answers if status == 200 and took <= GOOD_SECONDS]

    @property
    def goodput(self) -> float:
        return len(self.good) / self.seconds

    def percentile(self, status: int, percent: int) -> float:
        """In milliseconds."""
        times = [took for _, found, took in self.answers if found == status]
        return 1000 * statistics.quantiles(times, n=100)[percent - 1] if len(times) > 1 else 0.0


class LoadGenerator:
    """Sends requests to one process, over at most CONNECTIONS connections."""

    def __init__(self, port: int, request: Request) -> None:
        self.port, self.request = port, request
        self._idle: list[LoadConnection] = []
        self._opened = 0
        self._waiting: deque[asyncio.Future[LoadConnection]] = deque()

    async def _take(self) -> LoadConnection:
        """A free connection; the request that has waited longest gets the next one."""
        loop = asyncio.get_running_loop()
        if self._idle:
            return self._idle.pop()
        if self._opened < CONNECTIONS:
            self._opened += 1
            return (await loop.create_connection(LoadConnection, HOST, self.port))[1]
        waiting: asyncio.Future[LoadConnection] = loop.create_future()
        self._waiting.append(waiting)
        return await waiting

    async def _one(self, due: float, outcome: PhaseOutcome) -> None:
        loop = asyncio.get_running_loop()
        connection = await self._take()
        if not connection.usable:
            connection = (await loop.create_connection(LoadConnection, HOST, self.port))[1]
        status = await connection.send(self.request)
        outcome.answers.append((due, status, loop.time() - due))
        if self._waiting:
            self._waiting.popleft().set_result(connection)
        else:
            self._idle.append(connection)

    async def closed(self, seconds: float) -> PhaseOutcome:
        """Runs CONCURRENCY clients, each of which asks again when it is answered."""
        loop, outcome = asyncio.get_running_loop(), PhaseOutcome(seconds)
        end = loop.time() + seconds

        async def client() -> None:
            while (now := loop.time()) < end:
                await self._one(now, outcome)

        await asyncio.gather(*(client() for _ in range(CONCURRENCY)))
        return outcome

    async def open(self, seconds: float, per_second: float) -> PhaseOutcome:
        """Sends `per_second` requests a second, whether or not they are answered."""
        loop, outcome = asyncio.get_running_loop(), PhaseOutcome(seconds)
        began = loop.time()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(round(seconds * per_second)):
            due = began + number / per_second
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._one(due, outcome))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        return outcome


@contextmanager
def system() -> Generator[tuple[psutil.Process, int]]:
    """Runs a system with demo data; gives its launcher and its PORT_OFFSET."""
    offset = free_ports(len(topology.PROCESSES) + 1) - min(process.port for process in topology.PROCESSES)
    with tempfile.TemporaryDirectory() as directory, (Path(directory) / "log").open("w+") as log:
        variables = {
            "DATA_DIR": f"{directory}/data",
            "PORT_OFFSET": str(offset),
            "DEMO": "1",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
        }
        launcher = subprocess.Popen(
            [sys.executable, "-m", "deploy.local"], cwd=ROOT, env={**os.environ, **variables}, stdout=log
        )
        try:
            while "ready in" not in Path(log.name).read_text():
                if launcher.poll() is not None:
                    raise SystemExit("the system does not start")
                time.sleep(0.1)
            yield psutil.Process(launcher.pid), offset
        finally:
            launcher.send_signal(signal.SIGTERM)
            launcher.wait()


def server(launcher: psutil.Process, name: str) -> psutil.Process:
    """The process that serves `name`."""
    [found] = [child for child in launcher.children(recursive=True) if {"chassis.serve", name} <= set(child.cmdline())]
    return found


async def measure(launcher: psutil.Process, offset: int, name: str, times: float) -> None:
    process = server(launcher, name)
    cpu.pin(launcher, 0)
    psutil.Process().cpu_affinity([1] if (os.cpu_count() or 1) > 1 else [0])
    load = LoadGenerator(topology.by_name(name).port + offset, CASES[name])
    await load.closed(WARM)
    normal = await load.closed(STEADY)
    memory_before = process.memory_info().rss
    overload = await load.open(OVER, times * normal.goodput)
    memory_after = process.memory_info().rss
    began = asyncio.get_running_loop().time()
    recovery = await load.open(AFTER, normal.goodput / 2)
    late = 4 * normal.percentile(200, 99) / 1000
    abnormal = [due - began for due, status, took in recovery.answers if status != 200 or took > late]
    print(
        f"\n{name}: capacity {normal.goodput:.0f}/s, p50 {normal.percentile(200, 50):.0f} ms, "
        f"p99 {normal.percentile(200, 99):.0f} ms"
    )
    print(
        f"  asked {len(overload.answers) / OVER:.0f}/s for {OVER:.0f} s: goodput {overload.goodput:.0f}/s, "
        f"{100 * overload.goodput / normal.goodput:.0f} % of capacity; p50 {overload.percentile(200, 50):.0f} ms, "
        f"p99 {overload.percentile(200, 99):.0f} ms"
    )
    print(
        f"  refused {overload.count(503) / OVER:.0f}/s, p50 {overload.percentile(503, 50):.0f} ms, "
        f"p99 {overload.percentile(503, 99):.0f} ms; late {overload.count(200) - len(overload.good)}, "
        f"otherwise failed {len(overload.answers) - overload.count(200) - overload.count(503)}"
    )
    print(
        f"  memory {memory_before / 2**20:.0f} MiB before, {memory_after / 2**20:.0f} after; "
        f"back to normal {max(abnormal, default=0.0):.1f} s after the overload"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CASES), help=f"which of {', '.join(CASES)}")
    parser.add_argument("--times", type=float, default=3.0, help="how many times the capacity is asked for")
    arguments = parser.parse_args()
    with system() as (launcher, offset):
        for name in arguments.names:
            uvloop.run(measure(launcher, offset, name, arguments.times))


if __name__ == "__main__":
    main()
