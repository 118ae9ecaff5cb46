"""Our REST dialect spoken as a client: what a neighbour refuses is raised here as the class it was raised there.

One call passes, in this order: the breaker, the bulkhead, the transport; and, where it may be repeated, once more after
a short pause. Every call ends within its attempt's time and within the time that the request at hand has left
(`chassis.request.deadline`), carries the trace, and ends in a value or in a `Refusal` that names the neighbour. Only
the status that a call is to have makes a value, and only of what its caller can decode: any other answer that is no
refusal is none, and counts against the neighbour.
"""

import asyncio
import calendar
import logging
import math
import random
import time
from collections.abc import Callable
from email.utils import parsedate
from types import TracebackType
from typing import Self, TypeVar

import httpx2
import msgspec

from chassis.bulkhead import Bulkhead, BulkheadShare, FullError
from chassis.errors import (
    BY_STATUS,
    OF_THE_REQUEST,
    DeadlineExceeded,
    FieldError,
    Refusal,
    Unauthenticated,
    Unavailable,
)
from chassis.neighbours import metrics
from chassis.neighbours.breaker import Breaker
from chassis.neighbours.default_transport import DefaultTransport
from chassis.neighbours.transport import (
    Answer,
    AnswerMemory,
    HttpxTransport,
    OutgoingRequest,
    Refused,
    Stale,
    TimedOut,
    TooMuch,
    Transport,
    TransportError,
    header,
)
from chassis.request import context, deadline
from chassis.settings import NeighbourSettings

log = logging.getLogger("remote")
T = TypeVar("T")

RETRY_PAUSE = 0.05
"""Seconds before a retry, at most; how many is drawn, so that callers who failed together do not come back together."""
TOLD = 0.95
"""The part of our time-out that we send downstream, so that the neighbour's own 503, which names the real culprit,
arrives before ours fires."""
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


