"""Traces, by OpenTelemetry: which requests are kept, and how their spans leave the process.

OpenTelemetry's own spans cost several microseconds each, also when nobody keeps them, so the code that every request
runs uses those of `chassis.request.spans`. When a request ends that is kept, they become spans of the SDK, whose thread
encodes and sends them. Nothing waits for that thread: what does not fit into its queue is dropped and counted.

This module is imported only when the environment names where spans are sent.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import requests
from opentelemetry.exporter.otlp.proto.http import Compression, trace_exporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.util.re import parse_env_headers
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import Scope

from chassis.observe.meters import MetricsReader
from chassis.observe.metrics import METHODS
from chassis.request.spans import Kind, MakeSpan, Recording, Span, new_span_id
from chassis.request.trace_context import Trace
from chassis.settings import ProcessSettings, TraceSettings
from chassis.version import VERSION

log = logging.getLogger("traces")

SLOW_SECONDS = 1.0
"""A request whose answer begins later is kept, whether or not its trace is sampled."""
PARTIAL = "solicita.partial"
"""The attribute of the spans of a trace that is not sampled: other processes have thrown away theirs."""
FLUSH_SECONDS = 2.0
"""How long the end of the process waits for spans that are not sent yet."""
LONGEST_VALUE = 4096
"""Longer attributes are cut. The text of a statement may grow with what a client asks for."""
KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
SCOPE = InstrumentationScope("solicita", VERSION, Schemas.V1_44_0.value)
UNSET = Status(StatusCode.UNSET)
FAILED = Status(StatusCode.ERROR)


class RequestSpan:
    """A request that this process has served, by the conventions for HTTP servers, or an operation over a WebSocket,
    which has only a path and a scheme. `status` is 0 when there was no answer.

    The query of the URL, the caller's address and its user agent are left out, since they may be personal.
    """

    kind: ClassVar[Kind] = "server"

    def __init__(self, trace: Trace, recording: Recording, scope: Scope, route: str, status: int, began: float) -> None:
        self.span_id = trace.span_id
        self.began, self.ended = began, time.monotonic()
        self.failure = recording.failure or (str(status) if status >= 500 else "")
        self.links = recording.links
        self._attributes: dict[str, Any] = {
            "url.path": scope["path"].encode(errors="replace").decode(),
            "url.scheme": scope["scheme"],
        }
        name = "WEBSOCKET"
        if "method" in scope:
            method, name = (scope["method"],) * 2 if scope["method"] in METHODS else ("_OTHER", "HTTP")
            self._attributes["http.request.method"] = method
            if route != "other":
                name = f"{name} {route}"
                self._attributes["http.route"] = route
            if status:
                self._attributes["http.response.status_code"] = status
        if recording.left_out:
            self._attributes["solicita.spans_left_out"] = recording.left_out
        if recording.describe:
            name, more = recording.describe()
            self._attributes |= more
        self.name = name

    def attributes(self) -> Mapping[str, Any]:
        return self._attributes


class Tracer:
    """Decides which requests of a process are kept, and sends their spans."""

    def __init__(self, process: str, settings: ProcessSettings) -> None:
        sampler, ratio = settings.otel_traces_sampler, settings.otel_traces_sampler_arg
        if "always" in sampler:
            ratio = 1.0 if sampler.endswith("on") else 0.0
        self._follows_caller = sampler.startswith("parentbased_")
        bound = TraceIdRatioBased.get_bound_for_rate(ratio)
        self._bound = f"{bound:016x}" if bound < 2**64 else "g"
        """A trace is sampled if the second half of its id is less: as texts, which for hex digits is the same."""
        ours = {"service.name": process, "service.version": VERSION, "service.instance.id": str(uuid.uuid4())}
        self._resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self.exporter = CountingExporter(settings)
        self._queue_size = settings.otel_bsp_max_queue_size
        self._offered = 0
        self.dropped = 0
        """Spans that found no room in the queue."""
        self._closed = False
        self._processor = BatchSpanProcessor(
            self.exporter,
            self._queue_size,
            settings.otel_bsp_schedule_delay,
            settings.otel_bsp_max_export_batch_size,
        )

    @asynccontextmanager
    async def sending(self) -> AsyncGenerator[None]:
        """Sends spans for as long as the process runs. Afterwards sends those that wait, for a bounded time."""
        TRACERS.append(self)
        try:
            yield
        finally:
            self._closed = True
            await self._end_processor()
            if self.waiting:
                log.warning("spans were not sent", extra={"spans": self.waiting})
            TRACERS.remove(self)

    async def _end_processor(self) -> None:
        """Sends what waits, and returns after `FLUSH_SECONDS` at the latest; the SDK itself would wait for 30 s."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self._processor.shutdown()
            with suppress(RuntimeError):  # the loop is closed, since this took too long
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=end, name="end of traces", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await ended.wait()

    @property
    def waiting(self) -> int:
        """How many spans wait to be sent."""
        return self._offered - self.exporter.taken

    def begin(self, trace: Trace) -> Recording:
        """Begins to record a request. Decides whether its trace is sampled, unless the caller has."""
        if not (self._follows_caller and trace.parent_id):
            sampled = trace.trace_id[16:] < self._bound
            if sampled != trace.sampled:
                trace.flags = f"{int(trace.flags, 16) ^ 1:02x}"
        trace.recording = recording = Recording()
        return recording

    def end(
        self,
        trace: Trace,
        recording: Recording,
        scope: Scope,
        status: int,
        route: Callable[[str], str],
        *,
        began: float,
        answered: float,
    ) -> None:
        """Sends the spans of a request that has ended if it was sampled, has failed, or was slow. `answered` is when
        its answer began."""
        trace.recording = None  # what a WebSocket does later is no part of the request
        if not trace.sampled and status < 500 and not recording.failure and answered - began < SLOW_SECONDS:
            recording.on_late = _forget
            return
        request = RequestSpan(trace, recording, scope, route(scope["path"]), status, began)
        kept = KeptTrace(self._resource, trace)
        recording.on_late = lambda span: self._send([kept.readable(span())])
        self._send([kept.readable(request), *(kept.readable(span()) for span in recording.spans)])

    def _send(self, spans: Sequence[ReadableSpan]) -> None:
        room = 0 if self._closed else self._queue_size - self.waiting
        self.dropped += max(0, len(spans) - room)
        for span in spans[:room]:
            self._offered += 1
            self._processor.on_end(span)


