"""Traces: which requests are kept, what their spans say, and that a receiver which is away costs nobody anything."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from chassis.db.spans import StatementSpan
from chassis.neighbours.metrics import JOINED
from chassis.observe import traces
from chassis.observe.traces import PARTIAL, TRACERS, Tracer
from chassis.request.spans import MAX_SPANS, Recording
from chassis.request.trace_context import Trace, read
from chassis.settings import ProcessSettings
from deploy.local import ROOT
from tests import builders
from tests.applications import PATIENT, Applications, Services
from tests.chassis.peers import until
from tests.deploy.processes import WAIT_SECONDS
from tests.gateway.live.transports import serving_gateway
from tests.otlp import Received, Receiver, receiving
from tests.resources import PESSOAS, PRODUTOS
from tests.scraped import scrape

TRACE, OTHER = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
CALLER = "00f067aa0ba902b7"
PEOPLE = {"query": "query Todas { pessoas(first: 2) { nodes { nomePessoa } } }"}


def caller(trace_id: str = TRACE, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{CALLER}-{flags}"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest_asyncio.fixture(scope="module")
async def traced_applications(database_urls: dict[str, str], receiver: Receiver) -> AsyncIterator[Applications]:
    settings: dict[str, Any] = {"otel_exporter_otlp_endpoint": receiver.url, "otel_bsp_schedule_delay": 20}
    async with AsyncExitStack() as stack:
        yield await Applications.start(stack, database_urls, **PATIENT, **settings)


@pytest_asyncio.fixture
async def traced(
    traced_applications: Applications, services: Services, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Applications:
    """The applications with traces, over the databases of `services`, which itself makes none. No request counts as
    slow, however busy the machine is."""
    monkeypatch.setattr(traces, "SLOW_SECONDS", 60)
    traced_applications.restore()

    def all_sent() -> bool:
        return all(
            one.waiting == 0 and one.exporter.taken == one.exporter.sent + one.exporter.failed for one in TRACERS
        )

    await until(all_sent, "the spans of the test before")
    receiver.spans.clear()
    return traced_applications


async def arrived(receiver: Receiver, count: int, trace_id: str = TRACE) -> list[Received]:
    """The spans of this trace, of which there must be so many."""
    await until(lambda: len(receiver.of(trace_id)) >= count, f"{count} spans")
    found = receiver.of(trace_id)
    assert len(found) == count, [span.name for span in found]
    return found


def one(spans: list[Received], process: str, kind: str) -> Received:
    [found] = [span for span in spans if (span.process, span.kind) == (process, kind)]
    return found


async def test_a_sampled_request_is_one_span_for_itself_each_call_and_each_statement(
    traced: Applications, receiver: Receiver
) -> None:
    await builders.pessoa(traced.services, "Maria")

    answer = await traced.gateway.client.post("/graphql", json=PEOPLE, headers=caller() | {"tracestate": "v=1"})

    assert answer.json()["data"]["pessoas"]["nodes"] == [{"nomePessoa": "Maria"}]
    spans = await arrived(receiver, 4)
    request, call = one(spans, "gateway", "server"), one(spans, "gateway", "client")
    served, statement = one(spans, "pessoas", "server"), one(spans, "pessoas", "client")
    assert [span.parent_id for span in (request, call, served, statement)] == [
        CALLER,
        request.span_id,
        call.span_id,
        served.span_id,
    ]
    assert (request.name, request.attributes) == (
        "query",
        {
            "http.request.method": "POST",
            "http.route": "/graphql",
            "http.response.status_code": 200,
            "url.path": "/graphql",
            "url.scheme": "http",
            "graphql.operation.type": "query",
            "graphql.operation.name": "Todas",
        },
    )
    url = traced.services.networks["pessoas"].url
    assert (call.name, call.attributes) == (
        "POST /api/pessoas/query/",
        {
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": int(url.rpartition(":")[2]),
            "service.peer.name": "pessoas",
            "url.full": f"{url}/api/pessoas/query/",
            "url.template": "/api/pessoas/query/",
        },
    )
    assert served.name == "POST /api/pessoas/query/"
    assert statement.name == statement.attributes["db.query.summary"] == "SELECT pessoa"
    assert (statement.attributes["db.system.name"], statement.attributes["db.namespace"]) == ("postgresql", "pessoas")
    assert {span.state for span in spans} == {"v=1"}
    assert not any(span.failed for span in spans)
    assert all(request.began <= span.began <= span.ended <= request.ended for span in spans)


async def test_an_operation_over_a_websocket_has_a_span_of_its_own_with_its_calls_below(
    services: Services, receiver: Receiver
) -> None:
    receiver.spans.clear()
    settings: dict[str, Any] = {
        "otel_exporter_otlp_endpoint": receiver.url,
        "otel_bsp_schedule_delay": 20,
        "otel_traces_sampler_arg": 1,
    }

    def operations() -> list[Received]:
        return [span for span in receiver.spans if "graphql.operation.name" in span.attributes]

    async with serving_gateway(services, **settings) as served:
        socket = await served.socket()
        for operation in (PEOPLE, {"query": "subscription Mudou { pessoaMudou { id } }"}):
            socket.send_json(id=operation["query"], type="subscribe", payload=operation)
        assert (await socket.json())["type"] == "next"
        await until(lambda: len(operations()) == 2, "the spans of both operations")
        of_query, of_subscription = sorted(operations(), key=lambda span: span.name)
        call = one(await arrived(receiver, 2, of_query.trace_id), "gateway", "client")

    assert (of_query.name, of_query.kind, of_query.parent_id) == ("query", "server", "")
    assert of_query.attributes == {
        "url.path": "/graphql",
        "url.scheme": "ws",
        "graphql.operation.type": "query",
        "graphql.operation.name": "Todas",
    }
    assert (call.name, call.parent_id) == ("POST /api/pessoas/query/", of_query.span_id)
    assert (of_subscription.name, of_subscription.trace_id != of_query.trace_id) == ("subscription", True)


async def test_spans_show_nothing_that_is_personal(traced: Applications, receiver: Receiver) -> None:
    secret = "secreta"
    headers = caller() | {"user-agent": secret, "x-forwarded-for": "203.0.113.9", "authorization": f"Bearer {secret}"}
    search = {"query": f'{{ pessoas(filter: {{nomePessoa: {{contains: "{secret}"}}}}) {{ nodes {{ id }} }} }}'}

    await traced.gateway.client.post("/graphql", json=search, headers=headers)
    await traced.services.pessoas.get(f"{PESSOAS.path}?search={secret}", headers=headers)
    await traced.services.pessoas.post(PESSOAS.path, json={"nome_pessoa": secret}, headers=headers)

    texts = [str(span) for span in await arrived(receiver, 10)]
    assert [text for text in texts if secret in text.casefold() or "203.0.113.9" in text] == []


async def test_the_span_of_a_shared_read_and_the_request_that_joined_it_link_to_each_other(
    traced: Applications, receiver: Receiver, database_urls: dict[str, str]
) -> None:
    joined, before = JOINED.labels("pessoas"), JOINED.labels("pessoas").value
    ask = traced.gateway.client.post
    with psycopg.connect(database_urls["pessoas"]) as holder:
        holder.execute("LOCK TABLE pessoa IN ACCESS EXCLUSIVE MODE")
        first = asyncio.create_task(ask("/graphql", json=PEOPLE, headers=caller()))
        await until(lambda: bool(traced.services.calls), "the first has called")
        second = asyncio.create_task(ask("/graphql", json=PEOPLE, headers=caller(OTHER)))
        await until(lambda: joined.value == before + 1, "the second has joined the call of the first")
        holder.rollback()
        await asyncio.gather(first, second)

    spans = await arrived(receiver, 4)
    [waited] = await arrived(receiver, 1, OTHER)
    call = one(spans, "gateway", "client")
    assert call.links == ((OTHER, waited.span_id),)
    assert waited.links == ((TRACE, call.span_id),)
    assert one(spans, "gateway", "server").links == ()


async def test_a_request_that_is_not_sampled_leaves_no_span(traced: Applications, receiver: Receiver) -> None:
    await traced.gateway.client.post("/graphql", json=PEOPLE, headers=caller(OTHER, "00"))
    await traced.gateway.client.post("/graphql", json=PEOPLE, headers=caller())

    await arrived(receiver, 4)
    assert receiver.of(OTHER) == []


async def test_a_request_that_failed_is_kept_by_the_process_in_which_it_did_and_marked_as_partial(
    traced: Applications, receiver: Receiver
) -> None:
    traced.services.cut("pessoas")

    answer = await traced.gateway.client.post("/graphql", json=PEOPLE, headers=caller(flags="00"))

    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    spans = await arrived(receiver, 2)
    request, call = one(spans, "gateway", "server"), one(spans, "gateway", "client")
    assert call.parent_id == request.span_id
    assert [span.attributes["error.type"] for span in (request, call)] == ["UNAVAILABLE", "UNAVAILABLE"]
    assert all(span.failed and span.attributes[PARTIAL] for span in spans)


async def test_a_request_that_its_client_got_wrong_has_not_failed(traced: Applications, receiver: Receiver) -> None:
    wrong = {"query": '{ pessoa(id: "x") { id } }'}
    await traced.gateway.client.post("/graphql", json=wrong, headers=caller(OTHER, "00"))
    await traced.services.pessoas.get("/api/pessoas/?cor=azul", headers=caller(OTHER, "00"))
    await traced.services.pessoas.get("/api/pessoas/?cor=azul", headers=caller())

    [refused] = await arrived(receiver, 1)
    assert (refused.name, refused.attributes["http.response.status_code"]) == ("GET /api/pessoas/", 422)
    assert not refused.failed
    assert receiver.of(OTHER) == []


async def test_a_slow_request_is_kept_but_not_one_that_waits_for_changes(
    traced: Applications, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "SLOW_SECONDS", 1e-9)

    await traced.services.pessoas.get("/api/changes/", headers=caller(OTHER, "00"))
    await traced.services.pessoas.get(PESSOAS.path, headers=caller(flags="00"))

    spans = await arrived(receiver, 2)
    assert [span.attributes[PARTIAL] for span in spans] == [True, True]
    assert not any(span.failed for span in spans)
    assert receiver.of(OTHER) == []


async def test_a_statement_that_failed_has_the_code_of_postgresql(traced: Applications, receiver: Receiver) -> None:
    body = {"nome_produto": "Órfão", "categoria_id": 999}

    refused = await traced.services.catalogo.post(PRODUTOS.path, json=body, headers=caller())

    assert refused.status_code == 422
    spans = await arrived(receiver, 4)
    [failed] = [span for span in spans if span.failed]
    assert failed.attributes["db.response.status_code"] == failed.attributes["error.type"] == "23503"
    assert {"BEGIN", "ROLLBACK", "POST /api/produtos/"} <= {span.name for span in spans}


async def test_monitoring_leaves_no_spans(traced: Applications, receiver: Receiver) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        await traced.services.pessoas.get(path, headers=caller(OTHER))
    await traced.services.pessoas.get(PESSOAS.path, headers=caller())

    await arrived(receiver, 2)
    assert receiver.of(OTHER) == []


@pytest.fixture
def one_tracer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver for a single test: what an earlier one still sends does not arrive here. All that waits at the end is
    sent, however long that takes."""
    monkeypatch.setattr(traces, "FLUSH_SECONDS", WAIT_SECONDS)
    with receiving() as found:
        yield found


