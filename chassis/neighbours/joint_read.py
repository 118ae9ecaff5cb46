"""Reads of rows by their ids that several requests begin in the same turn of the event loop, as one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeVar

import orjson

from chassis.neighbours.dialect import DialectClient, OnValue
from chassis.neighbours.shared_read import PendingRead, ReadKey, SharedRead
from chassis.neighbours.transport import OutgoingRequest
from chassis.request import context
from chassis.request.trace_context import Trace


class RowsById(Protocol):
    """The answer to a bulk read: rows, each with its `id`."""

    items: list[Any]


F = TypeVar("F", bound=RowsById)
DecoderOf = Callable[[list[int]], Callable[[bytes], F]]
"""Makes the decoder for the answer to a read of these ids."""
OnSend = Callable[[list[int]], OnValue[F]]
"""Called with the ids when their read is sent. Returns what is called with their rows."""


class JointRead(SharedRead[F]):
    """One bulk read of all ids that are added to it in this turn. It is sent at the turn's end, and ends before the
    first of its callers' deadlines."""

    __slots__ = ("_decoder_of", "_on_send", "_path", "ids")

    def __init__(
        self,
        remote: DialectClient,
        shared_reads: dict[ReadKey, SharedRead[Any]],
        path: str,
        decoder_of: DecoderOf[F],
        deadline: float,
        trace: Trace | None,
        on_send: OnSend[F] | None,
    ) -> None:
        super().__init__(remote, shared_reads, OutgoingRequest("POST", path), decoder_of([]), deadline, trace, None)
        self._path, self._decoder_of, self._on_send = path, decoder_of, on_send
        self.ids: set[int] = set()

    def send(self) -> None:
        """Sends the read, unless all callers have gone."""
        if not self.waiters:
            return
        ids = sorted(self.ids)
        try:
            self._decode = self._decoder_of(ids)
            self._request = OutgoingRequest("POST", self._path, orjson.dumps({"ids": ids}))
            if self._on_send:
                self._on_value = self._on_send(ids)
            self._context.run(self._start_in_time)
        except Exception as failure:
            for waiter in self.close():
                waiter.set_exception(failure)

    def _start_in_time(self) -> None:
        mine = context.current()
        if mine.deadline != self.deadline:
            context.enter(mine._replace(deadline=self.deadline))
            self.seconds = self._remote.attempt_seconds(self.deadline - time.monotonic())
        self.start()


class JointRows:
    """What one caller gets of a joint read: the rows that it has asked for."""

    __slots__ = ("_ids", "_joint", "_pending")

    def __init__(self, joint: JointRead[Any], pending: PendingRead[Any], ids: Sequence[int]) -> None:
        self._joint, self._pending, self._ids = joint, pending, ids

    def __await__(self) -> Generator[Any, None, Any]:
        found = yield from self._pending.__await__()
        if len(self._ids) == len(self._joint.ids):
            return found
        ids = set(self._ids)
        return type(found)([row for row in found.items if row.id in ids])

    def cancel(self) -> None:
        self._pending.cancel()
