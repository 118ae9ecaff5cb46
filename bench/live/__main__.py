"""Runs the benchmark of live queries: `python -m bench.live [--subscribers 10000] [--rest 60] [--rate 100]`.

Each transport is measured in a gateway of its own, over the same services. The client's process shares the machine with
them, and takes as much CPU as the gateway: latencies are those of a busy machine.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil
from websockets.frames import Frame, Opcode

from bench import cpu
from bench.gateway.contestants import environment
from bench.gateway.measure import stop
from bench.system.running import System
from deploy.bootstrap import ROOT
from deploy.postgres import free_ports

QUERY = "subscription { pessoaMudou { cursor operacao id pessoa { nomePessoa } } }"
EVENTS = 5
OPENED_AT_ONCE = 50
OF_ONE_ADDRESS = 5000
ID = "0123456789abcdef0123456789abcdef0123"
"""As long as those of graphql-ws."""


def _frame(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=True)


PONG = Frame(Opcode.PONG, b"").serialize(mask=True)
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
SUBSCRIBE = _frame(json.dumps({"id": ID, "type": "subscribe", "payload": {"query": QUERY}}))
BODY = json.dumps({"query": QUERY}).encode()
POST = (
    b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class Subscriber(asyncio.Protocol):
    """One subscription. `told` is called with what arrives."""

    transport: asyncio.Transport

    def __init__(self, told: Callable[[bytes], None]) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told = told

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("refused"))


class SocketSubscriber(Subscriber):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        if b'"next"' in data:
            self._told(data)
        elif data == b"\x89\x00":
            self.transport.write(PONG)
        elif data.startswith(b"HTTP/1.1 101"):
            self.transport.write(_frame('{"type":"connection_init"}'))
        elif b"connection_ack" in data:
            self.transport.write(SUBSCRIBE)
            self.opened.set_result(None)


class StreamSubscriber(Subscriber):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.write(POST)

    def data_received(self, data: bytes) -> None:
        if b"event: next" in data:
            self._told(data)
        elif data.startswith(b"HTTP/1.1 200"):
            self.opened.set_result(None)


TRANSPORTS: dict[str, type[Subscriber]] = {"WebSocket": SocketSubscriber, "server-sent events": StreamSubscriber}


@contextmanager
def gateway(system: System, subscribers: int) -> Generator[tuple[psutil.Process, int]]:
    """A gateway with room for so many subscribers: its process and its port."""
    port, room = free_ports(), str(4 * subscribers)
    room_for_all = {"MAX_CONNECTIONS": room, "MAX_SUBSCRIPTIONS": room, "MAX_SUBSCRIPTIONS_OF_ONE": room}
    settings = {**environment(), **system.urls, **room_for_all, "PORT": str(port), "LOG_LEVEL": "ERROR"}
    process = subprocess.Popen([sys.executable, "-m", "chassis.serve", "gateway"], cwd=ROOT, env=settings)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                break
        except (OSError, HTTPException):
            time.sleep(0.2)
    try:
        yield psutil.Process(process.pid), port
    finally:
        stop(process)


def pss(process: psutil.Process) -> int:
    """The memory of a process in bytes, of which what it shares counts in part."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class Crowd:
    """Many subscribers of one transport, which ask the same."""

    def __init__(self, kind: type[Subscriber], port: int) -> None:
        self._kind, self._port = kind, port
        self._all: list[Subscriber] = []
        self.got = 0
        self.on_data: Callable[[bytes], None] = lambda _: None

    def _told(self, data: bytes) -> None:
        self.got += 1
        self.on_data(data)

    async def grow(self, count: int) -> None:
        for begin in range(0, count, OPENED_AT_ONCE):
            await asyncio.gather(*(self._open() for _ in range(min(OPENED_AT_ONCE, count - begin))))

    async def _open(self) -> None:
        address = f"127.0.1.{1 + len(self._all) // OF_ONE_ADDRESS}"
        _, subscriber = await asyncio.get_running_loop().create_connection(
            lambda: self._kind(self._told), "127.0.0.1", self._port, local_addr=(address, 0)
        )
        self._all.append(subscriber)
        await asyncio.wait_for(subscriber.opened, 30)

    def leave(self) -> None:
        for one in self._all:
            one.transport.abort()


