"""One neighbour, as the rest of a process asks it: reads, of which identical ones are made once, and writes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx2
import orjson

from chassis.neighbours.dialect import DialectClient
from chassis.neighbours.shared_read import PendingRead, ReadKey, SharedRead
from chassis.neighbours.transport import AnswerMemory, OutgoingRequest, header
from chassis.request import context, deadline
from chassis.settings import NeighbourSettings

T = TypeVar("T")


class Remote(DialectClient):
    """One neighbour: what can be read from it, and changed there."""

    def __init__(
        self,
        name: str,
        base_url: str,
        settings: NeighbourSettings | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        budget: AnswerMemory | None = None,
    ) -> None:
        super().__init__(name, base_url, settings, transport=transport, budget=budget)
        self.shared: dict[ReadKey, SharedRead[Any]] = {}
        """Reads under way that others may join."""
        self._writes = 0
        """Counts each write when it is sent and when it ends: a read that begins later joins none that began before."""

    async def read(self, path: str, decode: Callable[[bytes], T], body: Any = None, *, search: bool = False) -> T:
        """Reads `path`: by GET or, with a body, by POST. Identical reads under way at the same time are made once. A
        `search` is what the neighbour may have to look for: of those no more than half of all calls are made at a time.

        `decode` raises ValueError for what is no answer to this question. Raises the neighbour's refusal, Unavailable
        (also for what does not decode), or DeadlineExceeded.
        """
        reading = self.begin(path, decode, body, search=search)
        try:
            return await reading
        except asyncio.CancelledError:
            reading.cancel()
            raise

    def begin(
        self, path: str, decode: Callable[[bytes], T], body: Any = None, *, search: bool = False
    ) -> PendingRead[T]:
        """Begins a read: when this returns, the request is on its way if nothing stands in its way. What is returned is
        to be awaited, like `read`, or cancelled."""
        content = None if body is None else _dumps(body)
        until = deadline.current()
        key = (path, content, self._writes, context.current().caller.token)  # one caller's answer is not another's
        shared = self.shared.get(key)
        if shared is not None and shared.until <= until:
            self.calls.joined.value += 1
            return shared.join()
        request = OutgoingRequest("GET" if body is None else "POST", path, content, search)
        reading = SharedRead(self, self.shared, request, decode, until)
        if shared is None and reading.seconds == self.timeout:  # only reads with the full time-out may be joined
            reading.key = key
            self.shared[key] = reading
        try:
            reading.start()
        except BaseException:
            reading.over()
            raise
        return reading.join()

    async def write(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Changes something; repeated, when the answer is lost, only under an `Idempotency-Key`. Raises like `read`."""
        request = OutgoingRequest(method, path, None if body is None else _dumps(body))
        given = headers or {}
        lines = "".join(header(name, value) for name, value in given.items())
        self._writes += 1
        try:
            return await self.decoded(
                request,
                decode,
                lines,
                repeatable="Idempotency-Key" in given,
                wrote=True,
                status=_done(method, given),
            )
        finally:
            self._writes += 1  # also when nobody knows what became of it


def neighbours(
    urls: Mapping[str, str],
    settings: NeighbourSettings,
    transports: Mapping[str, httpx2.AsyncBaseTransport] | None = None,
) -> dict[str, Remote]:
    """All that a process asks, by name; their answers share its memory."""
    budget = AnswerMemory(settings.max_answers_bytes)
    given = transports or {}
    return {name: Remote(name, url, settings, transport=given.get(name), budget=budget) for name, url in urls.items()}


def _done(method: str, headers: Mapping[str, str]) -> int:
    """The status by which our dialect says that a write was done."""
    if method == "POST":
        return 201
    return 204 if method == "DELETE" and "return=representation" not in headers.get("Prefer", "") else 200


def _dumps(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
