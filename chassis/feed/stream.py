"""The changes as server-sent events: one long answer, which a browser's EventSource reads and resumes by itself."""

import asyncio
import logging
import math
import random
from uuid import UUID

from starlette.types import Receive, Scope, Send

from chassis.db.changes import BATCH
from chassis.errors import Gone, InvalidValue, Refusal
from chassis.feed.feed import Feed
from chassis.feed.log import Change
from chassis.request import context
from chassis.rest.collection import dumps
from chassis.web.negotiation import EVENT_STREAM

log = logging.getLogger("feed")

HEARTBEAT_SECONDS = 15.0
"""Seconds after which something is sent, so that proxies keep the connection and a follower notices a dead one."""
STREAM_SECONDS = 300.0
"""How long one stream lasts at most. Its client then connects again, with a token that is valid then."""
PAUSE_SECONDS = 1.0
HEARTBEAT = b":\n\n"
HEADERS = [
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


class EventStream:
    """The answer that tells `first`, the changes after `position`, and then each one that follows."""

    def __init__(self, feed: Feed, address: str, epoch: UUID, position: int, first: list[Change]) -> None:
        self._feed, self._address, self._epoch, self._position, self._first = feed, address, epoch, position, first

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        feed, loop = self._feed, asyncio.get_running_loop()
        spread = random.uniform(0.8, 1)  # noqa: S311 - so that not all of them come back at once
        ends_at = loop.time() + STREAM_SECONDS * spread
        with feed.follower(self._address):
            if begin_waiting := scope.get("begin_waiting"):
                begin_waiting(feed.drain)
            context.enter(context.current()._replace(deadline=math.inf))
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            begin = f"retry: 1000\nid: {self._epoch}:{self._position}\n\n".encode()
            await self._write(send, begin + self._events(self._first))
            self._first = []
            while not feed.draining and loop.time() < ends_at:
                await feed.wait(self._position, self._epoch, min(HEARTBEAT_SECONDS, ends_at - loop.time()))
                try:
                    _, items = await feed.waited(self._position, self._epoch, BATCH)
                except Gone:
                    break  # the client learns why when it connects again
                except Refusal:  # it is far behind, and the database is away
                    items = []
                    await asyncio.sleep(PAUSE_SECONDS)
                await self._write(send, self._events(items) or HEARTBEAT)
            await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send, data: bytes) -> None:
        """Returns when there is room for more: a client that does not read is cut off by its connection."""
        await send({"type": "http.response.body", "body": data, "more_body": True})

    def _events(self, items: list[Change]) -> bytes:
        if items:
            self._position = items[-1].seq
        return b"".join(
            b"id: %b:%d\ndata: %b\n\n" % (str(self._epoch).encode(), item.seq, dumps(item._asdict())) for item in items
        )
