"""One id for one request, from the gateway to the last service: W3C Trace Context, kept in a context variable.

The trace id is the request id: it comes in as `traceparent` (or as a UUID in `X-Request-ID`), goes out as
`X-Request-ID`, stands in every log line and in the body of a 500.
"""

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?")


@dataclass(slots=True)
class Trace:
    """The part of a trace this process holds: `trace_id` 32 hex digits, `flags` two (01 is sampled)."""

    trace_id: str
    flags: str = "00"
    _outgoing: str = ""

    def outgoing(self) -> str:
        """The `traceparent` for all calls to neighbours: the same trace, and this request as their parent span."""
        if not self._outgoing:
            self._outgoing = f"00-{self.trace_id}-{random.getrandbits(64) or 1:016x}-{self.flags}"
        return self._outgoing


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """The trace of the request at hand; None outside of one."""
    return _current.get()


def outgoing() -> str | None:
    """The `traceparent` for one call to a neighbour."""
    trace = _current.get()
    return trace.outgoing() if trace else None


def sampled() -> str | None:
    """The `traceparent` for a SQL comment, of a request whose caller records its trace (flag 01); else None."""
    trace = current()
    return trace.outgoing() if trace and int(trace.flags, 16) & 1 else None


def begin(traceparent: bytes | None, request_id: bytes | None) -> Trace:
    """Takes up the caller's trace, or begins one; malformed headers are ignored, as the specification asks."""
    trace = _read(traceparent, request_id)
    _current.set(trace)
    return trace


def _read(traceparent: bytes | None, request_id: bytes | None) -> Trace:
    if traceparent and (match := TRACEPARENT.fullmatch(traceparent)):
        return Trace(match[1].decode(), match[2].decode())
    if request_id and re.fullmatch(rb"[0-9a-fA-F]{32}", compact := request_id.replace(b"-", b"")) and int(compact, 16):
        return Trace(compact.decode().lower())
    return Trace(f"{random.getrandbits(128) or 1:032x}")
