"""A small TCP proxy in front of one service that can disturb its exchanges as networks and broken servers do.

It reads complete requests and complete answers, so that a fault happens at the intended point of an exchange. It is
neither fast nor complete: bodies must have a Content-Length, as in our dialect.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import random
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

from deploy.postgres import HOST


class Proxy:
    """Listens on `port` and passes exchanges on to the server on port `upstream`; `treat` is what it does to each
    exchange."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = 0
        self.treat: Treatment = honest
        self.spoiled = 0
        """Exchanges that were disturbed."""
        self._server: asyncio.Server | None = None
        self._open: set[StreamWriter] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stops listening and closes the open connections, so new connections are refused."""
        assert self._server
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Resets every open connection."""
        self.spoiled += len(self._open)
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._open.add(writer)
        try:
            while request := await message(reader):
                await self.treat(self, request, writer)
                await writer.drain()
        except (OSError, EOFError, RuntimeError):
            pass  # either side may hang up at any time; uvloop then raises RuntimeError for a write
        finally:
            self._open.discard(writer)
            writer.close()

    async def ask(self, request: bytes) -> bytes:
        """The server's answer."""
        reader, writer = await asyncio.open_connection(HOST, self.upstream, limit=2**24)
        with contextlib.closing(writer):
            writer.write(request)
            return await message(reader)


class Tunnel:
    """Listens on a port of its own and passes bytes on to the server on port `upstream` and back, as they are."""

    def __init__(self, upstream: int, seed: int = 1) -> None:
        self.port = 0
        self.spoiled = 0
        """Connections that were cut."""
        self.directions: list[str] = []
        """Where bytes went: `to server` or `to client`, once for all that went the same way in a row."""
        self._upstream, self._rng = upstream, random.Random(seed)
        self._left: dict[StreamWriter, float] = {}
        """How many bytes more each client gets."""

    async def listen(self) -> None:
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Resets every open connection after a few bytes more, so within an answer or an event."""
        self._left = {client: self._rng.randrange(300) for client in self._left}

    async def _serve(self, reader: StreamReader, client: StreamWriter) -> None:
        self._left[client] = math.inf
        sending: asyncio.Task[None] | None = None
        try:
            from_server, server = await asyncio.open_connection(HOST, self._upstream)
            sending = asyncio.create_task(self._copy(reader, server))
            while (data := await from_server.read(2**16)) and len(data) < self._left[client]:
                self._passed("to client")
                self._left[client] -= len(data)
                client.write(data)
                await client.drain()
            if data:
                self.spoiled += 1
                client.write(data[: int(self._left[client])])
        except (OSError, RuntimeError):
            pass  # as above
        finally:
            del self._left[client]
            client.close()
            if sending:
                sending.cancel()

    async def _copy(self, reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, RuntimeError):
            while data := await reader.read(2**16):
                self._passed("to server")
                writer.write(data)
                await writer.drain()

    def _passed(self, direction: str) -> None:
        if self.directions[-1:] != [direction]:
            self.directions.append(direction)


Treatment = Callable[[Proxy, bytes, StreamWriter], Awaitable[None]]


async def message(reader: StreamReader) -> bytes:
    """One request or answer, with its body; nothing at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    fields = head.lower().split(b"content-length:")
    return head + await reader.readexactly(int(fields[1].split(b"\r\n")[0]) if len(fields) > 1 else 0)


async def honest(proxy: Proxy, request: bytes, client: StreamWriter) -> None:
    client.write(await proxy.ask(request))


def loses_answers(share: float, seed: int = 1) -> Treatment:
    """The service does the work, but the answer never arrives."""
    rng = random.Random(seed)

    async def treat(proxy: Proxy, request: bytes, client: StreamWriter) -> None:
        answer = await proxy.ask(request)
        if rng.random() < share:
            proxy.spoiled += 1
            client.transport.abort()
        else:
            client.write(answer)

    return treat


def loses_first_answers() -> Treatment:
    """The first answer to each `Idempotency-Key` never arrives."""
    seen: set[bytes] = set()

    async def treat(proxy: Proxy, request: bytes, client: StreamWriter) -> None:
        answer = await proxy.ask(request)
        _, found, rest = request.lower().partition(b"idempotency-key:")
        key = rest.split(b"\r\n")[0]
        if found and key not in seen:
            seen.add(key)
            proxy.spoiled += 1
            client.transport.abort()
        else:
            client.write(answer)

    return treat


def slow(seconds: float) -> Treatment:
    """Every answer is late."""

    async def treat(proxy: Proxy, request: bytes, client: StreamWriter) -> None:
        proxy.spoiled += 1
        await asyncio.sleep(seconds)
        await honest(proxy, request, client)

    return treat


def _json(body: bytes, length: int | None = None) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body) if length is None else length,
        body,
    )


GARBAGE = (
    b"\x00\xff not HTTP at all\r\n\r\n",
    _json(b"<html>a proxy's own page</html>"),
    _json(b'{"items": [{"id": 1, "nome_'),
    _json(b'{"items": 5, "groups": null, "id": "one"}'),
    _json(b"[" * 100_000),
    _json(b"\xff\xfe\xfd"),
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\noops",
    b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    _json(b"null"),
    _json(b'{"items": [{"id": 987654321, "nome_pessoa": "X"}], "id": 987654321, "nome_pessoa": "X"}'),
)


def babbles() -> Treatment:
    """Answers that are not HTTP, not JSON, or not in our dialect, in turn."""
    following = itertools.cycle(GARBAGE)

    async def treat(proxy: Proxy, _request: bytes, client: StreamWriter) -> None:
        proxy.spoiled += 1
        client.write(next(following))
        await client.drain()
        client.close()

    return treat


async def truncates(proxy: Proxy, request: bytes, client: StreamWriter) -> None:
    """Half of the answer, then the end."""
    answer = await proxy.ask(request)
    proxy.spoiled += 1
    client.write(answer[: len(answer) // 2])
    await client.drain()
    client.close()


async def drips(proxy: Proxy, _request: bytes, client: StreamWriter) -> None:
    """An answer that never ends, a byte at a time."""
    proxy.spoiled += 1
    client.write(_json(b"[", 1_000_000))
    while not client.is_closing():
        await asyncio.sleep(0.05)
        client.write(b" ")
        await client.drain()


async def floods(proxy: Proxy, _request: bytes, client: StreamWriter) -> None:
    """An answer that is sent as fast as possible and is far larger than a neighbour's answer may be."""
    proxy.spoiled += 1
    client.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(4096):
        client.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await client.drain()
    client.close()
