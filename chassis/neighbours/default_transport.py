"""A lean HTTP/1.1 client for one neighbour: kept connections over httptools, and nothing that a neighbour needs not.

A general client spends most of a short call on its pool, its URL and header types and its task bookkeeping: 60 µs
(aiohttp) to 500 µs (httpx2) of CPU under concurrency, where this spends about 15. It has no redirects, cookies,
proxies, compression or HTTP/2: an answer that needs one of them is no answer of our dialect. How many requests run at a
time is its caller's to bound; each has a connection to itself, and a connection carries one request at a time.
"""

import asyncio
import re
import ssl
import time
from typing import cast
from urllib.parse import urlsplit

import httptools

from chassis import write_batch
from chassis.neighbours.resolver import CONNECT_SECONDS
from chassis.neighbours.transport import (
    MAX_ANSWER_BYTES,
    Answer,
    AnswerMemory,
    Ended,
    Garbled,
    Lost,
    OutgoingRequest,
    Refused,
    Stale,
    TimedOut,
    TransportError,
)

IDLE_SECONDS = 30.0
"""A connection unused for longer is not used again: the other side closes its own after 75."""
MAX_HEAD_BYTES = 65_536
NEVER = float("inf")
FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
"""A header that says where an answer ends; without one it ends with its connection."""
RETRY_AFTER = re.compile(rb"\r\nretry-after[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
INTERIM = re.compile(rb"HTTP/1\.[01] 1\d\d ")


class DefaultTransport:
    """Connections to the one server that `base_url` names."""

    def __init__(self, base_url: str, budget: AnswerMemory) -> None:
        url = urlsplit(base_url)
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._prefix = url.path
        self._head = f"host: {url.netloc.rpartition('@')[2]}\r\naccept: application/json\r\n"
        self._pool = Pool(budget)

    async def send(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        repeatable: bool,
    ) -> Answer:
        until = time.monotonic() + seconds
        written = self._written(request, headers)
        connection = self._pool.kept()
        if connection is not None:
            try:
                return await connection.exchange(written, seconds)
            except Stale:
                if not repeatable:
                    raise
        connection = await self._connect(until - time.monotonic())
        return await connection.exchange(written, until - time.monotonic())

    def begin(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        ended: Ended,
    ) -> "OutgoingConnection | None":
        written = self._written(request, headers)
        connection = self._pool.kept()
        if connection is not None:
            connection.begin(written, seconds, ended)
        return connection

    async def close(self) -> None:
        self._pool.close()

    async def _connect(self, seconds: float) -> "OutgoingConnection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(min(CONNECT_SECONDS, seconds)):
                _, connection = await loop.create_connection(
                    lambda: OutgoingConnection(self._pool), self._host, self._port, ssl=self._tls
                )
        except TimeoutError as failure:
            if seconds <= CONNECT_SECONDS:
                raise TimedOut("no connection in time") from failure
            raise Refused(f"no connection within {CONNECT_SECONDS} s") from failure
        except (OSError, UnicodeError) as failure:
            raise Refused(str(failure)) from failure
        return connection

    def _written(self, request: OutgoingRequest, headers: str) -> bytes:
        method, path, content, _ = request
        if "\r" in path or "\n" in path:
            raise ValueError("a line break in a path")
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._head}{headers}"
        if content is None:
            return f"{head}\r\n".encode("latin-1")
        return f"{head}content-length: {len(content)}\r\n\r\n".encode("latin-1") + content


