"""The span of one call to a neighbour, by OpenTelemetry's conventions for HTTP clients. A retry belongs to its call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

from msgspec import Struct, field

from chassis.errors import Refusal
from chassis.neighbours.transport import OutgoingRequest
from chassis.request.spans import MAX_LINKS, Kind, Link, Recording, new_span_id
from chassis.request.trace_context import Trace

VARIABLE_SEGMENT = re.compile(r"(?<=/)(\d+|[0-9a-f]{32})(?=/)")
"""A part of a path that differs from row to row."""


@dataclass(slots=True, frozen=True)
class CallSpan:
    """A call that has ended. `server` are the attributes of all calls to this neighbour; `status` is that of the last
    answer, 0 if there was none."""

    kind: ClassVar[Kind] = "client"
    server: Mapping[str, Any]
    request: OutgoingRequest
    span_id: str
    began: float
    ended: float
    status: int
    links: Sequence[Link]
    failure: str = ""
    resends: int = 0

    @property
    def name(self) -> str:
        return f"{self.request.method} {self._template}"

    @property
    def _template(self) -> str:
        return VARIABLE_SEGMENT.sub("{id}", self.request.path.partition("?")[0])

    def attributes(self) -> Mapping[str, Any]:
        # The query of a URL is left out, since a search in it may be a person's name.
        found = {
            **self.server,
            "http.request.method": self.request.method,
            "url.full": f"{self.server['url.full']}{self.request.path.partition('?')[0]}",
            "url.template": self._template,
        }
        if self.status:
            found["http.response.status_code"] = self.status
        if self.resends:
            found["http.request.resend_count"] = self.resends
        return found


class RunningCall(Struct):
    """A call of the request with this trace, which is recorded until it has ended."""

    trace: Trace
    recording: Recording
    span_id: str = field(default_factory=new_span_id)
    links: list[Link] = field(default_factory=list[Link])
    resends: int = 0

    def end(
        self,
        server: Mapping[str, Any],
        request: OutgoingRequest,
        began: float,
        ended: float,
        status: int,
        failure: BaseException | None = None,
    ) -> None:
        """Records the call. Without an answer, `status` is 0."""
        kind = ""
        if failure is not None:
            kind = failure.code if isinstance(failure, Refusal) else type(failure).__name__
        self.recording.add(
            partial(CallSpan, server, request, self.span_id, began, ended, status, self.links, kind, self.resends)
        )

    def link(self, other: Trace | None) -> None:
        """The request of `other` waits for this call too: each gets a link to the other's span."""
        if other is None or other is self.trace or other.recording is None:
            return
        here, there = (self.trace.trace_id, self.span_id), (other.trace_id, other.span_id)
        for found, link in ((self.links, there), (other.recording.links, here)):
            if len(found) < MAX_LINKS and link not in found:
                found.append(link)


def described(name: str, base_url: str) -> Mapping[str, Any]:
    """The attributes of all calls to this neighbour."""
    url = urlsplit(base_url)
    if url.scheme == "unix":
        return {"server.address": url.path, "service.peer.name": name, "url.full": "http://127.0.0.1"}
    port = url.port or {"https": 443}.get(url.scheme, 80)
    return {
        "server.address": url.hostname or "",
        "server.port": port,
        "service.peer.name": name,
        "url.full": f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}",
    }
