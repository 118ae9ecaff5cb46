"""Which web pages may call: our own and those of `CORS_ORIGINS`, with the headers that our clients send and read."""

import logging
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import Forbidden

log = logging.getLogger("http")

REQUEST_HEADERS = (
    *("Authorization", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "Prefer", "X-Query-Cost"),
    *("Read-After", "X-Request-ID", "X-Timeout-Ms", "baggage", "traceparent", "tracestate"),
)
RESPONSE_HEADERS = (
    *("Accept", "Accept-Encoding", "Accept-Patch", "Allow", "Deprecation", "ETag", "Idempotency-Replayed", "Link"),
    *("Location", "Preference-Applied", "RateLimit", "RateLimit-Policy", "Read-After", "Retry-After", "Sunset"),
    *("WWW-Authenticate", "X-Request-ID", "X-Total-Count"),
)
PREFLIGHT_HEADER = "access-control-request-method"
"""An OPTIONS request with this header is a preflight."""


class CrossOriginMiddleware(CORSMiddleware):
    """Lets pages of `origins` call and read answers. Credentials are not allowed, since this system has no cookies.

    A preflight that Starlette would refuse is passed on to `require_known_origin`, which refuses it with our own
    answer.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...], more_headers: tuple[str, ...] = ()) -> None:
        """Pages may send `more_headers` beside those that pages may send to every process."""
        methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        super().__init__(
            app,
            origins,
            methods,
            allow_headers=(*REQUEST_HEADERS, *more_headers),
            expose_headers=RESPONSE_HEADERS,
            allow_private_network=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            is_preflight = "origin" in headers and PREFLIGHT_HEADER in headers
            if is_preflight and self.preflight_response(headers).status_code != 200:
                await self.simple_response(scope, receive, send, headers)
                return
        await super().__call__(scope, receive, send)


SAFE = ("GET", "HEAD", "OPTIONS")
DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


def require_known_origin(method: str, headers: Mapping[bytes, bytes], origins: Collection[bytes]) -> None:
    """Raises Forbidden for a page of an unknown origin, unless the request only reads and is not a preflight. A
    preflight of a known page also comes here, when it asks for something that `CrossOriginMiddleware` does not allow.

    Only the method decides whether a request reads. A `POST …/query/` is refused although it only reads, but such a
    page could not read its answer anyway.
    """
    origin = headers.get(b"origin")
    if origin is None:
        return
    known, is_preflight = origin in origins, method == "OPTIONS" and PREFLIGHT_HEADER.encode() in headers
    if ((known or method in SAFE) and not is_preflight) or _is_same_origin(origin, headers.get(b"host", b"")):
        return
    log_fields = {"origin": _loggable(origin), "reason": "CORS_ORIGINS does not name it"}
    if known:
        log_fields["reason"] = "CORS_ORIGINS names it, but it asks for a method or a header that pages may not send"
        log_fields["asked"] = _loggable(headers.get(b"access-control-request-headers", b""))
    log.info("page refused", extra=log_fields)
    if known:
        raise Forbidden("esta página pede um método, ou um cabeçalho, que não se permite a páginas de outra origem")
    raise Forbidden("esta página é de outra origem, que CORS_ORIGINS não permite")


def _loggable(value: bytes) -> str:
    return value[:255].decode("latin-1")


def _is_same_origin(origin: bytes, host: bytes) -> bool:
    """Whether `origin` is the host that the request goes to. The scheme is not compared, since a proxy may end TLS
    before us."""
    scheme, _, authority = origin.lower().partition(b"://")
    default = DEFAULT_PORTS.get(scheme)  # None also for the origin `null`
    return default is not None and authority.removesuffix(default) == host.lower().removesuffix(default)