def tracer(receiver: Receiver, **settings: Any) -> Tracer:
    given: dict[str, Any] = {"otel_exporter_otlp_endpoint": receiver.url, "otel_bsp_schedule_delay": 10, **settings}
    return Tracer("pessoas", ProcessSettings(**given))


def serve(chosen: Tracer, trace: Trace | None = None) -> Recording:
    """A request begins and ends."""
    trace = trace or Trace(TRACE, "01", parent_id=CALLER)
    recording = chosen.begin(trace)
    scope = {"method": "GET", "path": "/api/pessoas/", "scheme": "http"}
    chosen.end(trace, recording, scope, 200, lambda path: path, began=1.0, answered=1.0)
    return recording


@pytest.mark.parametrize(
    ("sampler", "argument", "sampled"),
    [
        ("always_on", 0.0, {"root": True, "00": True, "01": True}),
        ("always_off", 1.0, {"root": False, "00": False, "01": False}),
        ("traceidratio", 1.0, {"root": True, "00": True, "01": True}),
        ("traceidratio", 0.0, {"root": False, "00": False, "01": False}),
        ("parentbased_always_on", 0.0, {"root": True, "00": False, "01": True}),
        ("parentbased_always_off", 1.0, {"root": False, "00": False, "01": True}),
        ("parentbased_traceidratio", 1.0, {"root": True, "00": False, "01": True}),
        ("parentbased_traceidratio", 0.0, {"root": False, "00": False, "01": True}),
    ],
)
def test_each_sampler_of_the_specification_decides_as_it_says(
    one_tracer: Receiver, sampler: str, argument: float, sampled: dict[str, bool]
) -> None:
    chosen = tracer(one_tracer, otel_traces_sampler=sampler, otel_traces_sampler_arg=argument)
    begun = {
        "root": read({}),
        **{flags: read({b"traceparent": caller(flags=flags)["traceparent"].encode()}) for flags in ("00", "01")},
    }

    for trace in begun.values():
        chosen.begin(trace)

    assert {name: trace.sampled for name, trace in begun.items()} == sampled