class Pool:
    """The connections to one server: those that are open, those that rest, and one timer for all that are waited for.

    A timer of its own for each exchange would cost more than writing the request. `budget` is what their answers may
    hold.
    """

    def __init__(self, budget: AnswerMemory) -> None:
        self.budget = budget
        self.open: set[OutgoingConnection] = set()
        self.idle: list[OutgoingConnection] = []
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0
        """When the timer does, if there is one."""

    def kept(self) -> "OutgoingConnection | None":
        """The connection used last among those that are open, so that the others can grow old."""
        now = time.monotonic()
        while self.idle:
            connection = self.idle.pop()
            if connection.usable and now - connection.used < IDLE_SECONDS:
                return connection
            connection.transport.abort()
        return None

    def watch(self, due: float) -> None:
        """Sees to it that an exchange that has not ended when it is `due` is ended then."""
        if self._timer is not None:
            if self._rings <= due:
                return
            self._timer.cancel()
        self._rings = due
        # Of a loop whose clock counts milliseconds: never early.
        self._timer = asyncio.get_running_loop().call_later(due - time.monotonic() + 0.001, self._ring)

    def _ring(self) -> None:
        # This process may have been stopped, or busy, for long: what has arrived meanwhile is read before it is late.
        self._timer = asyncio.get_running_loop().call_later(0.001, self._end_what_is_late)

    def _end_what_is_late(self) -> None:
        self._timer = None
        now = time.monotonic()
        for connection in [one for one in self.open if one.due <= now]:
            connection.late()
        if waiting := [one.due for one in self.open if one.due < NEVER]:
            self.watch(min(waiting))

    def close(self) -> None:
        for connection in list(self.open):
            connection.transport.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class OutgoingConnection(asyncio.Protocol):
    """One connection, and the answer that it is waiting for."""

    transport: asyncio.Transport

    def __init__(self, pool: Pool) -> None:
        self.usable = True
        """Whether another request may be sent on it."""
        self.used = 0.0
        """When its last answer ended; 0 before the first."""
        self.due = NEVER
        """When the answer that is waited for is late."""
        self.held = 0
        """Bytes of the answer that are charged to the budget: all but those that came last."""
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._ended: Ended | None = None
        self._forget()

    def _forget(self) -> None:
        if self.held:
            self._pool.budget.give_back(self)
        self._head = b""
        """The first bytes of the answer, up to its body at least."""
        self._body: list[bytes] = []
        self._in_body = False
        self._answer: Answer | None = None

    def begin(self, request: bytes, seconds: float, ended: Ended) -> None:
        """Sends the request; `ended` is called with the answer, within `seconds`, or with why there is none."""
        self._ended = ended
        self._size = 0
        """Bytes of the answer that have come."""
        self.due = due = time.monotonic() + seconds
        self._pool.watch(due)
        write_batch.write(self.transport, request)

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        self._ended = None
        self._hang_up()

    async def exchange(self, request: bytes, seconds: float) -> Answer:
        """Sends the request and waits for the answer. Raises TransportError."""
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def ended(outcome: Answer | Exception) -> None:
            if waiting.done():
                return
            if isinstance(outcome, Answer):
                waiting.set_result(outcome)
            else:
                waiting.set_exception(outcome)

        if not self.usable:
            raise Lost("closed before it was used")
        self.begin(request, seconds, ended)
        try:
            return await waiting
        except asyncio.CancelledError:
            if self._ended is ended:  # else it has been answered, and another request may be on its way by now
                self.cancel()
            raise

    def late(self) -> None:
        self.give_up(TimedOut("no answer in time"))

    def give_up(self, failure: TransportError) -> None:
        ended, self._ended = self._ended, None
        self._hang_up()
        if ended:
            ended(failure)

    def _hang_up(self) -> None:
        self.usable = False
        self.due = NEVER
        self._forget()
        self.transport.abort()

    def _complete(self, answer: Answer) -> None:
        ended, self._ended = self._ended, None
        self._forget()
        self.due = NEVER
        self.used = time.monotonic()
        if self.usable:
            self._pool.idle.append(self)
        else:
            self.transport.close()
        if ended:
            ended(answer)

    # -- asyncio.Protocol --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, but says so to no type checker
        self._pool.open.add(self)

    def data_received(self, data: bytes) -> None:
        if self._ended is None:
            self._hang_up()  # an answer that nobody asked for
            return
        self._size += len(data)
        if not self._in_body:
            self._head += data
        try:
            self._parser.feed_data(data)
            if self._size > (MAX_ANSWER_BYTES if self._in_body else MAX_HEAD_BYTES) and not self._answer:
                raise ValueError("too long")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError) as failure:
            if self._answer is None:
                self.give_up(Garbled(str(failure)))
                return
            self.usable = False  # more than one answer: the first is good
        if self._answer is not None:
            self._complete(self._answer)
        else:
            self._pool.budget.take(self, len(data))  # which may have given it up

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.open.discard(self)
        self.usable = False
        if self._ended is None:
            return
        if self._in_body and exc is None and _ends_with_its_connection(self._head):
            self.on_message_complete()
            self.usable = False
            if self._answer is not None:
                self._complete(self._answer)
        elif self._size:
            self.give_up(Garbled("the answer ended too early"))
        elif self.used:
            self.give_up(Stale("the server had closed the connection"))
        else:
            self.give_up(Lost("the connection was closed without an answer"))

    # -- httptools' callbacks: what they raise comes out of feed_data as an HttpParserError --------------------

    def on_message_begin(self) -> None:
        if self._answer is not None:
            raise ValueError("more than one answer")

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # an interim answer: the real one follows
            self._body, self._in_body = [], False
        else:
            self.usable = self._parser.should_keep_alive()
            body = self._body
            self._answer = Answer(status, body[0] if len(body) == 1 else b"".join(body))
            if status >= 400:  # a header is looked for in refusals only: no good answer pays for it
                said = RETRY_AFTER.search(_head_of(self._head))
                self._answer.retry_after = said[1].decode("latin-1") if said else ""


def _head_of(begun: bytes) -> bytes:
    """The head of the answer that begins like this, without those of interim answers before it."""
    head, _, rest = begun.partition(b"\r\n\r\n")
    while INTERIM.match(head):
        head, _, rest = rest.partition(b"\r\n\r\n")
    return head


def _ends_with_its_connection(begun: bytes) -> bool:
    return not FRAMING.search(_head_of(begun))
