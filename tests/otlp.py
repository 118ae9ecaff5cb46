"""A receiver of OTLP over HTTP, for tests: it decodes what arrives, and keeps the spans."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass(frozen=True)
class Received:
    """One span, with its ids as hex digits. `process` is its `service.name`."""

    process: str
    resource: dict[str, Any]
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    state: str

    def __hash__(self) -> int:
        return hash(self.span_id)


@dataclass
class Receiver:
    """What has arrived. `status` is what it answers, and `answers` lets it answer at all."""

    url: str = ""
    spans: list[Received] = field(default_factory=list[Received])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    status: int = 200
    answers: threading.Event = field(default_factory=threading.Event)

    def of(self, trace_id: str) -> list[Received]:
        return [span for span in self.spans if span.trace_id == trace_id]


def _values(pairs: Any) -> dict[str, Any]:
    found: list[KeyValue] = list(pairs)
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in found}


def decoded(content: bytes) -> Iterator[Received]:
    message = ExportTraceServiceRequest.FromString(content)
    for from_process in message.resource_spans:
        resource = _values(from_process.resource.attributes)
        for scope in from_process.scope_spans:
            for span in scope.spans:
                yield Received(
                    resource["service.name"],
                    resource,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code == Status.STATUS_CODE_ERROR,
                    _values(span.attributes),
                    tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    span.trace_state,
                )


@contextmanager
def receiving() -> Generator[Receiver]:
    """Runs a receiver on a free port."""
    receiver = Receiver()
    receiver.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                content = gzip.decompress(content)
            receiver.answers.wait(60)
            receiver.headers.append({**dict(self.headers.items()), "path": self.path})
            if receiver.status == 200 and self.headers["Content-Type"] == "application/x-protobuf":
                receiver.spans += list(decoded(content))  # all at once, for who looks meanwhile
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Is silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)  # how soon it notices its end
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answers.set()
        server.shutdown()
        server.server_close()
