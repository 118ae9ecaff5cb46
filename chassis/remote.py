"""Our REST dialect spoken as a client: what a neighbour refuses is raised here as the class it was raised there.

One call passes, in this order: the reads under way (an identical one is joined), the breaker, the bulkhead, the wire;
and, where it may be repeated, once more after a short pause. Every call ends within its attempt's time and within the
time that the request at hand has left (`chassis.deadline`), carries the trace, and ends in a value or in a `Refusal`
that names the neighbour.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Generator, Mapping
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx2
import msgspec
import orjson

from chassis import deadline, identity, metrics, trace
from chassis.breaker import Breaker
from chassis.bulkhead import Bulkhead, FullError
from chassis.errors import BY_STATUS, DeadlineExceeded, FieldError, Refusal, Unavailable
from chassis.lean import LeanWire
from chassis.settings import NeighbourSettings
from chassis.wire import Answer, Exchange, HttpxWire, Refused, Stale, TimedOut, Wire, WireError

log = logging.getLogger("remote")
T = TypeVar("T")

RETRY_PAUSE = 0.05
"""Seconds before a retry, at most; how many is drawn, so that callers who failed together do not come back together."""
WAY_BACK = 0.05
"""The part of an attempt's time that the neighbour is not told of, so that its own account of what failed, which may be
somebody else beyond it, arrives before we give it up and blame it."""
PROBE_SECONDS = 1.0
MAX_TOKENS = 10.0


class ProblemField(msgspec.Struct):
    field: str
    code: str
    message: str


class Problem(msgspec.Struct):
    """What we read of a neighbour's problem+json."""

    code: str
    detail: str = ""
    errors: list[ProblemField] = []  # msgspec copies it
    service: str | None = None


PROBLEM = msgspec.json.Decoder(Problem)


