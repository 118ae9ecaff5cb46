"""One id for one request, from the gateway to the last service (W3C Trace Context).

The trace id is the request id. It comes in as `traceparent` (or as a UUID in `X-Request-ID`) and goes out as
`X-Request-ID`. Every log line and the body of every 500 contain it.
"""

import random
import re
from collections.abc import Mapping

from msgspec import Struct, field

from chassis.request.spans import Recording, new_span_id

TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
TRACESTATE = re.compile(rb"[\t\x20-\x7e]{1,512}")
"""The specification asks that at least 512 characters are passed on."""
FLAGS = {b"%02x" % flags: f"{flags & 0b11:02x}" for flags in range(256)}
"""The flags that we pass on for each flags value that comes in: "sampled" and "random". The other bits have no meaning
yet."""


class Trace(Struct):
    """What this process knows of a trace: `trace_id` has 32 hex digits, `flags` has two (01 is "sampled", 02 is
    "random"), `state` is what other systems keep in the trace, and `parent_id` is the caller's span, if the caller
    named one."""

    trace_id: str
    flags: str = "00"
    state: str = ""
    parent_id: str = ""
    span_id: str = field(default_factory=new_span_id)
    """The span of this request in this process."""
    recording: Recording | None = None
    """Collects what is done for the request; None while traces are off."""
    _own_lines: str = ""

    def traceparent(self, span_id: str) -> str:
        """The `traceparent` of what is called from this span."""
        return f"00-{self.trace_id}-{span_id}-{self.flags}"

    def header_lines(self, span_id: str | None) -> str:
        """The header lines for one call to a neighbour. They name this span, or else that of the request, whose lines
        are made only once for all of its calls. No value has a line break: we made it, or a regular expression checked
        it."""
        if span_id is not None:
            return self._lines(span_id)
        if not self._own_lines:
            self._own_lines = self._lines(self.span_id)
        return self._own_lines

    def _lines(self, span_id: str) -> str:
        line = f"traceparent: {self.traceparent(span_id)}\r\n"
        return f"{line}tracestate: {self.state}\r\n" if self.state else line

    @property
    def sampled(self) -> bool:
        """Whether this trace is recorded: the caller has decided it, or we did, where the trace begins here."""
        return self.flags in ("01", "03")


def read(headers: Mapping[bytes, bytes]) -> Trace:
    """The caller's trace, or a new one. Malformed headers are ignored, as the specification asks."""
    traceparent, request_id = headers.get(b"traceparent"), headers.get(b"x-request-id")
    if traceparent and (match := TRACEPARENT.fullmatch(traceparent)):
        version, trace_id, parent_id, flags, more = match.groups()
        if version != b"00" or more is None:  # a later version may have more fields
            state = headers.get(b"tracestate", b"")
            return Trace(
                trace_id.decode(),
                FLAGS[flags],
                state.decode() if TRACESTATE.fullmatch(state) else "",
                parent_id.decode(),
            )
    if request_id and re.fullmatch(rb"[0-9a-fA-F]{32}", compact := request_id.replace(b"-", b"")) and int(compact, 16):
        return Trace(compact.decode().lower())
    return Trace(f"{random.getrandbits(128) or 1:032x}")
