"""The middleware around every application: one trace id and one log line for each request, a limit on bodies, and no
unhandled exception.

It is plain ASGI, since Starlette's `BaseHTTPMiddleware` costs a task and a queue for each request.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import DeadlineExceeded, NotAcceptable, NotFound, Refusal, RequestTimeout, TooLarge
from chassis.observe import metrics
from chassis.observe.logs import access
from chassis.request import context, deadline, trace_context
from chassis.request.context import RequestContext
from chassis.request.headers import combined
from chassis.web import cors
from chassis.web.negotiation import EVENT_STREAM, quality
from chassis.web.problem import broken, problem

if TYPE_CHECKING:  # loaded only where traces are on
    from chassis.observe.traces import Tracer

log = logging.getLogger("http")
MONITORING_PATHS = ("/health/", "/metrics")
DEADLINE = deadline.HEADER.lower().encode()
LOOK_AGAIN_SECONDS = 0.001
"""Long enough for the event loop to read what the system has received."""
SLOW_TO_ARRIVE = "a requisição demorou demais para chegar"


class RequestMiddleware:
    """Traces, limits and logs every HTTP request, and answers exceptions that nothing else has handled.

    An exception that left the application would make the server close a keep-alive connection without notice, and the
    next request on it would fail too. So every exception is answered here, as a 500 that shows no details.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        operation_timeout: float,
        requests: metrics.Requests,
        origins: Iterable[str] = (),
        event_streams: Collection[str] = (),
        tracer: "Tracer | None" = None,
    ) -> None:
        self.app, self.tracer = app, tracer
        self.event_streams = event_streams
        """Paths that also answer with events."""
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
        scope["fields"] = headers = combined(scope["headers"])  # also used by inner layers
        trace = trace_context.read(headers)
        arrived: float = scope.get("arrived") or time.monotonic()
        answered = 0.0
        monitoring = scope["path"].startswith(MONITORING_PATHS)
        recording = self.tracer.begin(trace) if self.tracer and not monitoring else None
        if recording:
            scope["tracer"] = self.tracer  # for the operations of a WebSocket, which come later
        before = context.enter(RequestContext(trace, arrived + self.operation_timeout))

        async def send_with_id(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                if recording:
                    answered = time.monotonic()
                message["headers"] = [*message["headers"], (b"x-request-id", trace.trace_id.encode())]
            await send(message)

        try:
            if b"origin" in headers:
                # a page reads what comes from a WebSocket, whatever its origin, so opening one is more than reading
                method = "CONNECT" if b"upgrade" in headers else scope["method"]
                cors.require_known_origin(method, headers, self.origins)
            if DEADLINE in headers:
                ends_at = deadline.compute(self.operation_timeout, headers[DEADLINE], arrived)
                context.enter(RequestContext(trace, ends_at))
            if deadline.remaining() <= 0:  # it waited too long behind other requests of its connection
                raise DeadlineExceeded(deadline.EXPIRED)
            accept = headers.get(b"accept", b"").decode("latin-1")
            if scope["path"].startswith("/api") and not self._acceptable(scope["path"], accept):
                raise NotAcceptable("só há representação em application/json")
            if "arriving" in scope:
                receive = _with_deadline(receive, requested=DEADLINE in headers)
            await self.app(
                _with_final_slash(scope), self._limit_body(receive, headers.get(b"content-length", b"0")), send_with_id
            )
        except Refusal as refusal:
            if not status:
                await problem(Request(scope), refusal)(scope, receive, send_with_id)
        except asyncio.CancelledError:
            client_left = True  # the client has hung up, so there is nobody to answer
            raise
        except ClientDisconnect:
            client_left = True  # it had hung up before the application asked for the body
        except Exception:
            log.exception("unhandled exception", extra={"method": scope["method"], "path": scope["path"]})
            if not status:
                await problem(Request(scope), broken())(scope, receive, send_with_id)
        finally:
            metrics.IN_PROGRESS.value -= 1
            if not monitoring:
                took = time.perf_counter() - began
                self.requests.record(scope["method"], scope["path"], 0 if client_left else status, took)
                # 499, as nginx logs it.
                code, client = 499 if client_left else status, (scope.get("client") or ("",))[0]
                if not (scope.get("waited_in_vain") and code in (200, 499)):
                    access(scope["method"], scope["path"], code, took, client, scope.get("logged"))
            if self.tracer and recording:
                # An answer with events waits for them, so it is not slow.
                begun = arrived if scope["path"].rstrip("/") + "/" in self.event_streams else answered
                self.tracer.end(
                    trace,
                    recording,
                    scope,
                    status,
                    self.requests.route,
                    began=arrived,
                    answered=begun or time.monotonic(),
                )
            context.leave(before)

    def _acceptable(self, path: str, accept: str) -> bool:
        """Whether we can answer as the client asks."""
        if quality(accept, "application/json"):
            return True
        return path.rstrip("/") + "/" in self.event_streams and quality(accept, EVENT_STREAM) > 0

    def _too_large(self) -> TooLarge:
        return TooLarge(f"o corpo passa do limite de {self.max_body_bytes} bytes", headers={"Connection": "close"})

    def _limit_body(self, receive: Receive, length: bytes) -> Receive:
        """Wraps `receive`, so that it raises TooLarge when the body is too long, at once when Content-Length says so.
        The application calls it, so the application answers in its own format."""
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
    """Wraps `receive`, so that it raises when the request's deadline passes: DeadlineExceeded when the caller
    `requested` a deadline, else RequestTimeout, since the client is too slow."""

    may_look_again = True

    async def in_time() -> Message:
        nonlocal may_look_again
        try:
            return await deadline.wait_for(receive())
        except DeadlineExceeded as late:
            # This process may have been stopped, or busy, for long: what has arrived meanwhile came in time. Only once,
            # since a client that sends a byte each time would never end.
            if may_look_again:
                may_look_again = False
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        return await receive()
            kind, why = (DeadlineExceeded, late.detail) if requested else (RequestTimeout, SLOW_TO_ARRIVE)
            raise kind(why, headers={"Connection": "close"}) from None

    return in_time


def _with_final_slash(scope: Scope) -> Scope:
    """Makes `/api/things` answer like `/api/things/`, since a redirect would lose the body of a POST. Raises NotFound
    for a path with an escaped slash: no segment of our paths contains a slash."""
    if b"%" in scope["raw_path"] and b"%2f" in scope["raw_path"].lower():
        raise NotFound(f"não há nada em {scope['path']}")
    path: str = scope["path"]
    if path.startswith("/api") and not path.endswith("/"):
        return {**scope, "path": path + "/"}
    return scope
