"""One trace through all processes, as a receiver of OTLP gets it; and what the end of a process still sends."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import httpx2
import pytest

from chassis.observe.traces import SLOW_SECONDS
from deploy.topology import PROCESSES, by_name
from tests.deploy.processes import eventually
from tests.e2e.test_story import PAINEL
from tests.otlp import Received, Receiver, receiving
from tests.system import PATIENT_VARIABLES, System, free_offset

TRACE, LATER = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "b7ad6b7169203331"
EVERYONE = {process.name for process in PROCESSES}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(scope="module")
def traced_system(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[System]:
    """The whole system with two workers for each process. A batch is one span, so that each is sent at once. No row
    is kept, so that each operation asks every service."""
    running = System(
        tmp_path_factory.mktemp("traced"),
        free_offset(),
        demo=1,
        WORKERS=2,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_TRACES_SAMPLER_ARG=0,
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1,
        CACHE="off",
        **PATIENT_VARIABLES,
    )
    running.says("open GraphiQL")
    yield running
    running.stop(signal.SIGTERM)


def ask(system: System, trace_id: str, flags: str = "01", query: str = PAINEL) -> httpx2.Response:
    url = f"http://localhost:{by_name('gateway').port + system.offset}/graphql"
    headers = {"traceparent": f"00-{trace_id}-{CALLER}-{flags}"}
    answer = httpx2.post(url, json={"query": query}, headers=headers, timeout=30)
    assert "errors" not in answer.json()
    return answer


def test_a_painel_is_one_trace_with_a_span_for_each_request_call_and_statement(
    traced_system: System, receiver: Receiver
) -> None:
    answer = ask(traced_system, TRACE)

    assert answer.headers["x-request-id"] == TRACE
    eventually(lambda: len(receiver.of(TRACE)) >= 13, lambda: f"13 spans arrive, and not {len(receiver.of(TRACE))}")
    spans = receiver.of(TRACE)
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans) == 13

    def parent(span: Received) -> Received:
        return by_id[span.parent_id]

    [request] = [span for span in spans if span.parent_id == CALLER]
    assert (request.process, request.kind, request.name) == ("gateway", "server", "query")
    calls = [span for span in spans if (span.process, span.kind) == ("gateway", "client")]
    assert all(parent(call) is request for call in calls)
    assert {call.attributes["service.peer.name"] for call in calls} == EVERYONE - {"gateway"}
    served = [span for span in spans if span.kind == "server" and span is not request]
    assert {(parent(one).attributes["service.peer.name"], parent(one).kind) for one in served} == {
        (one.process, "client") for one in served
    }
    statements = [span for span in spans if span.kind == "client" and span not in calls]
    assert len(statements) == 4
    assert all(parent(one) in served and parent(one).process == one.process for one in statements)
    assert {one.name for one in statements} == {
        "SELECT pessoa",
        "SELECT servico",
        "SELECT produto categoria",
        "SELECT SELECT solicitacao solicitacao",
    }
    assert all("%s" in one.attributes["db.query.text"] for one in statements if "SELECT SELECT" not in one.name)
    assert not any(span.failed or span.links for span in spans)
    within = [(parent(span), span) for span in spans if span is not request]
    assert all(outer.began <= inner.began <= inner.ended <= outer.ended for outer, inner in within)


def test_the_log_line_of_each_process_names_the_span_that_arrived(traced_system: System, receiver: Receiver) -> None:
    ask(traced_system, LATER)

    def arrived() -> set[str]:
        return {span.span_id for span in receiver.of(LATER) if span.kind == "server"}

    eventually(lambda: len(arrived()) == 5, lambda: f"each process sends its span: {arrived()}")
    eventually(
        lambda: all(
            any(f'"trace_id":"{LATER}","span_id":"{span_id}","trace_flags":"01"' in line for line in traced_system.said)
            for span_id in arrived()
        ),
        lambda: "each process logs its span",
    )


def test_what_is_not_sampled_is_not_sent_unless_it_was_slow(traced_system: System, receiver: Receiver) -> None:
    unsampled, last = "a" * 32, "b" * 32

    ask(traced_system, unsampled, "00")
    ask(traced_system, last)

    eventually(lambda: len(receiver.of(last)) == 13, lambda: "the trace that was asked for later has arrived")
    slow = [span for span in receiver.of(unsampled) if span.kind == "server"]  # on a busy machine
    assert all(span.ended - span.began >= SLOW_SECONDS * 1e9 for span in slow)


def test_a_system_that_ends_sends_the_spans_that_still_wait(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    trace = "c" * 32
    running = System(
        tmp_path_factory.mktemp("ending"),
        free_offset(),
        demo=1,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_BSP_SCHEDULE_DELAY=600_000,
        **PATIENT_VARIABLES,
    )
    running.says("open GraphiQL")
    ask(running, trace)

    assert receiver.of(trace) == []
    assert running.stop(signal.SIGTERM) == 0
    assert {span.process for span in receiver.of(trace)} == EVERYONE
