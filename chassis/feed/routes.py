"""`GET /api/changes/`: the changes of a service after a position, at once, by a long poll, or as a stream of events."""

import json
import time
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Header, Query
from pydantic import AfterValidator, BaseModel, Field, PlainValidator, create_model
from starlette.requests import Request
from starlette.responses import Response

from chassis.db.changes import BATCH
from chassis.errors import InvalidValue, invalid
from chassis.feed.feed import Feed
from chassis.feed.log import Change, Head
from chassis.feed.stream import ChangeStream, read_event_id
from chassis.query.models import ABSENT, Id, Int8, StrictModel
from chassis.query.pagination import INT8
from chassis.request import context, deadline
from chassis.request.addresses import network
from chassis.rest.collection import json_response
from chassis.rest.openapi import answer
from chassis.rest.parameters import between, described, parameter
from chassis.rest.routes import with_types
from chassis.web.negotiation import EVENT_STREAM, quality
from chassis.web.reading import FastRoute, header

PATH = "/api/changes/"
MAX_WAIT = 30
"""Seconds that a request may wait for a change."""
GRACE_SECONDS = 2.0
"""How much later than its wait a request must have ended."""
EPOCH = "7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11"


def _waiting(seconds: float) -> float:
    if not 0 <= seconds <= MAX_WAIT:
        raise InvalidValue("OUT_OF_RANGE", f"deve estar entre 0 e {MAX_WAIT}")
    return seconds


def _epoch(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidValue("INVALID", "não é uma época deste serviço") from None


class Position(StrictModel):
    """The query parameters, as they are read."""

    after: int | None = None
    epoch: UUID | None = None
    limit: int = BATCH
    wait: float = 0.0


_MEMBERS: dict[str, Any] = {
    "after": (between(0, INT8), parameter("The position to go on from. Without it: only where to begin.", 4711)),
    "epoch": (
        described(UUID, PlainValidator(_epoch), type="string", format="uuid"),
        parameter("The epoch of that position. If it has ended, the answer is 410.", EPOCH),
    ),
    "limit": (between(1, BATCH), parameter("The most items in the answer.", 100, BATCH)),
    "wait": (
        described(float, AfterValidator(_waiting), minimum=0, maximum=MAX_WAIT),
        parameter("Seconds to wait for a change if there is none yet.", 20, 0.0),
    ),
}
ChangesParameters = create_model("ChangesParameters", __base__=Position, **_MEMBERS)


class EventHeaders(BaseModel):
    """The headers of a stream of events."""

    last_event_id: str | None = header(
        "Last-Event-ID", "Of a stream: the id of the last event that was read. It goes before `after`.", f"{EPOCH}:4711"
    )


class ChangePublic(StrictModel):
    """One change of one row, which is read again by its id."""

    seq: Id = Field(description="Its number; no number is left out.", examples=[4712])
    kind: str = Field(description="The word for the row.")
    id: Id = Field(description="The id of the row.", examples=[1])
    op: Literal["created", "updated", "deleted"] = Field(examples=["updated"])
    at: datetime = Field(description="When it was written.", examples=["2025-08-06T17:30:00Z"])


class ChangesPublic(StrictModel):
    """Changes in the order of their numbers, and where to go on."""

    items: list[ChangePublic]
    last: Int8 = Field(description="The position from which one goes on.")
    epoch: UUID = Field(description="Positions are valid in one epoch only; a restore begins another one.")
    as_of: datetime = ABSENT
    """All that was committed before is in this answer or in those before it. It is later than the request's arrival.
    Absent: there may be more."""


def add_to(app: FastAPI, feed: Feed, noun: str) -> None:
    """Adds the feed to a service. `noun` is the word for one of its rows."""
    item = {"seq": 4712, "kind": noun, "id": 1, "op": "updated", "at": "2025-08-06T17:30:00Z"}
    example = {"items": [item], "last": 4712, "epoch": EPOCH, "as_of": "2025-08-06T17:30:01Z"}

    async def changes(
        parameters: Position, headers: Annotated[EventHeaders, Header()], request: Request
    ) -> Response | ChangeStream:
        accept = request.headers.get("accept", "")
        if quality(accept, EVENT_STREAM) > quality(accept, "application/json"):
            return await _stream(feed, parameters, headers.last_event_id, request)
        return await _page(feed, parameters, request)

    responses = answer(200, example)
    event = f"id: {EPOCH}:4712\ndata: {json.dumps(item)}\n\n"
    responses[200]["content"][EVENT_STREAM] = {"schema": {"type": "string"}, "example": event}
    endpoint = with_types(changes, {"parameters": Annotated[ChangesParameters, Query()]})  # pyright: ignore
    for method, more in (("GET", {}), ("HEAD", {"include_in_schema": False})):
        documented: dict[str, Any] = {"summary": "What has changed since a position", "tags": ["changes"], **more}
        app.router.add_api_route(
            PATH,
            endpoint,
            methods=[method],
            operation_id="changes",
            response_model=ChangesPublic,
            responses=responses,
            route_class_override=FastRoute,
            **documented,
        )


async def _page(feed: Feed, parameters: Position, request: Request) -> Response:
    arrived = time.monotonic()
    if parameters.after is None:
        head = await feed.head()
        return _answer(head, [], head.last)
    position, limit = parameters.after, parameters.limit
    waits = bool(parameters.wait) and request.method == "GET"
    found = feed.known(position, parameters.epoch, limit) if waits else None
    head, items = found or await feed.after(position, parameters.epoch, limit)
    if not items and waits:
        seconds = _allow(request, parameters.wait)
        with feed.follower(_address(request)):
            # Each process that keeps rows asks some times a second: nobody wants to read that nothing has happened.
            request.scope["waited_in_vain"] = True
            if begin_waiting := request.scope.get("begin_waiting"):  # our server's; a test may call by ASGI
                begin_waiting(feed.drain)
            await feed.wait(position, head.epoch, seconds)
            head, items = await feed.waited(position, head.epoch, limit, arrived)
            request.scope["waited_in_vain"] = not items
    return _answer(head, items, position)


async def _stream(feed: Feed, parameters: Position, event_id: str | None, request: Request) -> Response | ChangeStream:
    if request.method == "HEAD":
        return Response(media_type=EVENT_STREAM)
    position, epoch = parameters.after, parameters.epoch
    if event_id:  # what the client has seen counts more than where it once began
        try:
            epoch, position = read_event_id(event_id)
        except InvalidValue as failure:
            raise invalid("Last-Event-ID", failure.code, failure.message) from None
    if position is None:
        head, items = await feed.head(), list[Change]()
        position = head.last
    else:
        head, items = await feed.after(position, epoch, BATCH)
    return ChangeStream(feed, _address(request), head.epoch, position, items)


def _address(request: Request) -> str:
    return network(request.client.host if request.client else "")


def _allow(request: Request, seconds: float) -> float:
    """Gives the request as much time as it wants to wait, unless its client has asked for an earlier end. Returns how
    long it may wait."""
    now = context.current()
    if deadline.HEADER.lower() not in request.headers:
        context.enter(now._replace(deadline=deadline.compute(seconds + GRACE_SECONDS)))
        return seconds
    return min(seconds, max(0.0, deadline.remaining() - GRACE_SECONDS))


def _answer(head: Head, items: list[Change], position: int) -> Response:
    last = items[-1].seq if items else position
    value: dict[str, Any] = {"items": [item._asdict() for item in items], "last": last, "epoch": head.epoch}
    if head.as_of is not None and last >= head.last:
        value["as_of"] = head.as_of
    return json_response(value)
