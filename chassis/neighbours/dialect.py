"""The client side of our REST dialect: what a neighbour refuses is raised here as the same class of Refusal.

A call passes the breaker, then the bulkhead, then the transport. When it may be repeated, it is tried once more after a
short pause. Every attempt ends within the time-out and within a part of the time that the current request has left
(`chassis.request.deadline`), and it carries the trace. Every call ends in a value, or in a `Refusal` that names the
neighbour.

A call expects one status. It gives a value only when the answer has that status and its caller can decode the content.
Any other answer that is not a refusal counts as a failure of the neighbour.
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

import msgspec

from chassis.bulkhead import Bulkhead, BulkheadShare, FullError
from chassis.errors import (
    BY_STATUS,
    CODES_OF_THE_REQUEST,
    DeadlineExceeded,
    FieldError,
    Refusal,
    Unauthenticated,
    Unavailable,
)
from chassis.neighbours import metrics
from chassis.neighbours.breaker import Breaker
from chassis.neighbours.default_transport import DefaultTransport
from chassis.neighbours.spans import RunningCall, described
from chassis.neighbours.transport import (
    Answer,
    AnswerMemory,
    AnswerMemoryFull,
    AnswerTimeout,
    ConnectFailed,
    OutgoingRequest,
    StaleConnection,
    Transport,
    TransportError,
    header_line,
)
from chassis.request import context, deadline
from chassis.settings import UNIX, NeighbourSettings

log = logging.getLogger("remote")
T = TypeVar("T")
OnValue = Callable[[T, Answer], None]
"""Called once with the value of a good answer and with the answer itself, before anybody gets the value."""

RETRY_PAUSE = 0.05
"""The longest pause before a retry, in seconds. It is drawn at random, so that callers who failed together do not retry
together."""
ATTEMPT_SHARE = 2 / 3
"""The part of the time that a request has left which one attempt may take. The rest is for a retry, which may reach
another process, for what the request does with the answer, and for its own answer, which names who has failed."""
DOWNSTREAM_SHARE = 0.95
"""The part of our time-out that we send downstream, so that the neighbour's own 503, which names the real culprit,
arrives before ours fires."""
PROBE_SECONDS = 1.0
MAX_RETRY_TOKENS = 10.0


class ProblemField(msgspec.Struct):
    field: str
    code: str
    message: str


class Problem(msgspec.Struct):
    """The members that we read of a neighbour's problem+json."""

    code: str
    detail: str = ""
    errors: list[ProblemField] = []  # msgspec copies the default for each object
    service: str | None = None


PROBLEM = msgspec.json.Decoder(Problem)