class DialectClient:
    """One neighbour, as `settings` say how patient to be with it. `transport` takes the place of the network; `budget`
    is the memory that its answers share with those of others."""

    def __init__(
        self,
        name: str,
        base_url: str,
        settings: NeighbourSettings | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        budget: AnswerMemory | None = None,
    ) -> None:
        settings = settings or NeighbourSettings()
        self.name = name
        self.timeout = settings.neighbour_timeout
        places = settings.connections_of_a_worker
        self.bulkhead = Bulkhead(places, settings.neighbour_queue)
        """Where a call needs a place."""
        self.searches: Bulkhead | BulkheadShare = BulkheadShare(
            self.bulkhead, max(1, places // 2), settings.neighbour_queue
        )
        """Where a search does: it has half of them, so that slow ones leave some to reads by id."""
        self.breaker = Breaker(name, settings.breaker_share, self._is_ready)
        budget = budget or AnswerMemory(settings.max_answers_bytes)
        self.wire: Transport = (
            HttpxTransport(base_url, transport, budget) if transport else DefaultTransport(base_url, budget)
        )
        self._retry_ratio = settings.retry_budget
        self._retry_tokens = MAX_TOKENS if settings.retry_budget else 0.0
        self.calls = metrics.Calls(name)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        metrics.NEIGHBOURS[self.name] = ((self.bulkhead, self.searches), self.breaker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.breaker.close()
        await self.wire.close()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that all calls run in; asyncio asks the kernel for our pid each time that one asks for it."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
        return self._loop

    async def decoded(
        self,
        request: OutgoingRequest,
        decode: Callable[[bytes], T],
        headers: str,
        *,
        repeatable: bool,
        wrote: bool = False,
        status: int = 200,
        began: float | None = None,
        first: Answer | Exception | None = None,
    ) -> T:
        """One call, from its first attempt to its end; from `first`, what came of one that `began` already. A good
        answer has this `status`."""
        began, ended = began or time.monotonic(), None
        try:
            answer = await self._called(request, headers, repeatable, first)
            if answer.status >= 400:
                raise self._refused(answer, wrote)
            try:
                if answer.status != status:
                    raise ValueError(f"status {answer.status} instead of {status}")
                found = decode(answer.content)
            except (ValueError, RecursionError) as failure:
                answer.content = b""  # the traceback would hold it for as long as anybody holds the failure
                self.breaker.record(failed=True)
                raise self._failed(Unavailable(f"{self.name} deu uma resposta inválida"), failure) from failure
            self.breaker.record(failed=False)
            return found
        except BaseException as failure:
            ended = failure
            raise
        finally:
            self.calls.ended(time.monotonic() - began, ended)
            del ended  # which holds this frame by its traceback, and with it what was answered

    async def _called(
        self, request: OutgoingRequest, headers: str, repeatable: bool, first: Answer | Exception | None
    ) -> Answer:
        """The answer, after one retry at most."""
        if first is None:
            self.refill_retry_budget()
        elif isinstance(first, Stale):
            first = None
        again = False
        while True:
            try:
                if first is None:
                    return await self._attempt(request, headers, repeatable)
                if isinstance(first, Answer):
                    return first
                raise first
            except TransportError as failure:
                late = isinstance(failure, TimedOut)
                harmless = (repeatable and not isinstance(failure, TooMuch)) or isinstance(failure, Refused)
                if again or not harmless or self._retry_tokens < 1 or deadline.remaining() < RETRY_PAUSE:
                    said = "não respondeu a tempo" if late else "não está respondendo"
                    kind = DeadlineExceeded if late else Unavailable
                    raise self._failed(kind(f"{self.name} {said}"), failure) from failure
            first, again = None, True
            self._retry_tokens -= 1
            self.calls.retries.value += 1
            await asyncio.sleep(RETRY_PAUSE * random.random())  # noqa: S311 - jitter, not a secret

    async def _attempt(self, request: OutgoingRequest, headers: str, repeatable: bool) -> Answer:
        """One attempt. Raises TransportError, or a refusal of our own that asks nobody."""
        if self.breaker.open:
            raise self._quietly(Unavailable(f"{self.name} não está respondendo"))
        seconds = min(self.timeout, deadline.remaining())
        if seconds <= 0:
            raise self._quietly(DeadlineExceeded(f"{self.name} não respondeu a tempo"))
        until = time.monotonic() + seconds
        places = self.searches if request.search else self.bulkhead
        try:
            await places.enter(seconds)
        except FullError as failure:
            raise self._failed(Unavailable(f"{self.name} está ocupado"), failure) from failure
        try:
            left = until - time.monotonic()
            sent = outgoing(left, request.content) + headers
            answer = await self.wire.send(request, sent, seconds=left, repeatable=repeatable)
        except TransportError as failure:
            self.failed(failure, seconds)
            raise
        finally:
            places.leave()
        return answer

    def failed(self, failure: TransportError, seconds: float) -> None:
        """Tells the breaker of an attempt that had so many `seconds` and got no answer; who judges an answer tells it
        of that."""
        hurried = isinstance(failure, TimedOut) and seconds < self.timeout / 2
        # Too slow for somebody in a hurry says nothing about it; nor does too much at a time, of all answers.
        if not isinstance(failure, TooMuch) and not hurried:
            self.breaker.record(failed=True)

    def refill_retry_budget(self) -> None:
        """A call is made: so much more may be spent on retries."""
        self._retry_tokens = min(self._retry_tokens + self._retry_ratio, MAX_TOKENS)

    def _refused(self, answer: Answer, wrote: bool) -> Refusal:
        """The neighbour's problem+json as the exception it was; its own trouble as Unavailable or DeadlineExceeded."""
        kind = BY_STATUS.get(answer.status)
        try:
            problem = PROBLEM.decode(answer.content)
        except (ValueError, RecursionError):
            problem = None
        if problem is None or kind is None or answer.status >= 500:
            return _told(self._broken(answer.status, problem, wrote), answer)
        self.breaker.record(failed=False)
        if kind is Unauthenticated:  # we have let the caller in: that it judges their token otherwise, they cannot mend
            said = f"status {answer.status} {problem.code}"
            return self._failed(Unavailable(f"{self.name} não aceitou esta requisição"), said)
        errors = [FieldError(one.field, one.code, one.message) for one in problem.errors]
        refusal = kind(problem.detail, code=problem.code, errors=errors)
        refusal.service = self.name
        return _told(refusal, answer)

    def _broken(self, status: int, problem: Problem | None, wrote: bool) -> Refusal:
        """A problem that a write met, such as a full disk, is the write's alone: it must not cut off the reads. Nor
        must a search that was too slow, or one too many, cut off those who ask for less."""
        culprit = (problem and problem.service) or self.name
        hurried = status == DeadlineExceeded.status and deadline.remaining() < self.timeout
        spared = problem is not None and problem.code in OF_THE_REQUEST
        if culprit == self.name and not hurried and not spared and not (wrote and problem):
            self.breaker.record(failed=True)
        kind = DeadlineExceeded if status == DeadlineExceeded.status else Unavailable
        said = problem.detail if problem and spared else f"{culprit} não conseguiu responder"
        refusal = self._failed(kind(said), f"status {status}")
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
                OutgoingRequest("GET", "/health/ready"), "", seconds=min(PROBE_SECONDS, self.timeout), repeatable=True
            )
        except TransportError:
            return False
        return answer.status == 200


def _told(refusal: Refusal, answer: Answer) -> Refusal:
    """The refusal, with the Retry-After that came with it."""
    if answer.retry_after and (seconds := _seconds(answer.retry_after.strip())) is not None:
        refusal.retry_after = seconds
        refusal.headers["Retry-After"] = str(seconds)
    return refusal


def _seconds(retry_after: str) -> int | None:
    """From now on, at least 1; of a number of seconds or a date (RFC 9110, 10.2.3). None for what is neither."""
    if retry_after.isdecimal() and len(retry_after) < 10:
        return max(1, int(retry_after))
    try:
        date = parsedate(retry_after)
        return date and max(1, math.ceil(calendar.timegm(date) - time.time()))
    except ValueError:
        return None


def outgoing(seconds: float, content: bytes | None) -> str:
    """The headers of a call that may take so many `seconds`."""
    trace, _, caller = context.current()
    lines = f"{deadline.HEADER}: {max(1, int(seconds * TOLD * 1000))}\r\n"
    if trace is not None:
        lines += trace.header_lines()
    if caller.token:
        lines += header("Authorization", f"Bearer {caller.token}")
    if content is not None:
        lines += "content-type: application/json\r\n"
    return lines
