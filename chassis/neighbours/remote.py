"""Reads from one neighbour and writes to it. Identical reads that run at the same time share one call."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from chassis import write_batch
from chassis.neighbours.dialect import DialectClient, OnValue
from chassis.neighbours.joint_read import DecoderOf, F, JointRead, JointRows, OnSend
from chassis.neighbours.shared_read import PendingRead, ReadKey, SharedRead
from chassis.neighbours.transport import AnswerMemory, OutgoingRequest, header_line
from chassis.query.pagination import MAX_IDS
from chassis.request import context
from chassis.settings import NeighbourSettings

T = TypeVar("T")
JOIN_SECONDS = 0.5
"""A read that was sent longer ago is not joined: its answer may show what was long ago."""


class Remote(DialectClient):
    """Reads from one neighbour, and writes to it."""

    def __init__(
        self,
        name: str,
        base_url: str,
        settings: NeighbourSettings | None = None,
        answer_memory: AnswerMemory | None = None,
    ) -> None:
        super().__init__(name, base_url, settings, answer_memory)
        self.shared_reads: dict[ReadKey, SharedRead[Any]] = {}
        """Running reads that an identical read may join."""
        self._joint_reads: dict[tuple[str, int, str | None], JointRead[Any]] = {}
        """The bulk reads that this turn of the event loop has begun."""
        self._writes = 0
        """Increased when a write is sent and when it ends. It is part of a read's key, so that a read never joins one
        that began before a write."""

    async def read(
        self,
        path: str,
        decode: Callable[[bytes], T],
        body: Any = None,
        *,
        search: bool = False,
        joins: bool = True,
        on_value: OnValue[T] | None = None,
    ) -> T:
        """Reads `path`: by GET, or by POST when there is a body. Identical reads that run at the same time share one
        call. A `search` is a read that the neighbour may answer slowly: at most half of all calls at a time are
        searches. `joins` and `on_value` are those of `begin`.

        `decode` raises ValueError when the content is not an answer to this question. Raises the neighbour's refusal,
        Unavailable (also when `decode` fails), or DeadlineExceeded.
        """
        pending = self.begin(path, decode, body, search=search, joins=joins, on_value=on_value)
        try:
            return await pending
        except asyncio.CancelledError:
            pending.cancel()
            raise

    def begin(
        self,
        path: str,
        decode: Callable[[bytes], T],
        body: Any = None,
        *,
        search: bool = False,
        joins: bool = True,
        on_value: OnValue[T] | None = None,
    ) -> PendingRead[T]:
        """Begins a read, and returns what the caller has to await or to cancel. When possible, the request is already
        sent when this returns.

        `on_value` is called only for the reads that this call sends. With `joins` it may join one that was sent up to
        `JOIN_SECONDS` before.
        """
        content = None if body is None else _dumps(body)
        trace, ends_at, caller = context.current()
        # callers with different tokens may get different answers
        key = (path, content, self._writes, caller.token)
        shared, young = self.shared_reads.get(key), False
        if shared is not None:
            young = joins and time.monotonic() - shared.began < JOIN_SECONDS
            if young and shared.deadline <= ends_at:
                self.calls.joined.value += 1
                shared.link(trace)
                return shared.join()
        request = OutgoingRequest("GET" if body is None else "POST", path, content, search)
        reading = SharedRead(self, self.shared_reads, request, decode, ends_at, trace, on_value)
        if ends_at - reading.began >= self.timeout and not young:  # who joins must not be hurried
            if shared is not None:
                shared.key = None  # from now on the newer one is joined
            reading.key = key
            self.shared_reads[key] = reading
        try:
            reading.start()
        except BaseException:
            reading.close()
            raise
        return reading.join()

    def begin_rows(
        self, path: str, ids: list[int], decoder_of: DecoderOf[F], on_send: OnSend[F] | None = None
    ) -> JointRows | PendingRead[F]:
        """Begins a bulk read of these ids, in ascending order. What requests with the same token begin in one turn of
        the event loop is one call, which leaves when the turn ends, as every call does."""
        trace, ends_at, caller = context.current()
        if ends_at - time.monotonic() < self.timeout:  # who is short of time must not hurry the others
            on_value = on_send(ids) if on_send else None
            return self.begin(path, decoder_of(ids), {"ids": ids}, joins=False, on_value=on_value)
        key = (path, self._writes, caller.token)
        joint = self._joint_reads.get(key)
        if joint is not None and len(joint.ids) + len(ids) > MAX_IDS:
            joint.send()
            joint = None
        if joint is None:
            if not self._joint_reads:
                write_batch.at_end(self._send_joint_reads)
            joint = self._joint_reads[key] = JointRead(
                self, self.shared_reads, path, decoder_of, ends_at, trace, on_send
            )
        else:
            self.calls.joined.value += 1
            joint.link(trace)
            joint.deadline = min(joint.deadline, ends_at)
        joint.ids.update(ids)
        return JointRows(joint, joint.join(), ids)

    def _send_joint_reads(self) -> None:
        joint_reads, self._joint_reads = self._joint_reads, {}
        for one in joint_reads.values():
            one.send()

    async def write(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        on_value: OnValue[T] | None = None,
    ) -> T:
        """Changes something. When the answer is lost, the request is repeated only if it has an `Idempotency-Key`.
        Raises like `read`."""
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
                on_value=on_value,
            )
        finally:
            self._writes += 1  # also when its outcome is not known


def neighbours(urls: Mapping[str, str], settings: NeighbourSettings) -> dict[str, Remote]:
    """The clients for all neighbours of a process, by name. Their answers share one answer memory."""
    answer_memory = AnswerMemory(settings.max_answers_bytes)
    return {name: Remote(name, url, settings, answer_memory) for name, url in urls.items()}


def _success_status(method: str, headers: Mapping[str, str]) -> int:
    """The status of a successful write in our dialect."""
    if method == "POST":
        return 201
    return 204 if method == "DELETE" and "return=representation" not in headers.get("Prefer", "") else 200


def _dumps(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
