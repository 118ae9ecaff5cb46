"""W3C Trace Context: to which trace a request belongs, and what of the trace is passed on."""

from __future__ import annotations

import httpx2
import pytest

from tests import builders
from tests.applications import Gateway, Services
from tests.resources import PESSOAS

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GOOD = f"00-{TRACE}-00f067aa0ba902b7-01"
Lines = list[tuple[str, str]]


async def adopted(services: Services, *lines: tuple[str, str]) -> bool:
    answer = await services.pessoas.get(PESSOAS.path, headers=list(lines))
    assert answer.status_code == 200
    return answer.headers["x-request-id"] == TRACE


@pytest.mark.parametrize(
    "traceparent", [GOOD, f"01-{TRACE}-00f067aa0ba902b7-01", f"fe-{TRACE}-00f067aa0ba902b7-01-what-will-be"]
)
async def test_a_trace_is_taken_up_of_later_versions_too(services: Services, traceparent: str) -> None:
    assert await adopted(services, ("traceparent", traceparent))


@pytest.mark.parametrize(
    "traceparent",
    [
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"ff-{TRACE}-00f067aa0ba902b7-01-more",
        f"FF-{TRACE}-00f067aa0ba902b7-01",
        f"{GOOD}-more",
        f"{GOOD}-",
        f"{GOOD}.",
        f"01-{TRACE}-00f067aa0ba902b7-01.more",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-00f067aa0ba902b7",
        f"00-{TRACE}-00f067aa0ba902b7-1",
        f"{GOOD}, {GOOD}",
        "",
    ],
)
async def test_a_malformed_traceparent_is_not_adopted(services: Services, traceparent: str) -> None:
    assert not await adopted(services, ("traceparent", traceparent))


async def test_a_traceparent_on_two_lines_is_not_adopted(services: Services) -> None:
    other = f"00-{'a' * 32}-00f067aa0ba902b7-01"

    for lines in ((GOOD, GOOD), (GOOD, other), (other, GOOD)):
        assert not await adopted(services, *(("traceparent", line) for line in lines))


async def sent_on(services: Services, gateway: Gateway, *lines: tuple[str, str]) -> httpx2.Headers:
    """The headers of the call that the gateway makes for a request with these."""
    found: list[httpx2.Headers] = []

    def look(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        found.append(request.headers)
        return answer

    services.networks["pessoas"].disturb = look
    query = {"query": "{ pessoas(first: 1) { nodes { id } } }"}
    answer = await gateway.client.post("/graphql", json=query, headers=list(lines))
    assert "errors" not in answer.json()
    [headers] = found
    return headers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["vendor=a%20b"], "vendor=a%20b"),
        (["one=1", "two@org=2,three=3"], "one=1, two@org=2,three=3"),
        (["v=" + "x" * 510], "v=" + "x" * 510),
    ],
)
async def test_a_tracestate_travels_with_its_traceparent(
    services: Services, gateway: Gateway, given: list[str], expected: str
) -> None:
    await builders.pessoa(services)
    lines: Lines = [("traceparent", GOOD), *(("tracestate", line) for line in given)]

    headers = await sent_on(services, gateway, *lines)

    assert headers["tracestate"] == expected
    assert headers["traceparent"][:36] == f"00-{TRACE}-"


@pytest.mark.parametrize(
    "lines",
    [
        [("tracestate", "vendor=1")],
        [("traceparent", f"{GOOD}-more"), ("tracestate", "vendor=1")],
        [("X-Request-ID", TRACE), ("tracestate", "vendor=1")],
        [("traceparent", GOOD), ("tracestate", "v=" + "x" * 511)],
        [("traceparent", GOOD), ("tracestate", "")],
        [("traceparent", GOOD), ("baggage", "user=ana")],
    ],
)
async def test_neither_a_tracestate_without_its_trace_nor_baggage_travels(
    services: Services, gateway: Gateway, lines: Lines
) -> None:
    headers = await sent_on(services, gateway, *lines)

    assert {"tracestate", "baggage"}.isdisjoint(headers)


@pytest.mark.parametrize(("flags", "expected"), [("00", "00"), ("01", "01"), ("03", "03"), ("ff", "03"), ("fc", "00")])
async def test_only_flags_that_we_know_travel(services: Services, gateway: Gateway, flags: str, expected: str) -> None:
    headers = await sent_on(services, gateway, ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-{flags}"))

    assert headers["traceparent"].endswith(f"-{expected}")
