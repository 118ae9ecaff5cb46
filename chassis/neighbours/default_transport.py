"""A small HTTP/1.1 client for one neighbour: keep-alive connections over httptools, and only what a neighbour needs.

A general client spends most of a short call on its pool, its URL and header types, and its tasks: 60 µs (aiohttp) to
500 µs (httpx2) of CPU under concurrency, where this client spends about 15 µs. It has no redirects, cookies, proxies,
compression or HTTP/2, since no answer of our dialect needs them. The caller limits how many requests run at a time. A
connection carries one request at a time, so each request has a connection to itself.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

from chassis import write_batch
from chassis.neighbours.resolver import CONNECT_SECONDS, resolving_loop
from chassis.neighbours.transport import (
    MAX_ANSWER_BYTES,
    Answer,
    AnswerMemory,
    AnswerTimeout,
    ConnectFailed,
    ConnectionLost,
    GarbledAnswer,
    OnEnd,
    OutgoingRequest,
    StaleConnection,
    TransportError,
    head_of,
)

IDLE_SECONDS = 30.0
"""A connection that was idle for longer is not used again. The other side closes its own after 75 s."""
MAX_HEAD_BYTES = 65_536
SILENT_SECONDS = 1.0
"""A process that leaves a request without an answer for so long is taken to be frozen or unreachable: a slow one would
have refused in time. Then the connections to its address are given up."""
NEVER = float("inf")
FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
"""A header that says where an answer ends. An answer without one ends when its connection does."""


class DefaultTransport:
    """Sends requests to the one server that `base_url` names: by HTTP, or `unix:` and the path of a Unix socket. An
    https URL needs `tls`: which certificates are trusted, and which one is shown."""

    def __init__(self, base_url: str, answer_memory: AnswerMemory, tls: ssl.SSLContext | None = None) -> None:
        url = urlsplit(base_url)
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._tls = tls
        self._socket_path, self._prefix = (url.path, "") if url.scheme == "unix" else ("", url.path)
        # a socket has no host name, and every process of ours answers to addresses
        host = "127.0.0.1" if self._socket_path else url.netloc.rpartition("@")[2]
        self._head = f"host: {host}\r\naccept: application/json\r\n"
        self.pool = Pool(answer_memory, self._judge)

    async def send(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        repeatable: bool,
    ) -> Answer:
        deadline = time.monotonic() + seconds
        serialized = self._serialized(request, headers)
        connection = self.pool.take_idle()
        if connection is not None:
            try:
                return await connection.exchange(serialized, seconds)
            except StaleConnection:
                if not repeatable:
                    raise
        connection = await self._connect(deadline - time.monotonic())
        return await connection.exchange(serialized, deadline - time.monotonic())

    def begin(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        on_end: OnEnd,
    ) -> "OutgoingConnection | None":
        serialized = self._serialized(request, headers)
        connection = self.pool.take_idle()
        if connection is not None:
            connection.begin(serialized, seconds, on_end)
        return connection

    async def close(self) -> None:
        self.pool.close()

    def _judge(self, address: Any, answers: bool) -> None:
        if not self._socket_path:
            resolving_loop().judge(self._host, self._port, address, answers)

    async def _connect(self, seconds: float) -> "OutgoingConnection":
        loop = resolving_loop()
        try:
            async with asyncio.timeout(min(CONNECT_SECONDS, seconds)):
                if self._socket_path:
                    _, connection = await loop.create_unix_connection(
                        lambda: OutgoingConnection(self.pool), self._socket_path
                    )
                else:
                    _, connection = await loop.create_connection(
                        lambda: OutgoingConnection(self.pool),
                        self._host,
                        self._port,
                        ssl=self._tls,
                        load=self.pool.under_way_at,
                    )
        except TimeoutError as failure:
            if seconds <= CONNECT_SECONDS:
                raise AnswerTimeout("no connection in time") from failure
            raise ConnectFailed(f"no connection within {CONNECT_SECONDS} s") from failure
        except (OSError, UnicodeError) as failure:
            raise ConnectFailed(str(failure)) from failure
        return connection

    def _serialized(self, request: OutgoingRequest, headers: str) -> bytes:
        path, content = request.path, request.content
        if "\r" in path or "\n" in path:
            raise ValueError("a line break in a path")
        head = f"{request.method} {self._prefix}{path} HTTP/1.1\r\n{self._head}{headers}"
        if content is None:
            return f"{head}\r\n".encode("latin-1")
        return f"{head}content-length: {len(content)}\r\n\r\n".encode("latin-1") + content


class PeerAddress:
    """One of the server's addresses, and the connections to it. Each is idle, or has an exchange under way."""

    __slots__ = ("address", "connections", "idle")

    def __init__(self, address: Any) -> None:
        self.address = address
        self.connections = 0
        self.idle: list[OutgoingConnection] = []

    @property
    def under_way(self) -> int:
        return self.connections - len(self.idle)


