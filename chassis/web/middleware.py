"""The outermost layer of every process: one id per request, one log line, a bound on bodies, and no escaped exception.

Plain ASGI: Starlette's `BaseHTTPMiddleware` costs a task and a queue per request.
"""

import asyncio
import logging
import time
from collections.abc import Iterable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import DeadlineExceeded, NotAcceptable, NotFound, Refusal, RequestTimeout, TooLarge
from chassis.observe import metrics
from chassis.observe.logs import access
from chassis.request import context, deadline, trace_context
from chassis.request.context import RequestContext
from chassis.request.headers import combined
from chassis.web import cors
from chassis.web.negotiation import quality
from chassis.web.problem import broken, problem

log = logging.getLogger("http")
MONITORING_PATHS = ("/health/", "/metrics")
DEADLINE = deadline.HEADER.lower().encode()
SLOW_TO_ARRIVE = "a requisição demorou demais para chegar"


class RequestMiddleware:
    """Traces, bounds, logs and, as the last resort, answers every HTTP request.

    An exception that left the application would make the server close a kept-alive connection unannounced, and the
    next request on it would fail too: everything is caught here and answered as a 500 that shows nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        operation_timeout: float,
        requests: metrics.Requests,
        origins: Iterable[str] = (),
    ) -> None:
        self.app = app
        self.origins = frozenset(origin.encode() for origin in origins)
        self.requests = requests
        self.max_body_bytes = max_body_bytes
        self.operation_timeout = operation_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status, client_left = 0, False
        metrics.IN_PROGRESS.value += 1
        scope["fields"] = headers = combined(scope["headers"])  # of use further in, too
        trace = trace_context.read(headers)
        arrived: float = scope.get("arrived") or time.monotonic()
        before = context.enter(RequestContext(trace, arrived + self.operation_timeout))

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", trace.trace_id.encode())]
            await send(message)

        try:
            if b"origin" in headers:
                cors.require_known_origin(scope["method"], headers, self.origins)
            if DEADLINE in headers:
                ends_at = deadline.compute(self.operation_timeout, headers[DEADLINE], arrived)
                context.enter(RequestContext(trace, ends_at))
            if deadline.remaining() <= 0:  # its turn on its connection came too late
                raise DeadlineExceeded(deadline.EXPIRED)
            accept = headers.get(b"accept", b"").decode("latin-1")
            if scope["path"].startswith("/api") and not quality(accept, "application/json"):
                raise NotAcceptable("só há representação em application/json")
            if "arriving" in scope:
                receive = _with_deadline(receive, requested=DEADLINE in headers)
            await self.app(
                _with_final_slash(scope), self._limit_body(receive, headers.get(b"content-length", b"0")), answer
            )
        except Refusal as refusal:
            if not status:
                await problem(Request(scope), refusal)(scope, receive, answer)
        except asyncio.CancelledError:
            client_left = True  # the client has hung up: nobody is there to be answered
            raise
        except Exception:
            log.exception("unhandled exception", extra={"method": scope["method"], "path": scope["path"]})
            if not status:
                await problem(Request(scope), broken())(scope, receive, answer)
        finally:
            metrics.IN_PROGRESS.value -= 1
            if not scope["path"].startswith(MONITORING_PATHS):
                took = time.perf_counter() - began
                self.requests.record(scope["method"], scope["path"], 0 if client_left else status, took)
                # 499, as nginx logs it.
                access(scope["method"], scope["path"], 499 if client_left else status, took, scope.get("logged"))
            context.leave(before)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"o corpo passa do limite de {self.max_body_bytes} bytes", headers={"Connection": "close"})

    def _limit_body(self, receive: Receive, length: bytes) -> Receive:
        """`receive`, until the body is too long; at once when its length says so. It is the application that asks, and
        so it is refused in the application's own way."""
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            if length.isdigit() and int(length) > self.max_body_bytes:
                raise self._too_large()
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_body_bytes:
                raise self._too_large()
            return message

        return bounded


def _with_deadline(receive: Receive, *, requested: bool) -> Receive:
    """`receive`, until the request's time is over: which is what is told who has `asked` for as little. Others are told
    that they are too slow."""

    async def in_time() -> Message:
        try:
            return await deadline.wait_for(receive())
        except DeadlineExceeded as late:
            kind, why = (DeadlineExceeded, late.detail) if requested else (RequestTimeout, SLOW_TO_ARRIVE)
            raise kind(why, headers={"Connection": "close"}) from None

    return in_time


def _with_final_slash(scope: Scope) -> Scope:
    """`/api/things` answers like `/api/things/`: a redirect would lose the body of a POST. Raises NotFound for a path
    in which an escaped slash has become one: no path of ours has a slash within a segment."""
    if b"%" in scope["raw_path"] and b"%2f" in scope["raw_path"].lower():
        raise NotFound(f"não há nada em {scope['path']}")
    path: str = scope["path"]
    if path.startswith("/api") and not path.endswith("/"):
        return {**scope, "path": path + "/"}
    return scope