class DialectClient:
    """Calls one neighbour. `settings` say by which transport, how long it waits, and how often it retries.
    `answer_memory` is the memory that this neighbour's answers share with those of others."""

    def __init__(
        self,
        name: str,
        base_url: str,
        settings: NeighbourSettings | None = None,
        answer_memory: AnswerMemory | None = None,
    ) -> None:
        settings = settings or NeighbourSettings()
        self.name = name
        self.timeout = settings.neighbour_timeout
        slots = settings.connections_of_a_worker
        self.bulkhead = Bulkhead(slots, settings.neighbour_queue)
        """Every call needs one of its slots."""
        self.searches: Bulkhead | BulkheadShare = BulkheadShare(
            self.bulkhead, max(1, slots // 2), settings.neighbour_queue
        )
        """Every search needs one of its slots, which are half of all: slow searches must leave some to reads by id."""
        self.breaker = Breaker(name, settings.breaker_share, self._is_ready)
        answer_memory = answer_memory or AnswerMemory(settings.max_answers_bytes)
        self.transport = make_transport(base_url, settings, answer_memory)
        self._retry_ratio = settings.retry_budget
        self._retry_tokens = MAX_RETRY_TOKENS if settings.retry_budget else 0.0
        self.calls = metrics.Calls(name)
        self.described = described(name, base_url)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        metrics.NEIGHBOURS[self.name] = ((self.bulkhead, self.searches), self.breaker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.breaker.close()
        await self.transport.close()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that all calls run in. It is kept, since asyncio asks the kernel for our process id at each
        look-up."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
        return self._loop

    async def call(
        self,
        request: OutgoingRequest,
        decode: Callable[[bytes], T],
        headers: str,
        *,
        repeatable: bool,
        is_write: bool = False,
        status: int = 200,
        began: float | None = None,
        first: Answer | Exception | None = None,
        on_value: OnValue[T] | None = None,
        recorded: RunningCall | None = None,
    ) -> T:
        """One whole call; only an answer with this `status` is good. When an attempt was made before, `began` is its
        start, `first` what came of it, and `recorded` the call if it is recorded."""
        if began is None:
            began, trace = time.monotonic(), context.current().trace
            if trace and trace.recording:
                recorded = RunningCall(trace, trace.recording)
        failed_by, answered = None, 0
        try:
            answer = await self._answer(request, headers, repeatable, first, recorded)
            answered = answer.status
            if answer.status >= 400:
                raise self._refusal(answer, is_write)
            try:
                if answer.status != status:
                    raise ValueError(f"status {answer.status} instead of {status}")
                value = decode(answer.content)
            except (ValueError, RecursionError) as failure:
                answer.content = b""  # the failure's traceback would keep the content in memory
                self.breaker.record(failed=True)
                raise self._logged(Unavailable(f"{self.name} deu uma resposta inválida"), failure) from failure
            self.breaker.record(failed=False)
            if on_value is not None:
                on_value(value, answer)
            return value
        except BaseException as failure:
            failed_by = failure
            raise
        finally:
            now = time.monotonic()
            self.calls.record(now - began, failed_by)
            if recorded:
                recorded.end(self.described, request, began, now, answered, failed_by)
            del failed_by  # its traceback keeps this frame in memory, and with it the answer

    async def _answer(
        self,
        request: OutgoingRequest,
        headers: str,
        repeatable: bool,
        first: Answer | Exception | None,
        recorded: RunningCall | None,
    ) -> Answer:
        """The answer, after at most one retry."""
        if first is None:
            self.refill_retry_budget()
        elif isinstance(first, StaleConnection):
            first = None  # the idle connection had ended, so the first attempt is still to be made
        retried = False
        while True:
            try:
                if first is None:
                    return await self._attempt(request, headers, repeatable, recorded)
                if isinstance(first, Answer):
                    return first
                raise first
            except TransportError as failure:
                timed_out = isinstance(failure, AnswerTimeout)
                may_repeat = (repeatable and not isinstance(failure, AnswerMemoryFull)) or isinstance(
                    failure, ConnectFailed
                )
                if retried or not may_repeat or self._retry_tokens < 1 or deadline.remaining() < RETRY_PAUSE:
                    message = "não respondeu a tempo" if timed_out else "não está respondendo"
                    kind = DeadlineExceeded if timed_out else Unavailable
                    raise self._logged(kind(f"{self.name} {message}"), failure) from failure
            first, retried = None, True
            self._retry_tokens -= 1
            self.calls.retries.value += 1
            if recorded:
                recorded.resends += 1
            await asyncio.sleep(RETRY_PAUSE * random.random())  # noqa: S311 - jitter, not a secret

    async def _attempt(
        self, request: OutgoingRequest, headers: str, repeatable: bool, recorded: RunningCall | None
    ) -> Answer:
        """One attempt. Raises TransportError. Raises a Refusal of its own when it may not call the neighbour at all."""
        if self.breaker.open:
            raise self._attributed(Unavailable(f"{self.name} não está respondendo"))
        seconds = self.attempt_seconds(deadline.remaining())
        if seconds <= 0:
            raise self._attributed(DeadlineExceeded(f"{self.name} não respondeu a tempo"))
        attempt_ends = time.monotonic() + seconds
        slots = self.searches if request.search else self.bulkhead
        try:
            await slots.enter(seconds)
        except FullError as failure:
            raise self._logged(Unavailable(f"{self.name} está ocupado"), failure) from failure
        try:
            remaining = attempt_ends - time.monotonic()
            all_headers = call_headers(remaining, request.content, recorded and recorded.span_id) + headers
            answer = await self.transport.send(request, all_headers, seconds=remaining, repeatable=repeatable)
        except TransportError as failure:
            self.record_failure(failure, seconds)
            raise
        finally:
            slots.leave()
        return answer

    def attempt_seconds(self, left: float) -> float:
        """How long an attempt may take for a request that has `left` seconds."""
        return min(self.timeout, ATTEMPT_SHARE * left)

    def record_failure(self, failure: TransportError, seconds: float) -> None:
        """Tells the breaker of an attempt that got no answer within `seconds`. When there is an answer, `call` tells
        the breaker."""
        short_of_time = isinstance(failure, AnswerTimeout) and seconds < self.timeout / 2
        # A time-out says nothing about the neighbour when the caller had little time left. Nor does a full answer
        # memory, which all neighbours share.
        if not isinstance(failure, AnswerMemoryFull) and not short_of_time:
            self.breaker.record(failed=True)

    def refill_retry_budget(self) -> None:
        """Adds to the retry budget what one more call allows."""
        self._retry_tokens = min(self._retry_tokens + self._retry_ratio, MAX_RETRY_TOKENS)

    def _refusal(self, answer: Answer, is_write: bool) -> Refusal:
        """The Refusal that the neighbour's problem+json stands for. A 5xx becomes Unavailable or DeadlineExceeded."""
        kind = BY_STATUS.get(answer.status)
        try:
            problem = PROBLEM.decode(answer.content)
        except (ValueError, RecursionError):
            problem = None
        if problem is None or kind is None or answer.status >= 500:
            return _with_retry_after(self._failure(answer.status, problem, is_write), answer)
        self.breaker.record(failed=False)
        # we accepted this token, so the caller cannot do anything about the neighbour's refusal
        if kind is Unauthenticated:
            reason = f"status {answer.status} {problem.code}"
            return self._logged(Unavailable(f"{self.name} não aceitou esta requisição"), reason)
        errors = [FieldError(one.field, one.code, one.message) for one in problem.errors]
        refusal = kind(problem.detail, code=problem.code, errors=errors)
        refusal.service = self.name
        return _with_retry_after(refusal, answer)

    def _failure(self, status: int, problem: Problem | None, is_write: bool) -> Refusal:
        """The Refusal for a 5xx. The breaker counts it only when it concerns the neighbour as a whole. A problem that
        only writes meet, such as a full disk, must not stop the reads. A search that was too slow, or refused as one
        too many, must not stop other requests."""
        culprit = (problem and problem.service) or self.name
        short_of_time = status == DeadlineExceeded.status and deadline.remaining() < self.timeout
        of_the_request = problem is not None and problem.code in CODES_OF_THE_REQUEST
        if culprit == self.name and not short_of_time and not of_the_request and not (is_write and problem):
            self.breaker.record(failed=True)
        kind = DeadlineExceeded if status == DeadlineExceeded.status else Unavailable
        detail = problem.detail if problem and of_the_request else f"{culprit} não conseguiu responder"
        refusal = self._logged(kind(detail), f"status {status}")
        refusal.service = culprit
        return refusal

    def _logged(self, refusal: Refusal, why: object) -> Refusal:
        """Names the neighbour in the refusal of a call that failed, and logs the reason."""
        refusal.service = self.name
        log.warning("call failed", extra={"service": self.name, "code": refusal.code, "reason": repr(why)})
        return refusal

    def _attributed(self, refusal: Refusal) -> Refusal:
        """Names the neighbour in the refusal of a call that was not made. It is not logged: the breaker has logged that
        it opened."""
        refusal.service = self.name
        return refusal

    async def _is_ready(self) -> bool:
        try:
            answer = await self.transport.send(
                OutgoingRequest("GET", "/health/ready"), "", seconds=min(PROBE_SECONDS, self.timeout), repeatable=True
            )
        except TransportError:
            return False
        return answer.status == 200


def make_transport(base_url: str, settings: NeighbourSettings, answer_memory: AnswerMemory) -> Transport:
    """Our own client; httpx2 where a proxy or HTTP/2 is asked for, which our own does not do. A Unix socket needs
    neither."""
    if (settings.neighbour_proxy or settings.neighbour_http == "2") and not base_url.startswith(UNIX):
        # httpx2 and its libraries are loaded only where they are used
        from chassis.neighbours.httpx_transport import HttpxTransport

        return HttpxTransport(
            base_url,
            answer_memory,
            settings.tls_context(),
            proxy=settings.neighbour_proxy,
            http2=settings.neighbour_http == "2",
        )
    return DefaultTransport(base_url, answer_memory, settings.tls_context() if base_url.startswith("https:") else None)


def _with_retry_after(refusal: Refusal, answer: Answer) -> Refusal:
    """Adds the answer's Retry-After to the refusal."""
    said = answer.header("retry-after")
    if said and (seconds := _retry_seconds(said)) is not None:
        refusal.retry_after = seconds
        refusal.headers["Retry-After"] = str(seconds)
    return refusal


def _retry_seconds(retry_after: str) -> int | None:
    """The seconds that a Retry-After asks to wait, at least 1. It is a number of seconds, or a date (RFC 9110, 10.2.3).
    None when it is neither."""
    if retry_after.isdecimal() and len(retry_after) < 10:
        return max(1, int(retry_after))
    try:
        date = parsedate(retry_after)
        return date and max(1, math.ceil(calendar.timegm(date) - time.time()))
    except ValueError:
        return None


def call_headers(seconds: float, content: bytes | None, span_id: str | None) -> str:
    """The header lines of a call that may take `seconds`. They name this span, or else that of the current request."""
    trace, _, caller = context.current()
    lines = f"{deadline.HEADER}: {max(1, int(seconds * DOWNSTREAM_SHARE * 1000))}\r\n"
    if trace is not None:
        lines += trace.header_lines(span_id)
    if caller.token:
        lines += header_line("Authorization", f"Bearer {caller.token}")
    if content is not None:
        lines += "content-type: application/json\r\n"
    return lines
