"""The changes as server-sent events: one long answer, which a browser's EventSource reads and resumes by itself."""

import asyncio
import random
from contextvars import Context
from typing import Any, ClassVar
from uuid import UUID

from starlette.types import Receive, Scope, Send

from chassis.db.changes import BATCH
from chassis.errors import Gone, InvalidValue, Refusal
from chassis.feed.feed import Feed
from chassis.feed.log import Change
from chassis.process.long_connection import LongConnection
from chassis.rest.collection import dumps
from chassis.web.negotiation import EVENT_STREAM

STREAM_SECONDS = 285.0
"""How long one stream lasts at most. Its client then connects again, with a token that is valid then."""
PAUSE_SECONDS = 1.0
HEARTBEAT = b":\n\n"
HEADERS = [
    (b"connection", b"close"),
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the events
]


def read_event_id(text: str) -> tuple[UUID, int]:
    """The epoch and the position in the id of an event. Raises InvalidValue."""
    epoch, _, position = text.partition(":")
    try:
        if position.isascii() and position.isdigit() and len(position) < 19:
            return UUID(epoch), int(position)
    except ValueError:
        pass
    raise InvalidValue("INVALID", "não é o id de um evento deste serviço")


class ChangeStream(LongConnection):
    """The answer that tells `first`, the changes after `position`, and then each one that follows."""

    __slots__ = ("_address", "_chunked", "_ends_at", "_epoch", "_feed", "_first", "_paused", "_position", "_reading")
    _latest: ClassVar[tuple[Any, bytes]] = (None, b"")
    """The last events that were made: which they are, and their text, which all streams share."""

    def __init__(self, feed: Feed, address: str, epoch: UUID, position: int, first: list[Change]) -> None:
        self._feed, self._address, self._epoch, self._position = feed, address, epoch, position
        self._first: list[Change] | None = first
        self._paused = False
        self._reading: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self._chunked = scope["http_version"] == "1.1"  # HTTP/1.0 knows no chunks
        framing = [(b"transfer-encoding", b"chunked")] if self._chunked else []
        self._feed.join(self._address)
        try:
            head: Any = {"type": "http.response.start", "status": 200, "headers": [*HEADERS, *framing]}
            await send(head | {"successor": self})
        finally:
            if self._first is not None:  # the client has gone before the socket was ours
                self._feed.leave(self._address)

    # -- the feed's call ---------------------------------------------------------------------------------------

    def told(self) -> None:
        """Sends what is new, a batch at a time, so that a client that does not read is noticed."""
        if self._paused or self._reading or self.transport.is_closing():
            return
        try:
            items = self._feed.recent(self._position, self._epoch, BATCH)
        except Gone:  # the client learns why when it connects again
            self.drain()
            return
        loop = asyncio.get_running_loop()
        if items is None:
            self._reading = loop.create_task(self._read(), context=Context())
        elif items:
            self._send(items)
            loop.call_soon(self.told)

    async def _read(self) -> None:
        """Reads a batch from the database, since this stream is far behind."""
        items: list[Change] = []
        try:
            _, items = await self._feed.after(self._position, self._epoch, BATCH)
        except Gone:
            self.drain()
        except Refusal:  # the database is away
            await asyncio.sleep(PAUSE_SECONDS)
        except BaseException:
            self.abort()
            raise
        self._reading = None
        if items:
            self._send(items)
        asyncio.get_running_loop().call_soon(self.told)

    def _send(self, items: list[Change]) -> None:
        events = (self._epoch, items[0].seq, items[-1].seq)
        if ChangeStream._latest[0] != events:
            ChangeStream._latest = (events, b"".join(_event(self._epoch, item) for item in items))
        self._write(ChangeStream._latest[1])
        self._position = items[-1].seq

    def _write(self, data: bytes) -> None:
        self.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    # -- the server's calls ------------------------------------------------------------------------------------

    def opened(self) -> None:
        first, self._first = self._first or [], None
        spread = random.uniform(0.85, 1)  # noqa: S311 - so that not all of them come back at once
        self._ends_at = self.beat_at + STREAM_SECONDS * spread
        self._feed.listeners.add(self)
        self._write(f"retry: 1000\nid: {self._epoch}:{self._position}\n\n".encode())
        if first:
            self._send(first)
        self.told()

    def beat(self, now: float) -> None:
        if now > self._ends_at:
            self.drain()
        else:
            self._write(HEARTBEAT)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._paused = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self._paused = False
        self.told()

    def drain(self) -> None:
        """Ends the stream. Its client goes on with another one."""
        if self._chunked:
            self.write(b"0\r\n\r\n")
        self.finish()

    def refuse_arriving(self) -> None:
        """What arrives is ignored, and takes no memory."""

    def closed(self) -> None:
        self._feed.listeners.discard(self)
        self._feed.leave(self._address)
        if self._reading:
            self._reading.cancel()


def _event(epoch: UUID, change: Change) -> bytes:
    return b"id: %b:%d\ndata: %b\n\n" % (str(epoch).encode(), change.seq, dumps(change._asdict()))
