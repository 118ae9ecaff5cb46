"""One id for one request, from the gateway to the last service: W3C Trace Context, kept in a context variable.

The trace id is the request id: it comes in as `traceparent` (or as a UUID in `X-Request-ID`), goes out as
`X-Request-ID`, stands in every log line and in the body of a 500.
"""

import random
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
TRACESTATE = re.compile(rb"[\t\x20-\x7e]{1,512}")
"""As much of it as must be passed on."""
FLAGS = {b"%02x" % flags: f"{flags & 0b11:02x}" for flags in range(256)}
"""Flags as they are passed on: sampled, and random; what others mean is not known."""


@dataclass(slots=True)
class Trace:
    """The part of a trace this process holds: `trace_id` 32 hex digits, `flags` two (01 is sampled), and what others
    than us keep in it, `state`."""

    trace_id: str
    flags: str = "00"
    state: str = ""
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


def outgoing() -> str:
    """The header lines for one call to a neighbour. No value has a line break: each is our own, or was matched."""
    trace = _current.get()
    if trace is None:
        return ""
    line = f"traceparent: {trace.outgoing()}\r\n"
    return f"{line}tracestate: {trace.state}\r\n" if trace.state else line


def sampled() -> str | None:
    """The `traceparent` for a SQL comment, of a request whose caller records its trace (flag 01); else None."""
    trace = current()
    return trace.outgoing() if trace and int(trace.flags, 16) & 1 else None


def begin(headers: Mapping[bytes, bytes]) -> Trace:
    """Takes up the caller's trace, or begins one; malformed headers are ignored, as the specification asks."""
    trace = _read(headers)
    _current.set(trace)
    return trace


def _read(headers: Mapping[bytes, bytes]) -> Trace:
    traceparent, request_id = headers.get(b"traceparent"), headers.get(b"x-request-id")
    if traceparent and (match := TRACEPARENT.fullmatch(traceparent)):
        version, trace_id, flags, more = match.groups()
        if version != b"00" or more is None:  # later versions may bring more
            state = headers.get(b"tracestate", b"")
            return Trace(
                trace_id.decode(),
                FLAGS[flags],
                state.decode() if TRACESTATE.fullmatch(state) else "",
            )
    if request_id and re.fullmatch(rb"[0-9a-fA-F]{32}", compact := request_id.replace(b"-", b"")) and int(compact, 16):
        return Trace(compact.decode().lower())
    return Trace(f"{random.getrandbits(128) or 1:032x}")
