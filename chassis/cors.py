"""Which web pages may call: our own and those of `CORS_ORIGINS`, with the headers that our clients send and read."""

from collections.abc import Collection, Mapping
from typing import Any

from chassis.errors import Forbidden

SENT = ("Authorization", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "traceparent", "X-Request-ID")
READ = (
    *("ETag", "Idempotency-Replayed", "Link", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy"),
    *("Retry-After", "WWW-Authenticate", "X-Request-ID", "X-Total-Count"),
)


def options(origins: tuple[str, ...]) -> dict[str, Any]:
    """Arguments for Starlette's CORSMiddleware. Without credentials: there is no cookie anywhere in this system."""
    return {
        "allow_origins": origins,
        "allow_methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        "allow_headers": SENT,
        "expose_headers": READ,
    }


SAFE = ("GET", "HEAD", "OPTIONS")
DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


def require_known(method: str, headers: Mapping[bytes, bytes], origins: Collection[bytes]) -> None:
    """Raises Forbidden for a page of another origin that is none of `origins` and does more than read.

    By the method alone: a `POST …/query/` only reads, but what it answers such a page could not read either.
    """
    origin = headers.get(b"origin")
    if origin is None or method in SAFE or origin in origins or _is_ours(origin, headers.get(b"host", b"")):
        return
    raise Forbidden("esta página é de outra origem, que CORS_ORIGINS não permite")


def _is_ours(origin: bytes, host: bytes) -> bool:
    """Whether a page of `origin` came from where the request goes. Not by its scheme: TLS may end before us."""
    scheme, _, authority = origin.lower().partition(b"://")
    default = DEFAULT_PORTS.get(scheme)  # None of `null` too
    return default is not None and authority.removesuffix(default) == host.lower().removesuffix(default)