def test_by_default_a_twentieth_of_the_traces_that_begin_here_is_sampled(one_tracer: Receiver) -> None:
    chosen, begun = tracer(one_tracer), [Trace(f"{(2 * n + 1) * 2**63 // 1000:032x}") for n in range(1000)]

    for trace in begun:
        chosen.begin(trace)

    assert sum(trace.sampled for trace in begun) == 50


async def test_the_variables_of_the_exporter_mean_what_the_specification_says(
    one_tracer: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prova,service.version=7")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "outro")
    chosen = tracer(
        one_tracer,
        otel_exporter_otlp_endpoint="http://127.0.0.1:9",
        otel_exporter_otlp_traces_endpoint=f"{one_tracer.url}/mine",
        otel_exporter_otlp_headers="a=general",
        otel_exporter_otlp_traces_headers="a=b%20c,d=e",
        otel_exporter_otlp_compression="gzip",
        otel_exporter_otlp_timeout=1,
        otel_exporter_otlp_traces_timeout=30_000,
    )

    async with chosen.sending():
        serve(chosen)
        [span] = await arrived(one_tracer, 1)

    [headers] = one_tracer.headers
    assert {name: headers.get(name) for name in ("path", "a", "d", "content-type")} == {
        "path": "/mine",
        "a": "b c",
        "d": "e",
        "content-type": "application/x-protobuf",
    }
    assert {headers[name] for name in headers if name.casefold() == "content-encoding"} == {"gzip"}
    assert span.resource["deployment.environment.name"] == "prova"
    assert (span.process, span.resource["service.version"]) == ("outro", "7")
    assert span.resource["service.instance.id"]


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ({}, ""),
        ({"otel_exporter_otlp_endpoint": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"otel_exporter_otlp_endpoint": "https://c/otlp/"}, "https://c/otlp/v1/traces"),
        ({"otel_exporter_otlp_traces_endpoint": "http://c:4318/x"}, "http://c:4318/x"),
        ({"otel_exporter_otlp_endpoint": "http://c:4318", "otel_sdk_disabled": True}, ""),
        ({"otel_exporter_otlp_endpoint": "http://c:4318", "otel_traces_exporter": "none"}, ""),
    ],
)
def test_traces_are_off_until_a_receiver_is_named(settings: dict[str, Any], endpoint: str) -> None:
    assert ProcessSettings(**settings).traces_endpoint == endpoint