async def write(system: System, name: str) -> None:
    status, _ = await asyncio.to_thread(system.ask, "pessoas", "POST", "/api/pessoas/", {"nome_pessoa": name})
    assert status == 201


async def at_rest(system: System, kind: type[Subscriber], subscribers: int, rest: float) -> list[str]:
    """The memory of idle subscribers, and the CPU of one event to all of them."""
    with gateway(system, subscribers) as (process, port):
        crowd = Crowd(kind, port)
        await crowd.grow(1)
        await asyncio.sleep(1)
        await write(system, "begin")
        await asyncio.sleep(2)
        before = pss(process)
        await crowd.grow(subscribers)
        await asyncio.sleep(rest)
        grown, spent = pss(process) - before, list[float]()
        for n in range(EVENTS):
            crowd.got, began = 0, cpu.seconds(process)
            await write(system, f"event {n}")
            until = time.monotonic() + 20
            while crowd.got < subscribers + 1 and time.monotonic() < until:  # noqa: ASYNC110 - a protocol's count
                await asyncio.sleep(0.02)
            if crowd.got < subscribers + 1:
                raise SystemExit(f"only {crowd.got} were told")
            await asyncio.sleep(0.2)
            spent.append(cpu.seconds(process) - began)
        crowd.leave()
    return [f"{grown / 1e6:.0f} MB", f"{1000 * statistics.median(spent):.0f} ms"]


async def under_load(
    system: System, kind: type[Subscriber], subscribers: int, rate: float, seconds: float
) -> list[str]:
    """How long after the sending of a write its event has come to a client."""
    sent, late = dict[bytes, float](), list[float]()

    def told(data: bytes) -> None:
        now = time.perf_counter()
        for piece in data.split(b'"nomePessoa":"')[1:]:
            late.append(now - sent[piece.partition(b'"')[0]])

    with gateway(system, subscribers) as (process, port):
        crowd = Crowd(kind, port)
        crowd.on_data = told
        await crowd.grow(subscribers)
        await asyncio.sleep(2)
        began, tasks = time.perf_counter(), list[asyncio.Task[None]]()
        used = cpu.seconds(process)
        for n in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            name = f"{kind.__name__} {n}"
            sent[name.encode()] = time.perf_counter()
            tasks.append(asyncio.create_task(write(system, name)))
        await asyncio.gather(*tasks)
        await asyncio.sleep(5)
        share = (cpu.seconds(process) - used) / (time.perf_counter() - began)
        crowd.leave()
    expected = int(rate * seconds) * subscribers
    if len(late) != expected:
        return [f"{len(late)} of {expected} came", "", f"{100 * share:.0f} %"]
    late.sort()
    return [
        f"{1000 * late[len(late) // 2]:.0f} ms",
        f"{1000 * late[len(late) * 99 // 100]:.0f} ms",
        f"{100 * share:.0f} %",
    ]


async def measure(subscribers: int, rest: float, listeners: int, rate: float) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-live-") as directory:
        system = System(Path(directory))
        try:
            system.wait()
            print(f"| {subscribers:,} subscribers | memory after {rest:.0f} s at rest | CPU of one event to all |")
            print("|---|---|---|")
            for name, kind in TRANSPORTS.items():
                print(f"| {name} | {' | '.join(await at_rest(system, kind, subscribers, rest))} |", flush=True)
            print(f"\n| {rate:.0f} events a second to {listeners:,} subscribers | median | p99 | CPU of the gateway |")
            print("|---|---|---|---|")
            for name, kind in TRANSPORTS.items():
                print(f"| {name} | {' | '.join(await under_load(system, kind, listeners, rate, 10))} |", flush=True)
        finally:
            system.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--subscribers", type=int, default=10_000)
    parser.add_argument("--rest", type=float, default=60.0, help="seconds")
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100.0, help="events a second")
    given = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    asyncio.run(measure(given.subscribers, given.rest, given.listeners, given.rate))


if __name__ == "__main__":
    main()