class Pool:
    """All open connections to one server, by its addresses, and one timer for all of their deadlines.

    A request goes to the address where the fewest are under way. So a process that freezes gets one or two more than
    the others, and not all until the first of them has timed out.

    A timer for each exchange would cost more than writing the request. `answer_memory` limits the memory of their
    answers.
    """

    def __init__(self, answer_memory: AnswerMemory, judge: Callable[[Any, bool], None]) -> None:
        """`judge` is told of an address that has answered on a new connection, or accepts one and does not answer."""
        self.answer_memory = answer_memory
        self.judge = judge
        self.open: set[OutgoingConnection] = set()
        self._addresses: list[PeerAddress] = []
        """Those with open connections; of several, the one that was used longest ago comes first."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        """When the timer fires, if there is one."""

    def add(self, connection: "OutgoingConnection", address: Any) -> PeerAddress:
        """Takes in a connection that was just opened."""
        self.open.add(connection)
        found = self._at(address)
        if found is None:
            found = PeerAddress(address)
            self._addresses.append(found)
        found.connections += 1
        return found

    def remove(self, connection: "OutgoingConnection") -> None:
        """Forgets a connection that has ended."""
        self.open.discard(connection)
        at = connection.at
        at.connections -= 1
        if connection in at.idle:
            at.idle.remove(connection)
        if not at.connections:
            self._addresses.remove(at)

    def take_idle(self) -> "OutgoingConnection | None":
        """The idle connection that was used last, so that the others can expire, to the address that has the fewest
        requests under way. None when there is none."""
        if not self._addresses:
            return None
        idle = self._least_used().idle if len(self._addresses) > 1 else self._addresses[0].idle
        now = time.monotonic()
        while idle:
            connection = idle.pop()
            if connection.usable and now - connection.last_used < IDLE_SECONDS:
                return connection
            connection.transport.abort()
        return None

    def _least_used(self) -> PeerAddress:
        least = min(self._addresses, key=lambda one: (one.under_way, not one.idle))
        self._addresses.remove(least)
        self._addresses.append(least)
        return least

    def under_way_at(self, address: Any) -> int:
        """How many requests are under way at an address of the server."""
        found = self._at(address)
        return found.under_way if found else 0

    def _at(self, address: Any) -> PeerAddress | None:
        return next((one for one in self._addresses if one.address == address), None)

    def drop_address(self, at: PeerAddress) -> None:
        """Closes the idle connections to this address, so that the next request goes to another process."""
        while at.idle:
            at.idle.pop().transport.abort()
        self.judge(at.address, False)

    def schedule(self, deadline: float) -> None:
        """Makes sure that an exchange which is still running at `deadline` is ended then."""
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        # The loop's clock counts whole milliseconds, so one is added: the timer must never be early.
        self._timer = asyncio.get_running_loop().call_later(deadline - time.monotonic() + 0.001, self._on_timer)

    def _on_timer(self) -> None:
        # This process may have been stopped, or busy, for long: first read what has arrived meanwhile, then judge what
        # is late.
        self._timer = asyncio.get_running_loop().call_later(0.001, self._time_out_overdue)

    def _time_out_overdue(self) -> None:
        self._timer = None
        now = time.monotonic()
        for connection in [one for one in self.open if one.deadline <= now]:
            connection.time_out()
        if deadlines := [one.deadline for one in self.open if one.deadline < NEVER]:
            self.schedule(min(deadlines))

    def close(self) -> None:
        for connection in list(self.open):
            connection.transport.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class OutgoingConnection(asyncio.Protocol):
    """One connection, and the answer that it waits for."""

    transport: asyncio.Transport
    at: PeerAddress

    def __init__(self, pool: Pool) -> None:
        self.usable = True
        """Whether another request may be sent on this connection."""
        self.last_used = 0.0
        """When its last answer ended; 0 before the first."""
        self.deadline = NEVER
        """When the exchange times out, on the monotonic clock."""
        self.held_bytes = 0
        """Bytes of the answer that are counted in the answer memory: all but the latest ones."""
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._on_end: OnEnd | None = None
        self._seconds = 0.0
        """How long the exchange may take."""
        self._reset()

    def _reset(self) -> None:
        if self.held_bytes:
            self._pool.answer_memory.release(self)
        self._head = b""
        """The first bytes of the answer: its head, and perhaps some of its body."""
        self._body: list[bytes] = []
        self._in_body = False
        self._answer: Answer | None = None

    def begin(self, request: bytes, seconds: float, on_end: OnEnd) -> None:
        """Sends the request. Within `seconds`, calls `on_end` with the answer, or with the reason why there is none."""
        self._on_end = on_end
        self._received_bytes = 0
        """Bytes of the answer that have arrived."""
        self._seconds = seconds
        self.deadline = deadline = time.monotonic() + seconds
        self._pool.schedule(deadline)
        write_batch.write(self.transport, request)

    def cancel(self) -> None:
        """Gives up the exchange, and closes the connection."""
        self._on_end = None
        self._abort()

    async def exchange(self, request: bytes, seconds: float) -> Answer:
        """Sends the request, and returns the answer. Raises TransportError."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def on_end(outcome: Answer | Exception) -> None:
            if future.done():
                return
            if isinstance(outcome, Answer):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

        if not self.usable:
            raise ConnectionLost("closed before it was used")
        self.begin(request, seconds, on_end)
        try:
            return await future
        except asyncio.CancelledError:
            if self._on_end is on_end:  # else the answer has come, and the connection may already serve another request
                self.cancel()
            raise

    def time_out(self) -> None:
        if self._seconds >= SILENT_SECONDS and not self._received_bytes:
            self._pool.drop_address(self.at)
        self.fail(AnswerTimeout("no answer in time"))

    def fail(self, failure: TransportError) -> None:
        on_end, self._on_end = self._on_end, None
        self._abort()
        if on_end:
            on_end(failure)

    def _abort(self) -> None:
        self.usable = False
        self.deadline = NEVER
        self._reset()
        self.transport.abort()

    def _complete(self, answer: Answer) -> None:
        on_end, self._on_end = self._on_end, None
        self._reset()
        self.deadline = NEVER
        if not self.last_used:
            self._pool.judge(self.at.address, True)
        self.last_used = time.monotonic()
        if self.usable:
            self.at.idle.append(self)
        else:
            self.transport.close()
        if on_end:
            on_end(answer)

    # -- asyncio.Protocol --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio transports, but not for a type checker
        self.transport = cast("asyncio.Transport", transport)
        self.at = self._pool.add(self, transport.get_extra_info("peername"))

    def data_received(self, data: bytes) -> None:
        if self._on_end is None:
            self._abort()  # bytes arrived that belong to no request
            return
        self._received_bytes += len(data)
        if not self._in_body:
            self._head += data
        try:
            self._parser.feed_data(data)
            if self._received_bytes > (MAX_ANSWER_BYTES if self._in_body else MAX_HEAD_BYTES) and not self._answer:
                raise ValueError("too long")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError) as failure:
            if self._answer is None:
                self.fail(GarbledAnswer(str(failure)))
                return
            self.usable = False  # more than one answer came; the first one is valid
        if self._answer is not None:
            self._complete(self._answer)
        else:
            self._pool.answer_memory.add(self, len(data))  # this may end the exchange

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.remove(self)
        self.usable = False
        if self._on_end is None:
            return
        if self._in_body and exc is None and _ends_with_connection(self._head):
            self.on_message_complete()
            self.usable = False
            if self._answer is not None:
                self._complete(self._answer)
        elif self._received_bytes:
            self.fail(GarbledAnswer("the answer ended too early"))
        elif self.last_used:
            self.fail(StaleConnection("the server had closed the connection"))
        else:
            self.fail(ConnectionLost("the connection was closed without an answer"))

    # -- httptools' callbacks: feed_data turns what they raise into an HttpParserError -------------------------

    def on_message_begin(self) -> None:
        if self._answer is not None:
            raise ValueError("more than one answer")

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # an interim answer, which the final one follows
            self._body, self._in_body = [], False
        else:
            self.usable = self._parser.should_keep_alive()
            body = self._body
            self._answer = Answer(status, body[0] if len(body) == 1 else b"".join(body), self._head)


def _ends_with_connection(data: bytes) -> bool:
    return not FRAMING.search(head_of(data))
