"""Which web pages may call: those of `CORS_ORIGINS`, with the headers that our clients send and read."""

from typing import Any

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
