"""A lean HTTP/1.1 client for one neighbour: kept connections over httptools, and nothing that a neighbour needs not.

A general client spends most of a short call on its pool, its URL and header types and its task bookkeeping: 60 µs
(aiohttp) to 500 µs (httpx2) of CPU under concurrency, where this spends about 15. It has no redirects, cookies,
proxies, compression or HTTP/2: an answer that needs one of them is no answer of our dialect. How many requests run at a
time is its caller's to bound; each has a connection to itself, and a connection carries one request at a time.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools

from chassis.wire import MAX_ANSWER_BYTES, Answer, Garbled, Lost, Refused, TimedOut, WireError

CONNECT_SECONDS = 0.5
IDLE_SECONDS = 30.0
"""A connection unused for longer is not used again: the other side closes its own after 75."""
MAX_HEAD_BYTES = 65_536


class LeanWire:
    """Connections to the one server that `base_url` names."""

    def __init__(self, base_url: str) -> None:
        url = urlsplit(base_url)
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._prefix = url.path
        self._head = f"host: {url.netloc.rpartition('@')[2]}\r\naccept: application/json\r\n"
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        *,
        seconds: float,
        repeatable: bool,
    ) -> Answer:
        until = time.monotonic() + seconds
        request = self._request(method, path, headers, content)
        connection = self._kept()
        if connection is not None:
            try:
                return await self._exchange(connection, request, seconds)
            except Lost:
                # The server closed it while our request was on its way, as servers may. Only a new connection tells.
                if not repeatable or connection.answering:
                    raise
        connection = await self._connect(until - time.monotonic())
        return await self._exchange(connection, request, until - time.monotonic())

    async def close(self) -> None:
        for connection in list(self._open):
            connection.transport.close()

    async def _exchange(self, connection: "Connection", request: bytes, seconds: float) -> Answer:
        answer = await connection.exchange(request, seconds)
        if connection.usable:
            self._idle.append(connection)
        return answer

    def _kept(self) -> "Connection | None":
        """The connection used last among those that are open, so that the others can grow old."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and time.monotonic() - connection.used < IDLE_SECONDS:
                return connection
            connection.transport.abort()
        return None

    async def _connect(self, seconds: float) -> "Connection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(min(CONNECT_SECONDS, seconds)):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._open), self._host, self._port, ssl=self._tls
                )
        except TimeoutError as failure:
            if seconds <= CONNECT_SECONDS:
                raise TimedOut("no connection in time") from failure
            raise Refused(f"no connection within {CONNECT_SECONDS} s") from failure
        except (OSError, UnicodeError) as failure:
            raise Refused(str(failure)) from failure
        return connection

    def _request(self, method: str, path: str, headers: Mapping[str, str], content: bytes | None) -> bytes:
        lines = [f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._head}"]
        lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
        if content is not None:
            lines.append(f"content-length: {len(content)}\r\n")
        head = "".join(lines)
        if head.count("\n") != head.count("\r\n") or head.count("\n") != len(lines) + 2:
            raise ValueError("a line break in a header")
        return head.encode("latin-1") + b"\r\n" + (content or b"")


class Connection(asyncio.Protocol):
    """One connection, and the answer that it is waiting for."""

    transport: asyncio.Transport

    def __init__(self, open_ones: "set[Connection]") -> None:
        self.usable = True
        """Whether another request may be sent on it."""
        self.answering = False
        """Whether anything has come of the answer."""
        self.used = 0.0
        self._open_ones = open_ones
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        self._forget()

    def _forget(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._until_close = False

    async def exchange(self, request: bytes, seconds: float) -> Answer:
        """Sends the request and waits for the answer. Raises WireError."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self.answering = False
        timer = loop.call_later(seconds, self._fail, TimedOut(f"no answer within {seconds:.3f} s"))
        if self.usable:
            self.transport.write(request)
        else:
            self._fail(Lost("closed while it was kept"))
        try:
            return await self._waiting
        except asyncio.CancelledError:
            self._hang_up()
            raise
        finally:
            timer.cancel()
            self._waiting = None
            self.used = time.monotonic()

    def _fail(self, failure: WireError) -> None:
        self._hang_up()
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(failure)

    def _hang_up(self) -> None:
        self.usable = False
        self.transport.abort()

    def _complete(self) -> None:
        status = self._parser.get_status_code()
        headers, body = self._headers, self._body
        self._forget()
        if status < 200:  # an interim answer: the real one follows
            return
        self.usable = self.usable and self._parser.should_keep_alive()
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(Answer(status, headers, body[0] if len(body) == 1 else b"".join(body)))
        if not self.usable:
            self.transport.close()

    # -- asyncio.Protocol --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, but says so to no type checker
        self._open_ones.add(self)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self._hang_up()  # an answer that nobody asked for
            return
        self.answering = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as failure:
            self._fail(Garbled(str(failure)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_ones.discard(self)
        self.usable = False
        if self._waiting is None or self._waiting.done():
            return
        if self._until_close and exc is None:
            self._complete()
        elif self.answering:
            self._fail(Garbled("the answer ended too early"))
        else:
            self._fail(Lost("the connection was closed without an answer"))

    # -- httptools' callbacks: what they raise comes out of feed_data as an HttpParserError --------------------

    def on_message_begin(self) -> None:
        if self._waiting is None or self._waiting.done():
            raise ValueError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value)
        if self._size > MAX_HEAD_BYTES:
            raise ValueError("headers too long")
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._size = 0
        self._until_close = "content-length" not in self._headers and "transfer-encoding" not in self._headers

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > MAX_ANSWER_BYTES:
            raise ValueError("body too long")
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._complete()