class Remote:
    """One neighbour, as `settings` say how patient to be with it. `transport` takes the place of the network."""

    def __init__(
        self,
        name: str,
        base_url: str,
        settings: NeighbourSettings | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        settings = settings or NeighbourSettings()
        self.name = name
        self.timeout = settings.neighbour_timeout
        self.bulkhead = Bulkhead(settings.neighbour_connections, settings.neighbour_queue)
        self.breaker = Breaker(name, settings.breaker_share, self._is_ready)
        self.wire: Wire = HttpxWire(base_url, transport) if transport else LeanWire(base_url)
        self._retry_ratio = settings.retry_budget
        self._retry_tokens = MAX_TOKENS if settings.retry_budget else 0.0
        self.calls = metrics.Calls(name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.shared: dict[_Key, _Shared[Any]] = {}
        """Reads under way that others may join."""
        self._writes = 0
        """Writes so far: a read that begins after a write must not join one that began before it."""

    async def __aenter__(self) -> Self:
        metrics.NEIGHBOURS[self.name] = (self.bulkhead, self.breaker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.breaker.close()
        await self.wire.close()

    async def read(self, path: str, decode: Callable[[bytes], T], body: Any = None) -> T:
        """Reads `path`: by GET or, with a body, by POST. Identical reads under way at the same time are made once.

        Raises the neighbour's refusal, Unavailable (also for what does not decode), or DeadlineExceeded.
        """
        reading = self.begin(path, decode, body)
        try:
            return await reading
        except asyncio.CancelledError:
            reading.cancel()
            raise

    def begin(self, path: str, decode: Callable[[bytes], T], body: Any = None) -> "Reading[T]":
        """Begins a read: when this returns, the request is on its way if nothing stands in its way. What is returned is
        to be awaited, like `read`, or cancelled."""
        content = None if body is None else _dumps(body)
        until = deadline.until()
        key = (path, content, self._writes, identity.current().token)  # one caller's answer is not another's
        shared = self.shared.get(key)
        if shared is not None and shared.until <= until:
            self.calls.joined.value += 1
            return shared.join()
        reading = _Shared(self, path, content, decode, until)
        if shared is None and reading.seconds == self.timeout:  # who is in a hurry must not hurry the others
            reading.key = key
            self.shared[key] = reading
        try:
            reading.start()
        except BaseException:
            reading.over()
            raise
        return reading.join()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that all calls run in; asyncio asks the kernel for our pid each time that one asks for it."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
        return self._loop

    async def write(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Changes something; repeated, when the answer is lost, only under an `Idempotency-Key`. Raises like `read`."""
        content, sent = None if body is None else _dumps(body), headers or {}
        try:
            return await self.decoded(
                method, path, decode, content, sent, repeatable="Idempotency-Key" in sent, wrote=True
            )
        finally:
            self._writes += 1

    async def decoded(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        repeatable: bool,
        wrote: bool = False,
        began: float | None = None,
        first: Answer | Exception | None = None,
    ) -> T:
        """One call, from its first attempt to its end; from `first`, what came of one that `began` already."""
        began, ended = began or time.monotonic(), None
        try:
            answer = await self._called(method, path, content, headers, repeatable, first)
            if answer.status >= 400:
                raise self._refused(answer, wrote)
            try:
                return decode(answer.content)
            except ValueError as failure:
                self.breaker.record(failed=True)
                raise self._failed(Unavailable(f"{self.name} deu uma resposta inválida"), failure) from failure
        except BaseException as failure:
            ended = failure
            raise
        finally:
            self.calls.ended(time.monotonic() - began, ended)

    async def _called(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        repeatable: bool,
        first: Answer | Exception | None,
    ) -> Answer:
        """The answer, after one retry at most."""
        if first is None:
            self.earn()
        elif isinstance(first, Stale):
            first = None
        again = False
        while True:
            try:
                if first is None:
                    return await self._attempt(method, path, content, headers, repeatable)
                if isinstance(first, Answer):
                    return first
                raise first
            except WireError as failure:
                late = isinstance(failure, TimedOut)
                harmless = repeatable or isinstance(failure, Refused)
                if again or not harmless or self._retry_tokens < 1 or deadline.left() < RETRY_PAUSE:
                    said = "não respondeu a tempo" if late else "não está respondendo"
                    kind = DeadlineExceeded if late else Unavailable
                    raise self._failed(kind(f"{self.name} {said}"), failure) from failure
            first, again = None, True
            self._retry_tokens -= 1
            self.calls.retries.value += 1
            await asyncio.sleep(RETRY_PAUSE * random.random())  # noqa: S311 - jitter, not a secret

    async def _attempt(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str], repeatable: bool
    ) -> Answer:
        """One attempt. Raises WireError, or a refusal of our own that asks nobody."""
        if self.breaker.open:
            raise self._quietly(Unavailable(f"{self.name} não está respondendo"))
        seconds = min(self.timeout, deadline.left())
        if seconds <= 0:
            raise self._quietly(DeadlineExceeded(f"{self.name} não respondeu a tempo"))
        until = time.monotonic() + seconds
        try:
            await self.bulkhead.enter(seconds)
        except FullError as failure:
            raise self._failed(Unavailable(f"{self.name} está ocupado"), failure) from failure
        try:
            left = until - time.monotonic()
            sent = {**outgoing(left, content), **headers}
            answer = await self.wire.send(method, path, sent, content, seconds=left, repeatable=repeatable)
        except WireError as failure:
            self.note(failure, seconds)
            raise
        finally:
            self.bulkhead.leave()
        self.note(answer, seconds)
        return answer

    def note(self, outcome: Answer | Exception, seconds: float) -> None:
        """Tells the breaker what came of an attempt that had so many `seconds`."""
        if isinstance(outcome, Answer):
            if outcome.status < 500:
                self.breaker.record(failed=False)
            return
        hurried = isinstance(outcome, TimedOut) and seconds < self.timeout / 2
        if isinstance(outcome, WireError) and not hurried:  # too slow for somebody in a hurry says nothing about it
            self.breaker.record(failed=True)

    def earn(self) -> None:
        """A call is made: so much more may be spent on retries."""
        self._retry_tokens = min(self._retry_tokens + self._retry_ratio, MAX_TOKENS)

    def _refused(self, answer: Answer, wrote: bool) -> Refusal:
        """The neighbour's problem+json as the exception it was; its own trouble as Unavailable or DeadlineExceeded."""
        kind = BY_STATUS.get(answer.status)
        try:
            problem = PROBLEM.decode(answer.content)
        except msgspec.MsgspecError:
            problem = None
        if problem is None or kind is None or answer.status >= 500:
            return self._broken(answer.status, problem, wrote)
        errors = [FieldError(one.field, one.code, one.message) for one in problem.errors]
        refusal = kind(problem.detail, code=problem.code, errors=errors)
        refusal.service = self.name
        return refusal

    def _broken(self, status: int, problem: Problem | None, wrote: bool) -> Refusal:
        """A problem that a write met, such as a full disk, is the write's alone: it must not cut off the reads."""
        culprit = (problem and problem.service) or self.name
        hurried = status == DeadlineExceeded.status and deadline.left() < self.timeout
        if culprit == self.name and not hurried and not (wrote and problem):
            self.breaker.record(failed=True)
        kind = DeadlineExceeded if status == DeadlineExceeded.status else Unavailable
        refusal = self._failed(kind(f"{culprit} não conseguiu responder"), f"status {status}")
        refusal.service = culprit
        return refusal

    def _failed(self, refusal: Refusal, why: object) -> Refusal:
        refusal.service = self.name
        log.warning("call failed", extra={"service": self.name, "code": refusal.code, "reason": repr(why)})
        return refusal

    def _quietly(self, refusal: Refusal) -> Refusal:
        """A call that was not made is not worth a line each: the breaker wrote one."""
        refusal.service = self.name
        return refusal

    async def _is_ready(self) -> bool:
        try:
            answer = await self.wire.send(
                "GET", "/health/ready", {}, None, seconds=min(PROBE_SECONDS, self.timeout), repeatable=True
            )
        except WireError:
            return False
        return answer.status == 200


class Reading(Generic[T]):
    """One caller's wait for a read under way: to be awaited or cancelled."""

    __slots__ = ("_shared", "_value")

    def __init__(self, shared: "_Shared[T]", value: "asyncio.Future[T]") -> None:
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


_Key = tuple[str, bytes | None, int, str | None]


class _Shared(Generic[T]):
    """A read under way that ends before `until`, for all that wait for it.

    The short way is a request written on a connection at hand and an answer decoded where it arrives: no coroutine, no
    task. Whatever is not as it should be (no connection, no place, an open breaker, no good answer) goes on the long
    way, `Remote.decoded`, as a task in the context of whoever began.
    """

    __slots__ = (
        "_began",
        "_content",
        "_context",
        "_decode",
        "_exchange",
        "_path",
        "_remote",
        "_task",
        "key",
        "seconds",
        "until",
        "waiting",
    )

    def __init__(
        self, remote: Remote, path: str, content: bytes | None, decode: Callable[[bytes], T], until: float
    ) -> None:
        self._remote, self._path, self._content, self._decode = remote, path, content, decode
        self.until = until
        self._began = now = time.monotonic()
        self.seconds = min(remote.timeout, until - now)
        """How long it may take."""
        self.key: _Key | None = None
        """Where others find it, if they may."""
        self.waiting: list[asyncio.Future[T]] = []
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[T] | None = None
        self._context = copy_context()

    @property
    def _method(self) -> str:
        return "GET" if self._content is None else "POST"

    def start(self) -> None:
        remote, content, seconds = self._remote, self._content, self.seconds
        if not remote.breaker.open and seconds > 0 and remote.bulkhead.take():
            try:
                headers = outgoing(seconds, content)
                self._exchange = remote.wire.begin(
                    self._method, self._path, headers, content, seconds=seconds, ended=self._ended
                )
            finally:
                if self._exchange is None:
                    remote.bulkhead.leave()
            if self._exchange is not None:
                remote.earn()
                return
        self._go_on(None)

    def join(self) -> Reading[T]:
        value: asyncio.Future[T] = self._remote.loop.create_future()
        self.waiting.append(value)
        return Reading(self, value)

    def leave(self, value: "asyncio.Future[T]") -> None:
        """One of those that wait does so no longer."""
        if value in self.waiting:
            self.waiting.remove(value)
            if not self.waiting:
                self._stop()

    def _ended(self, outcome: Answer | Exception) -> None:
        """The short way has come to its end: a good answer, as nearly always, or something for the long way."""
        self._exchange = None
        remote = self._remote
        remote.bulkhead.leave()
        if not isinstance(outcome, Stale):
            remote.note(outcome, self.seconds)
        if isinstance(outcome, Answer) and outcome.status == 200:
            try:
                found = self._decode(outcome.content)
            except Exception:  # noqa: S110  # the long way meets it again, and says so
                pass
            else:
                remote.calls.ended(time.monotonic() - self._began)
                for value in self.over():
                    value.set_result(found)
                return
        self._go_on(outcome)

    def _go_on(self, first: Answer | Exception | None) -> None:
        """The long way, from what has come so far."""
        call = self._remote.decoded(
            self._method,
            self._path,
            self._decode,
            self._content,
            {},
            repeatable=True,
            began=self._began,
            first=first,
        )
        self._task = self._remote.loop.create_task(call, context=self._context)
        self._task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[T]") -> None:
        failure = None if task.cancelled() else task.exception()
        for value in self.over():
            if task.cancelled():
                value.cancel()
            elif failure is not None:
                value.set_exception(failure)
            else:
                value.set_result(task.result())

    def over(self) -> "list[asyncio.Future[T]]":
        """Nobody may join any more; returns those that wait."""
        if self.key is not None:
            del self._remote.shared[self.key]
            self.key = None
        waiting, self.waiting = self.waiting, []
        return [value for value in waiting if not value.done()]

    def _stop(self) -> None:
        self.over()
        if self._exchange is not None:
            self._exchange.cancel()
            self._exchange = None
            self._remote.bulkhead.leave()
            self._remote.calls.ended(time.monotonic() - self._began, asyncio.CancelledError())
        elif self._task is not None:
            self._task.cancel()


def outgoing(seconds: float, content: bytes | None) -> dict[str, str]:
    """The headers of a call that may take so many `seconds`."""
    headers = {deadline.HEADER: str(max(1, int(seconds * (1 - WAY_BACK) * 1000)))}
    if traceparent := trace.outgoing():
        headers["traceparent"] = traceparent
    if authorization := identity.outgoing():
        headers["Authorization"] = authorization
    if content is not None:
        headers["content-type"] = "application/json"
    return headers


def _dumps(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
