"""What a process does for one request, as spans: the calls to neighbours and the SQL statements.

Spans are recorded in plain members, since most of them are thrown away: only at the end of a request it is known
whether it failed or was slow. `chassis.observe.traces` puts those that are kept into OpenTelemetry's form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import getrandbits
from typing import Any, ClassVar, Literal, Protocol

MAX_SPANS = 1000
"""How many spans of one request are recorded. An operation with the highest cost could make 50,000 calls, and a stream
of events runs for minutes."""
MAX_LINKS = 128
"""How many links a span has at most, which is OpenTelemetry's usual limit."""
Kind = Literal["client", "server"]
Link = tuple[str, str]
"""A trace id and a span id."""


class Span(Protocol):
    """One piece of work that has ended. Times are those of the monotonic clock."""

    kind: ClassVar[Kind]

    @property
    def span_id(self) -> str:
        """As hex digits. Empty when nobody was told of it; it is then drawn when the span is kept."""
        ...

    @property
    def began(self) -> float: ...
    @property
    def ended(self) -> float: ...
    @property
    def failure(self) -> str:
        """What it failed by: a class of exceptions, a status or an SQLSTATE; empty when it succeeded."""
        ...

    @property
    def links(self) -> Sequence[Link]: ...
    @property
    def name(self) -> str: ...

    def attributes(self) -> Mapping[str, Any]:
        """Its attributes, by OpenTelemetry's semantic conventions. They must not contain what is personal."""
        ...


MakeSpan = Callable[[], Span]
"""Makes a span from what was recorded of it, if it is kept."""


def new_span_id() -> str:
    """An id at random. Its first bit is always set: so it has 16 digits, and needs no formatting, which takes longer
    than all else."""
    return hex(getrandbits(63) | 1 << 63)[2:]


class Recording:
    """Collects the spans of one request until it ends, and what inner layers know of the request itself."""

    __slots__ = ("describe", "failure", "left_out", "links", "on_late", "spans")

    def __init__(self) -> None:
        self.spans: list[MakeSpan] = []
        self.left_out = 0
        """How many spans were not recorded, since there were too many."""
        self.describe: Callable[[], tuple[str, Mapping[str, Any]]] | None = None
        """Gives a better name for the request than its method and route, and more attributes."""
        self.failure = ""
        """What the request failed by, although the status of its answer does not say so."""
        self.links: list[Link] = []
        """The calls of other requests that this one waited for."""
        self.on_late: Callable[[MakeSpan], object] | None = None
        """What is called with a span that ends after its request; None while the request runs."""

    def add(self, span: MakeSpan) -> None:
        """Records a span that has ended."""
        if self.on_late is not None:
            self.on_late(span)
        elif len(self.spans) < MAX_SPANS:
            self.spans.append(span)
        else:
            self.left_out += 1
