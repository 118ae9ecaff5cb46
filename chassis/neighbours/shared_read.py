"""Reads under way: one call, and all that wait for what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from chassis.neighbours.dialect import DialectClient, outgoing
from chassis.neighbours.transport import Answer, Exchange, OutgoingRequest, Stale, TransportError

T = TypeVar("T")

ReadKey = tuple[str, bytes | None, int, str | None]
"""What makes two reads the same: path, body, the writes sent and ended before, and the caller's token."""


class PendingRead(Generic[T]):
    """One caller's wait for a read under way: to be awaited or cancelled."""

    __slots__ = ("_shared", "_value")

    def __init__(self, shared: SharedRead[T], value: asyncio.Future[T]) -> None:
        self._shared, self._value = shared, value

    def __await__(self) -> Generator[Any, None, T]:
        return self._value.__await__()

    def cancel(self) -> None:
        """The caller waits no longer; if nobody else does, the call is given up, and its connection with it."""
        value = self._value
        if not value.cancel() and not value.cancelled():
            value.exception()  # has been seen: asyncio would complain
        elif self._shared.waiting:
            self._shared.leave(value)


class SharedRead(Generic[T]):
    """A read under way that ends before `until`, for all that wait for it.

    The short way is a request written on a connection at hand and an answer decoded where it arrives: no coroutine, no
    task. Whatever is not as it should be (no connection, no place, an open breaker, no good answer) goes on the long
    way, `DialectClient.decoded`, as a task in the context of whoever began.
    """

    __slots__ = (
        "_began",
        "_context",
        "_decode",
        "_exchange",
        "_places",
        "_remote",
        "_request",
        "_task",
        "_under_way",
        "key",
        "seconds",
        "until",
        "waiting",
    )

    def __init__(
        self,
        remote: DialectClient,
        under_way: dict[ReadKey, SharedRead[Any]],
        request: OutgoingRequest,
        decode: Callable[[bytes], T],
        until: float,
    ) -> None:
        self._under_way = under_way
        self._remote, self._request, self._decode = remote, request, decode
        self._places = remote.searches if request.search else remote.bulkhead
        self.until = until
        self._began = now = time.monotonic()
        self.seconds = min(remote.timeout, until - now)
        """How long it may take."""
        self.key: ReadKey | None = None
        """Where others find it, if they may."""
        self.waiting: list[asyncio.Future[T]] = []
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[T] | None = None
        self._context = copy_context()

    def start(self) -> None:
        remote, request, seconds = self._remote, self._request, self.seconds
        if not remote.breaker.open and seconds > 0 and self._places.try_enter():
            try:
                headers = outgoing(seconds, request.content)
                self._exchange = remote.wire.begin(request, headers, seconds=seconds, ended=self._ended)
            finally:
                if self._exchange is None:
                    self._places.leave()
            if self._exchange is not None:
                remote.refill_retry_budget()
                return
        self._go_on(None)

    def join(self) -> PendingRead[T]:
        value: asyncio.Future[T] = self._remote.loop.create_future()
        self.waiting.append(value)
        return PendingRead(self, value)

    def leave(self, value: asyncio.Future[T]) -> None:
        """One of those that wait does so no longer."""
        if value in self.waiting:
            self.waiting.remove(value)
            if not self.waiting:
                self._stop()

    def _ended(self, outcome: Answer | Exception) -> None:
        """The short way has come to its end: a good answer, as nearly always, or something for the long way."""
        self._exchange = None
        remote = self._remote
        self._places.leave()
        if isinstance(outcome, Answer) and outcome.status == 200:
            try:
                found = self._decode(outcome.content)
            except Exception:  # the long way meets it again, and says so
                self._go_on(outcome)
                return
            remote.breaker.record(failed=False)
            remote.calls.ended(time.monotonic() - self._began)
            for value in self.over():
                value.set_result(found)
            return
        if isinstance(outcome, TransportError) and not isinstance(outcome, Stale):
            remote.failed(outcome, self.seconds)
        self._go_on(outcome)

    def _go_on(self, first: Answer | Exception | None) -> None:
        """The long way, from what has come so far."""
        call = self._remote.decoded(self._request, self._decode, "", repeatable=True, began=self._began, first=first)
        self._task = self._remote.loop.create_task(call, context=self._context)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[T]) -> None:
        failure = None if task.cancelled() else task.exception()
        for value in self.over():
            if task.cancelled():
                value.cancel()
            elif failure is not None:
                value.set_exception(failure)
            else:
                value.set_result(task.result())

    def over(self) -> list[asyncio.Future[T]]:
        """Nobody may join any more; returns those that wait."""
        if self.key is not None:
            del self._under_way[self.key]
            self.key = None
        waiting, self.waiting = self.waiting, []
        return [value for value in waiting if not value.done()]

    def _stop(self) -> None:
        self.over()
        if self._exchange is not None:
            self._exchange.cancel()
            self._exchange = None
            self._places.leave()
            self._remote.calls.ended(time.monotonic() - self._began, asyncio.CancelledError())
        elif self._task is not None:
            self._task.cancel()
