"""A load generator for keep-alive HTTP/1.1. It uses little CPU, so that it takes none from what it measures.

`run` is a closed loop: each of its clients waits for its answer before it asks again. `at_rate` is an open loop:
requests come at random instants (Poisson), and if no connection is free, a request waits and its wait is counted.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from time import perf_counter
from typing import cast

ERRORS = b'"errors"'
SUCCESS = b"http/1.1 2"
HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"\r\n0\r\n\r\n"


class NotServedError(Exception):
    """An answer is not a success: its status is not 2xx, or it contains errors."""


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent again and again."""

    raw: bytes

    @classmethod
    def of(cls, method: str, path: str, body: bytes = b"", headers: str = "") -> "Request":
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{headers}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return cls(head.encode() + b"\r\n" + body)


async def once(port: int, request: Request) -> bytes:
    """The body of one answer, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.raw)
    head = (await reader.readuntil(HEAD_END)).lower()
    if not head.startswith(SUCCESS):
        writer.close()
        raise NotServedError(f"not a success: {head[:200]!r} {await reader.read(1000)!r}")
    body = b""
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
    else:
        body = await reader.readexactly(content_length(head))
    writer.close()
    return body


def content_length(head: bytes) -> int:
    return int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])


def _ignored(_: Exception) -> None:
    """Ignores a failure, since the other side may close a connection that is no longer needed."""


class LoadConnection(asyncio.Protocol):
    """One client with one request at a time. It reports when an answer has ended, and does not keep the answer."""

    def __init__(self, answered: Callable[["LoadConnection"], None], failed: Callable[[Exception], None]) -> None:
        self._answered, self._failed = answered, failed
        self._transport: asyncio.Transport | None = None
        self._begun = b""
        self._left: int | None = None
        """Bytes of the body that are still to come; None while the head is incomplete, -1 in a chunked body."""
        self.since = 0.0
        """The time at which the current request was due."""

    def ask(self, request: Request, since: float) -> None:
        assert self._transport
        self.since, self._left, self._begun = since, None, b""
        self._transport.write(request.raw)

    def close(self) -> None:
        assert self._transport
        self._failed = _ignored
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports do not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        self._failed(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        if ERRORS in data:  # in GraphQL a failure has status 200 too, and costs less than a success
            self._failed(NotServedError(f"an answer with errors: {data[-300:]!r}"))
        if self._left is None:
            self._begun += data
            end = self._begun.find(HEAD_END)
            if end < 0:
                return
            head = self._begun[: end + 2].lower()
            if not head.startswith(SUCCESS):
                self._failed(NotServedError(f"not a success: {self._begun[:300]!r}"))
                return
            if b"transfer-encoding: chunked" in head:
                self._left, self._begun, data = -1, b"", self._begun[end + 2 :]
            else:
                self._left = content_length(head) + end + 4 - len(self._begun)
        elif self._left >= 0:
            self._left -= len(data)
        if self._left == 0:
            self._answered(self)
        elif self._left < 0:
            self._begun = (self._begun + data)[-len(LAST_CHUNK) :]
            if self._begun == LAST_CHUNK:
                self._answered(self)


async def _connect(
    port: int, count: int, answered: Callable[[LoadConnection], None], failed: Callable[[Exception], None]
) -> list[LoadConnection]:
    loop = asyncio.get_running_loop()
    made = [loop.create_connection(lambda: LoadConnection(answered, failed), "127.0.0.1", port) for _ in range(count)]
    return [connection for _, connection in await asyncio.gather(*made)]


async def run(
    port: int, requests: Sequence[Request], concurrency: int, *, count: int = 0, seconds: float = 0.0
) -> list[float]:
    """Sends `requests` in turn over `concurrency` connections: `count` of them, or as many as fit into `seconds`.

    Returns how long each took, in seconds; every request that was sent has been answered. Raises NotServedError.
    """
    following: Iterator[Request] = cycle(requests)
    took: list[float] = []
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    sent = open_requests = 0
    until = perf_counter() + seconds

    def ask(connection: LoadConnection) -> None:
        nonlocal sent, open_requests
        now = perf_counter()
        if sent < count or now < until:
            sent += 1
            open_requests += 1
            connection.ask(next(following), now)
        elif not open_requests and not finished.done():
            finished.set_result(None)

    def answered(connection: LoadConnection) -> None:
        nonlocal open_requests
        open_requests -= 1
        took.append(perf_counter() - connection.since)
        ask(connection)

    def failed(why: Exception) -> None:
        if not finished.done():
            finished.set_exception(why)

    connections = await _connect(port, concurrency, answered, failed)
    for connection in connections:
        ask(connection)
    try:
        await finished
    finally:
        for connection in connections:
            connection.close()
    return took


async def at_rate(
    port: int, requests: Sequence[Request], connections: int, *, rate: float, seconds: float
) -> list[float]:
    """Sends `rate` requests a second at random instants over at most `connections` connections.

    Returns how long each took from the instant at which it was due, in seconds. Requests that are still not answered a
    second after the last one was due count with the time that they have waited.
    """
    loop = asyncio.get_running_loop()
    rng = random.Random(7)  # noqa: S311 # the same instants for every contestant
    following: Iterator[Request] = cycle(requests)
    took: list[float] = []
    due: deque[float] = deque()
    finished: asyncio.Future[None] = loop.create_future()

    def next_one(connection: LoadConnection) -> None:
        if due:
            connection.ask(next(following), due.popleft())
        else:
            free.append(connection)

    def answered(connection: LoadConnection) -> None:
        took.append(perf_counter() - connection.since)
        connection.since = 0.0
        next_one(connection)

    def failed(why: Exception) -> None:
        if not finished.done():
            finished.set_exception(why)

    opened = await _connect(port, connections, answered, failed)
    free: list[LoadConnection] = list(opened)
    began = at = perf_counter()
    while at < began + seconds and not finished.done():
        at += rng.expovariate(rate)
        if (pause := at - perf_counter()) > 0:
            await asyncio.sleep(pause)
        due.append(at)
        if free:
            next_one(free.pop())
    while (due or len(free) < connections) and perf_counter() < began + seconds + 1:
        if finished.done():
            break
        await asyncio.sleep(0.01)
    now = perf_counter()
    took += [now - one for one in due] + [now - one.since for one in opened if one.since]
    for connection in opened:
        connection.close()
    if finished.done():
        finished.result()
    return took