def _forget(_span: MakeSpan) -> None:
    """Does nothing with a span that ends after a request that is not kept."""


class KeptTrace:
    """Makes the SDK's spans of those of one request."""

    def __init__(self, resource: Resource, trace: Trace) -> None:
        self._resource, self._partial = resource, not trace.sampled
        self._trace_id, self._request_id = int(trace.trace_id, 16), trace.span_id
        self._state = TraceState.from_header([trace.state]) if trace.state else None
        self._request = self._context(self._request_id)
        self._caller = self._context(trace.parent_id, remote=True) if trace.parent_id else None
        self._clock = time.time_ns() - time.monotonic_ns()
        """The difference between the clock on the wall and the monotonic clock."""

    def readable(self, span: Span) -> ReadableSpan:
        is_request = span.span_id == self._request_id
        attributes = {
            name: value[:LONGEST_VALUE] if isinstance(value, str) else value
            for name, value in span.attributes().items()
        }
        if span.failure:
            attributes["error.type"] = span.failure
        if self._partial:
            attributes[PARTIAL] = True
        return ReadableSpan(
            span.name,
            self._request if is_request else self._context(span.span_id or new_span_id()),
            self._caller if is_request else self._request,
            self._resource,
            attributes,
            links=[Link(_remote(*link)) for link in span.links],
            kind=KINDS[span.kind],
            status=FAILED if span.failure else UNSET,
            start_time=self._clock + int(span.began * 1e9),
            end_time=self._clock + int(span.ended * 1e9),
            instrumentation_scope=SCOPE,
        )

    def _context(self, span_id: str, *, remote: bool = False) -> SpanContext:
        # With the flag "sampled", since the SDK sends no others.
        return SpanContext(self._trace_id, int(span_id, 16), remote, TraceFlags(TraceFlags.SAMPLED), self._state)


def _remote(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True)


class CountingExporter(SpanExporter):
    """The SDK's exporter. It counts what becomes of the spans, and logs one line when they cannot be sent, and one when
    they can again. It runs in the SDK's thread."""

    def __init__(self, settings: TraceSettings) -> None:
        self._exporter = otlp_exporter(settings)
        self._works = True
        self.taken = self.sent = self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._exporter.export(spans)
        works = result is SpanExportResult.SUCCESS
        if works:
            self.sent += len(spans)
        else:
            self.failed += len(spans)
        if works and not self._works:
            log.info("spans are sent again")
        elif self._works and not works:
            log.warning("spans cannot be sent", extra={"reason": REASON.text})
        self._works = works
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class LastMessage(logging.Filter):
    """Keeps what a logger says instead of writing it."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        self.text = record.getMessage()
        return False


REASON = LastMessage()
logging.getLogger(trace_exporter.__name__).addFilter(REASON)  # the SDK would log one line for each attempt


class Session(requests.Session):
    """Does not read the answer's content, which nobody needs and which could be of any length."""

    def request(self, *arguments: Any, **more: Any) -> requests.Response:
        answer = super().request(*arguments, **{**more, "stream": True})
        answer.close()
        return answer


def otlp_exporter(settings: TraceSettings) -> SpanExporter:
    def chosen(name: str) -> Any:
        own = getattr(settings, f"otel_exporter_otlp_traces_{name}")
        return getattr(settings, f"otel_exporter_otlp_{name}") if own in (None, "") else own

    def file(name: str) -> str | None:
        path = chosen(name)
        return str(path) if path else None

    return trace_exporter.OTLPSpanExporter(
        settings.traces_endpoint,
        file("certificate"),
        file("client_key"),
        file("client_certificate"),
        parse_env_headers(chosen("headers"), liberal=True),
        # By the specification these are milliseconds, and the SDK takes what it reads itself for seconds.
        min(chosen("timeout"), settings.otel_bsp_export_timeout) / 1000,
        Compression(chosen("compression")),
        Session(),
    )


TRACERS: list[Tracer] = []
"""Those of this process that send."""


def _collect() -> Iterable[Metric]:
    sent = CounterMetricFamily("trace_spans_sent_total", "Spans that the receiver has taken.")
    sent.add_metric((), sum(one.exporter.sent for one in TRACERS))
    dropped = CounterMetricFamily("trace_spans_dropped_total", "Spans that were not sent, by why.", labels=("reason",))
    dropped.add_metric(("queue_full",), sum(one.dropped for one in TRACERS))
    dropped.add_metric(("not_taken",), sum(one.exporter.failed for one in TRACERS))
    waiting = GaugeMetricFamily("trace_spans_waiting", "Spans that wait to be sent.")
    waiting.add_metric((), sum(one.waiting for one in TRACERS))
    return (sent, dropped, waiting)


MetricsReader(_collect)