def test_a_process_without_traces_does_not_load_the_sdk() -> None:
    script = (
        "import sys, gateway.app, pessoas.routes; print([name for name in sys.modules if 'opentelemetry.sdk' in name])"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


async def test_while_the_receiver_does_not_answer_what_does_not_fit_into_the_queue_is_dropped_and_counted(
    one_tracer: Receiver, services: Services
) -> None:
    one_tracer.answers.clear()
    chosen = tracer(one_tracer, otel_bsp_max_queue_size=8, otel_bsp_max_export_batch_size=4)
    async with chosen.sending():
        before = await scrape(services.pessoas)
        for _ in range(50):
            serve(chosen)
        await until(lambda: chosen.waiting <= 8, "the thread has taken a batch")
        for _ in range(50):
            serve(chosen)

        found = await scrape(services.pessoas)
        dropped = found.value("trace_spans_dropped_total", reason="queue_full")
        assert chosen.waiting <= 8
        assert (
            dropped - before.value("trace_spans_dropped_total", reason="queue_full") == chosen.dropped >= 100 - 2 * 12
        )
        one_tracer.answers.set()
        await until(lambda: chosen.waiting == 0, "all others are sent")
    assert len(one_tracer.spans) == 100 - chosen.dropped


async def test_spans_that_the_receiver_refuses_are_counted_and_one_line_says_why(
    one_tracer: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "traces")
    one_tracer.status = 400
    chosen = tracer(one_tracer)
    async with chosen.sending():
        for count in (1, 2):
            serve(chosen)
            await until(lambda count=count: chosen.exporter.failed == count, "it is refused")
        one_tracer.status = 200
        serve(chosen)
        await until(lambda: chosen.exporter.sent == 1, "it is taken again")

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "spans cannot be sent"),
        ("INFO", "spans are sent again"),
    ]
    assert "400" in vars(caplog.records[0])["reason"]


