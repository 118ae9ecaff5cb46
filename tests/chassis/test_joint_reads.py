"""Reads of rows by their ids that are begun in one turn of the event loop are one call to the service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from msgspec import Struct
from msgspec.json import Decoder
from starlette.types import Receive, Scope, Send

from chassis.errors import Unavailable
from chassis.neighbours.remote import Remote
from chassis.neighbours.transport import Answer
from chassis.query.pagination import MAX_IDS
from chassis.request import context
from chassis.request.caller import Caller
from chassis.request.context import RequestContext
from chassis.settings import NeighbourSettings
from tests.chassis.peers import serving, until


class RowOfId(Struct):
    id: int


class Found(Struct):
    items: list[RowOfId]


def decoder_of(_ids: list[int]) -> Callable[[bytes], Found]:
    return Decoder(Found).decode


class Rows:
    """A service that has every row. It notes the ids of each call, and answers them when `answers` is set."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.status = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        ids: list[int] = orjson.loads((await receive())["body"])["ids"]
        self.calls.append(ids)
        await self.answers.wait()
        body = orjson.dumps({"items": [{"id": id} for id in ids]})
        fields = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": self.status, "headers": fields})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def asked(rows: Rows) -> AsyncGenerator[Remote]:
    settings = NeighbourSettings(neighbour_timeout=30)
    async with serving(rows) as served, Remote("pessoas", f"http://127.0.0.1:{served.port}", settings) as remote:
        yield remote


async def read(remote: Remote, *ids: int, token: str | None = None, seconds: float = 60) -> list[int]:
    """The ids of the rows that a request with this token and this much time gets."""
    context.enter(RequestContext(None, time.monotonic() + seconds, Caller(token=token)))
    pending = remote.begin_rows("/", [*ids], decoder_of)
    try:
        found: Any = await pending
    except asyncio.CancelledError:
        pending.cancel()
        raise
    return [row.id for row in found.items]


async def test_requests_of_one_turn_make_one_call_and_each_gets_its_rows() -> None:
    rows = Rows()
    async with asked(rows) as remote:
        found = await asyncio.gather(read(remote, 1, 3), read(remote, 2, 3), read(remote, 1, 2, 3))

    assert found == [[1, 3], [2, 3], [1, 2, 3]]
    assert rows.calls == [[1, 2, 3]]


async def test_other_tokens_later_turns_and_who_is_short_of_time_make_calls_of_their_own() -> None:
    rows = Rows()
    async with asked(rows) as remote:
        await asyncio.gather(read(remote, 1), read(remote, 2, token="other"), read(remote, 3, seconds=20))
        await read(remote, 4)

    assert sorted(rows.calls) == [[1], [2], [3], [4]]


async def test_who_goes_away_takes_nothing_from_the_others_and_the_last_one_ends_the_call() -> None:
    rows = Rows()
    rows.answers.clear()
    async with asked(rows) as remote:
        gone, stays = asyncio.create_task(read(remote, 1)), asyncio.create_task(read(remote, 2))
        await until(lambda: bool(rows.calls), "the call arrives")
        gone.cancel()
        await asyncio.sleep(0)
        rows.answers.set()
        assert await stays == [2]

        alone = asyncio.create_task(read(remote, 3))
        await asyncio.sleep(0)
        alone.cancel()
        await asyncio.wait([alone])
        assert remote.bulkhead.busy == 0


async def test_a_failure_is_told_to_each_of_them() -> None:
    rows = Rows()
    rows.status = 500
    async with asked(rows) as remote:
        found = await asyncio.gather(read(remote, 1), read(remote, 2), return_exceptions=True)

    assert [type(one) for one in found] == [Unavailable, Unavailable]


async def test_more_ids_than_one_call_may_have_are_two_calls() -> None:
    rows, half = Rows(), MAX_IDS // 2 + 1
    async with asked(rows) as remote:
        await asyncio.gather(read(remote, *range(1, half + 1)), read(remote, *range(half, 2 * half)))

    assert [len(call) for call in rows.calls] == [half, half]


async def test_rows_are_kept_as_of_the_sending_of_their_call() -> None:
    rows, told = Rows(), list[object]()

    def on_send(ids: list[int]) -> Callable[[Found, Answer], None]:
        told.append(ids)
        return lambda found, _answer: told.append(len(found.items))

    async with asked(rows) as remote:
        pending = [remote.begin_rows("/", [id], decoder_of, on_send) for id in (1, 2)]
        assert told == []
        for one in pending:
            await one

    assert told == [[1, 2], 2]


async def test_a_fault_of_who_keeps_the_rows_is_told_to_each_who_waits() -> None:
    def on_send(_ids: list[int]) -> Callable[[Found, Answer], None]:
        return lambda found, _answer: found.items.remove(RowOfId(0))

    async with asked(Rows()) as remote:
        await read(remote, 1)  # so that there is an idle connection
        pending = [remote.begin_rows("/", [id], decoder_of, on_send) for id in (1, 2)]
        for one in pending:
            with pytest.raises(ValueError, match="not in list"):
                await one
