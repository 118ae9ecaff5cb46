"""A running read: one call, and all callers that wait for its value."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from chassis.neighbours.dialect import DialectClient, OnValue, call_headers
from chassis.neighbours.spans import RunningCall
from chassis.neighbours.transport import Answer, Exchange, OutgoingRequest, StaleConnection, TransportError
from chassis.request.trace_context import Trace

T = TypeVar("T")

ReadKey = tuple[str, bytes | None, int, str | None]
"""Two reads with equal keys are identical: path, body, the number of writes sent and ended before, and the caller's
token."""


class PendingRead(Generic[T]):
    """One caller's wait for a running read: to be awaited or cancelled."""

    __slots__ = ("_shared", "_waiter")

    def __init__(self, shared: SharedRead[T], waiter: asyncio.Future[T]) -> None:
        self._shared, self._waiter = shared, waiter

    def __await__(self) -> Generator[Any, None, T]:
        return self._waiter.__await__()

    def cancel(self) -> None:
        """The caller waits no longer. When nobody else waits, the call is cancelled, and its connection closed."""
        waiter = self._waiter
        if not waiter.cancel() and not waiter.cancelled():
            waiter.exception()  # marks the failure as seen; otherwise asyncio would log it
        elif self._shared.waiters:
            self._shared.remove_waiter(waiter)


class SharedRead(Generic[T]):
    """A running read that ends before `deadline`, for all callers that wait for it.

    The fast path writes the request on an idle connection and decodes the answer where it arrives, without a coroutine
    or a task. Everything unusual (no idle connection, no free slot, an open breaker, no good answer) takes the slow
    path: `DialectClient.call`, as a task in the context of the caller that began the read.
    """

    __slots__ = (
        "_context",
        "_decode",
        "_exchange",
        "_on_value",
        "_recorded",
        "_remote",
        "_request",
        "_shared_reads",
        "_slots",
        "_task",
        "began",
        "deadline",
        "key",
        "seconds",
        "waiters",
    )

    def __init__(
        self,
        remote: DialectClient,
        shared_reads: dict[ReadKey, SharedRead[Any]],
        request: OutgoingRequest,
        decode: Callable[[bytes], T],
        deadline: float,
        trace: Trace | None,
        on_value: OnValue[T] | None,
    ) -> None:
        self._shared_reads = shared_reads
        self._remote, self._request, self._decode, self._on_value = remote, request, decode, on_value
        self._slots = remote.searches if request.search else remote.bulkhead
        self.deadline = deadline
        self.began = now = time.monotonic()
        self.seconds = remote.attempt_seconds(deadline - now)
        """How many seconds the fast path may take."""
        self.key: ReadKey | None = None
        """The key under which identical reads find this one; None when they may not join it."""
        self.waiters: list[asyncio.Future[T]] = []
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[T] | None = None
        self._context = copy_context()
        self._recorded = RunningCall(trace, trace.recording) if trace and trace.recording else None
        """The call, as a part of the request that began the read; None while traces are off."""

    def start(self) -> None:
        remote, request, seconds, recorded = self._remote, self._request, self.seconds, self._recorded
        if not remote.breaker.open and seconds > 0 and self._slots.try_enter():
            try:
                headers = call_headers(seconds, request.content, recorded and recorded.span_id)
                self._exchange = remote.transport.begin(request, headers, seconds=seconds, on_end=self._on_answer)
            finally:
                if self._exchange is None:
                    self._slots.leave()
            if self._exchange is not None:
                remote.refill_retry_budget()
                return
        self._run_call(None)

    def link(self, trace: Trace | None) -> None:
        """The request of `trace` waits for this read too."""
        if self._recorded:
            self._recorded.link(trace)

    def join(self) -> PendingRead[T]:
        waiter: asyncio.Future[T] = self._remote.loop.create_future()
        self.waiters.append(waiter)
        return PendingRead(self, waiter)

    def remove_waiter(self, waiter: asyncio.Future[T]) -> None:
        """One caller waits no longer."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
            if not self.waiters:
                self._cancel()

    def _on_answer(self, outcome: Answer | Exception) -> None:
        """The fast path has ended: usually with a good answer. Anything else is left to the slow path."""
        self._exchange = None
        remote = self._remote
        self._slots.leave()
        if isinstance(outcome, Answer) and outcome.status == 200:
            try:
                value = self._decode(outcome.content)
                if self._on_value:
                    self._on_value(value, outcome)
            except Exception:  # the slow path does this again, and reports the failure
                self._run_call(outcome)
                return
            remote.breaker.record(failed=False)
            now = time.monotonic()
            remote.calls.record(now - self.began)
            if self._recorded:
                self._recorded.end(remote.described, self._request, self.began, now, 200)
            for waiter in self.close():
                waiter.set_result(value)
            return
        if isinstance(outcome, TransportError) and not isinstance(outcome, StaleConnection):
            remote.record_failure(outcome, self.seconds)
        self._run_call(outcome)

    def _run_call(self, first: Answer | Exception | None) -> None:
        """Starts the slow path, with what the fast path has got so far."""
        call = self._remote.call(
            self._request,
            self._decode,
            "",
            repeatable=True,
            began=self.began,
            first=first,
            on_value=self._on_value,
            recorded=self._recorded,
        )
        self._task = self._remote.loop.create_task(call, context=self._context)
        self._task.add_done_callback(self._on_call_done)

    def _on_call_done(self, task: asyncio.Task[T]) -> None:
        failure = None if task.cancelled() else task.exception()
        for waiter in self.close():
            if task.cancelled():
                waiter.cancel()
            elif failure is not None:
                waiter.set_exception(failure)
            else:
                waiter.set_result(task.result())

    def close(self) -> list[asyncio.Future[T]]:
        """From now on no caller can join. Returns those that still wait."""
        if self.key is not None:
            del self._shared_reads[self.key]
            self.key = None
        waiters, self.waiters = self.waiters, []
        return [waiter for waiter in waiters if not waiter.done()]

    def _cancel(self) -> None:
        self.close()
        if self._exchange is not None:
            self._exchange.cancel()
            self._exchange = None
            self._slots.leave()
            now, cancelled = time.monotonic(), asyncio.CancelledError()
            self._remote.calls.record(now - self.began, cancelled)
            if self._recorded:
                self._recorded.end(self._remote.described, self._request, self.began, now, 0, cancelled)
        elif self._task is not None:
            self._task.cancel()