async def test_the_end_of_a_process_sends_what_waits(one_tracer: Receiver) -> None:
    chosen = tracer(one_tracer, otel_bsp_schedule_delay=600_000)

    async with chosen.sending():
        serve(chosen)

    assert len(one_tracer.spans) == 1
    serve(chosen)
    assert chosen.dropped == 1


async def test_the_end_of_a_process_does_not_wait_for_a_receiver_that_is_away(
    one_tracer: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "FLUSH_SECONDS", 0.1)
    one_tracer.answers.clear()
    chosen = tracer(one_tracer)

    async with asyncio.timeout(20), chosen.sending():  # the receiver waits for 60 s, and the SDK would for 30
        serve(chosen)

    assert one_tracer.spans == []


async def test_a_span_that_ends_after_its_request_is_sent_if_the_request_was_kept(one_tracer: Receiver) -> None:
    chosen = tracer(one_tracer)
    kept, other = Trace(TRACE, "01", parent_id=CALLER), Trace(OTHER, "00", parent_id=CALLER)
    async with chosen.sending():
        for trace in (kept, other):
            recording = serve(chosen, trace)
            recording.add(statement)
        spans = await arrived(one_tracer, 2)

    assert {span.name for span in spans} == {"GET /api/pessoas/", "SELECT late"}
    assert one_tracer.of(OTHER) == []


async def test_a_request_records_a_bounded_number_of_spans(one_tracer: Receiver) -> None:
    chosen, trace = tracer(one_tracer), Trace(TRACE, "01", parent_id=CALLER)
    recording = chosen.begin(trace)
    for _ in range(MAX_SPANS + 3):
        recording.add(statement)
    async with chosen.sending():
        scope = {"method": "BREW", "path": "/x/\udcff", "scheme": "http"}
        chosen.end(trace, recording, scope, 404, lambda _: "other", began=1.0, answered=1.0)
        spans = await arrived(one_tracer, MAX_SPANS + 1)

    [request] = [span for span in spans if span.kind == "server"]
    assert (request.name, request.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert (request.attributes["solicita.spans_left_out"], request.attributes["url.path"]) == (3, "/x/?")
    assert "http.route" not in request.attributes


def statement() -> StatementSpan:
    return StatementSpan({}, "SELECT 1 FROM late", "", 1.0, 2.0, "")
