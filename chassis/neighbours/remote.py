"""One neighbour, as the rest of a process asks it: reads, of which identical ones are made once, and writes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx2
import orjson

from chassis.neighbours.dialect import DialectClient
from chassis.neighbours.shared_read import PendingRead, ReadKey, SharedRead
from chassis.neighbours.transport import AnswerMemory, OutgoingRequest, header_line
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
        answer_memory: AnswerMemory | None = None,
    ) -> None:
        super().__init__(name, base_url, settings, transport=transport, answer_memory=answer_memory)
        self.shared_reads: dict[ReadKey, SharedRead[Any]] = {}
        """Reads under way that others may join."""
        self._writes = 0
        """Counts each write when it is sent and when it ends: a read that begins later joins none that began before."""

    async def read(self, path: str, decode: Callable[[bytes], T], body: Any = None, *, search: bool = False) -> T:
        """Reads `path`: by GET or, with a body, by POST. Identical reads under way at the same time are made once. A
        `search` is what the neighbour may have to look for: of those no more than half of all calls are made at a time.

        `decode` raises ValueError for what is no answer to this question. Raises the neighbour's refusal, Unavailable
        (also for what does not decode), or DeadlineExceeded.
        """
        pending = self.begin(path, decode, body, search=search)
        try:
            return await pending
        except asyncio.CancelledError:
            pending.cancel()
            raise

    def begin(
        self, path: str, decode: Callable[[bytes], T], body: Any = None, *, search: bool = False
    ) -> PendingRead[T]:
        """Begins a read: when this returns, the request is on its way if nothing stands in its way. What is returned is
        to be awaited, like `read`, or cancelled."""
        content = None if body is None else _dumps(body)
        ends_at = deadline.current()
        key = (path, content, self._writes, context.current().caller.token)  # one caller's answer is not another's
        shared = self.shared_reads.get(key)
        if shared is not None and shared.deadline <= ends_at:
            self.calls.joined.value += 1
            return shared.join()
        request = OutgoingRequest("GET" if body is None else "POST", path, content, search)
        reading = SharedRead(self, self.shared_reads, request, decode, ends_at)
        if shared is None and reading.seconds == self.timeout:  # only reads with the full time-out may be joined
            reading.key = key
            self.shared_reads[key] = reading
        try:
            reading.start()
        except BaseException:
            reading.close()
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
        sent = headers or {}
        lines = "".join(header_line(name, value) for name, value in sent.items())
        self._writes += 1
        try:
            return await self.call(
                request,
                decode,
                lines,
                repeatable="Idempotency-Key" in sent,
                is_write=True,
                status=_success_status(method, sent),
            )
        finally:
            self._writes += 1  # also when nobody knows what became of it


def neighbours(
    urls: Mapping[str, str],
    settings: NeighbourSettings,
    transports: Mapping[str, httpx2.AsyncBaseTransport] | None = None,
) -> dict[str, Remote]:
    """All that a process asks, by name; their answers share its memory."""
    answer_memory = AnswerMemory(settings.max_answers_bytes)
    given_transports = transports or {}
    return {
        name: Remote(name, url, settings, transport=given_transports.get(name), answer_memory=answer_memory)
        for name, url in urls.items()
    }


def _success_status(method: str, headers: Mapping[str, str]) -> int:
    """The status by which our dialect says that a write was done."""
    if method == "POST":
        return 201
    return 204 if method == "DELETE" and "return=representation" not in headers.get("Prefer", "") else 200


def _dumps(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
