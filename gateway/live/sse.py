"""GraphQL over server-sent events, in distinct connections mode: one answer for each operation.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. The id of an event is its cursor, so that a browser's
EventSource resumes by itself: it sends the last id as `Last-Event-ID`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from chassis.process.long_connection import LongConnection
from chassis.web.negotiation import EVENT_STREAM
from gateway.live.events import EventBatch
from gateway.live.subscription import OpenSubscription
from gateway.live.subscriptions import Subscriptions

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

HEADERS = (
    (b"content-type", f"{EVENT_STREAM}; charset=utf-8".encode()),
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the events
)
RECONNECTING = ("UNAVAILABLE", "UNAUTHENTICATED")
"""Codes of the ends that another connection mends: with another process, or with a new token."""
COMPLETE = b"event: complete\ndata: \n\n"  # without `data`, a browser would not tell of it


def whole_stream(result: bytes) -> bytes:
    """The stream of an operation that has one result: a query, a mutation, or a request that is refused."""
    return b"event: next\ndata: %b\n\n%b" % (result, COMPLETE)


class GraphQLStream(LongConnection):
    """One open stream: the sink of one subscription."""

    __slots__ = ("_chunked", "_early", "_subscription", "_subscriptions")

    def __init__(self, subscriptions: Subscriptions, *, chunked: bool) -> None:
        """HTTP/1.0 knows no chunks."""
        self._subscriptions, self._chunked = subscriptions, chunked
        self._subscription: OpenSubscription | None = None
        self._early: list[bytes] | None = []
        """What is sent before the head of the answer was."""

    @property
    def at_drain(self) -> Any:
        return self._subscriptions.drain

    def begin(self, subscription: OpenSubscription) -> None:
        self._subscription = subscription

    # -- the subscription's calls ------------------------------------------------------------------------------

    def send(self, batch: EventBatch) -> None:
        form = "chunk" if self._chunked else "events"
        if form not in batch.written:
            events = b"".join(
                b"event: next\nid: %b\ndata: %b\n\n" % (one.cursor.encode(), one.text) for one in batch.events
            )
            batch.written[form] = _chunk(events) if self._chunked else events
        self._send(batch.written[form])

    def end(self, errors: bytes | None, cursor: str) -> None:
        """After an end that another connection mends, the stream stops without `complete`: clients then connect again,
        by themselves."""
        self._subscription = None
        last = f"id: {cursor}\n\n".encode()
        if errors is None:
            last += COMPLETE
        elif code_of_end(errors) not in RECONNECTING:
            last += whole_stream(b'{"errors":%b}' % errors)
        self._send(_chunk(last) + b"0\r\n\r\n" if self._chunked else last)
        if self._early is None:
            self.finish()

    def unsent(self) -> int:
        return self.unread_bytes if self._early is None else sum(map(len, self._early))

    def _send(self, data: bytes) -> None:
        if self._early is None:
            self.write(data)
        else:
            self._early.append(data)

    # -- the server's calls ------------------------------------------------------------------------------------

    def opened(self) -> None:
        early, self._early = self._early or [], None
        self._comment(b"retry: 1000\n")
        for data in early:
            self.write(data)
        if self._subscription is None:  # it has ended already
            self.finish()

    def beat(self, now: float) -> None:
        self._comment(b"")

    def close_unless_opened(self) -> None:
        """The client has gone before the head of the answer could be written."""
        if self._early is not None:
            self.closed()

    def _comment(self, field: bytes) -> None:
        """Sends how far we are: `EventSource` takes note of it, and tells the page nothing."""
        if self._subscription:
            data = b"%bid: %b\n\n" % (field, self._subscription.cursor.encode())
            self.write(_chunk(data) if self._chunked else data)

    def drain(self) -> None:
        """The subscription's own end closes the stream."""

    def evict(self) -> None:
        self.closed()
        self.finish()

    def closed(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription:
            subscription.close()


class GraphQLStreamResponse:
    """The answer that is `stream`, from its first event to its last."""

    def __init__(self, stream: GraphQLStream, headers: Mapping[str, str]) -> None:
        self._stream, self._headers = stream, headers

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        more = [(name.lower().encode(), value.encode()) for name, value in self._headers.items()]
        framing = [(b"transfer-encoding", b"chunked")] if scope["http_version"] == "1.1" else []
        head: Any = {"type": "http.response.start", "status": 200}
        head["headers"] = [*HEADERS, (b"connection", b"close"), *framing, *more]
        try:
            await send(head | {"successor": self._stream})
        finally:
            self._stream.close_unless_opened()


def code_of_end(errors: bytes) -> str:
    """Why a subscription ends."""
    return orjson.loads(errors)[0]["extensions"]["code"]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
