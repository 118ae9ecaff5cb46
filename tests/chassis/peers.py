"""Both ends of a socket for tests of HTTP itself: our server around any application, and a peer that sends bytes."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from chassis.observe.metrics import REFUSED
from chassis.process.connection import HttpConnection
from chassis.process.server import Server
from chassis.settings import ServerSettings
from tests.deploy.processes import WAIT_SECONDS


async def until(condition: Callable[[], bool], what: str) -> None:
    """Returns when `condition` holds; fails with `what` if it never does."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in {WAIT_SECONDS} s: {what}"
        await asyncio.sleep(0.01)


def is_ours(address: str) -> bool:
    """Whether this machine has `address`."""
    with socket.socket() as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
        return True


with_more_addresses = pytest.mark.skipif(
    not (is_ours("127.0.0.2") and is_ours("127.0.0.3")),
    reason="127.0.0.2 and 127.0.0.3 are not this machine: on macOS `.ci/run` adds them, with `sudo ifconfig lo0 alias`",
)
"""For tests with peers at several addresses: Linux has all of 127.0.0.0/8, and macOS only what was added."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class Peer:
    """A client that can send any bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def get(self, path: str, *headers: str, method: str = "GET") -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
        self.send("".join(f"{line}\r\n" for line in [*lines, ""]).encode())

    async def answer(self, method: str = "GET") -> Answer:
        async with asyncio.timeout(WAIT_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
            body = await self.reader.readexactly(length)
        match = re.fullmatch(r"HTTP/1\.1 (\d+) .*", status)
        assert match, status
        return Answer(int(match[1]), headers, body)

    async def is_cut_off(self) -> bool:
        """Waits until the connection has ended, by a close or a reset, and returns True; bytes that still arrive are
        ignored."""
        async with asyncio.timeout(WAIT_SECONDS):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass
        return True

    def hang_up(self) -> None:
        self.writer.transport.abort()


class LoopbackServer(Server):
    """Our server, without handlers for signals: those are pytest's."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def all_refused() -> Counter[int]:
    """How many requests and connections this process has refused before an application saw them, by status."""
    [family] = REFUSED.collect()
    return Counter({int(one.labels["status"]): int(one.value) for one in family.samples})


class ServedApplication:
    """An application behind our server, on a real socket."""

    def __init__(self, server: Server, port: int) -> None:
        self.server, self.port, self.state = server, port, server.state
        self._peers: list[Peer] = []
        self._refused_before = all_refused()

    @property
    def refused(self) -> Counter[int]:
        """What was refused since this application is served."""
        return all_refused() - self._refused_before

    async def peer(self, address: str = "127.0.0.1") -> Peer:
        """A new connection, which the server has seen."""
        seen, refused = set(self.state.connections), self.refused.total()
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0)))
        self._peers.append(peer)
        await until(
            lambda: (
                any(one not in seen for one in self.state.connections)
                or self.refused.total() > refused
                or self.state.draining
            ),
            "the server sees a new connection",
        )
        return peer

    @property
    def connections(self) -> list[HttpConnection]:
        return list(self.state.connections)

    def pass_time(self, seconds: float) -> None:
        """Makes the server behave as if that many seconds had passed."""
        self.state.sweep(asyncio.get_running_loop().time() + seconds)

    async def stop(self) -> None:
        for peer in self._peers:
            peer.hang_up()
        self.server.should_exit = True


@asynccontextmanager
async def serving(app: Any, *, address: str = "127.0.0.1", **settings: Any) -> AsyncGenerator[ServedApplication]:
    """`app` behind our server with these settings."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.create_server((address, 0), family=family)
    port: int = listening.getsockname()[1]
    server = LoopbackServer(lambda: app, ServerSettings.model_validate(settings))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started or running.done(), "the server starts")
    served = ServedApplication(server, port)
    try:
        yield served
    finally:
        await served.stop()
        await running
