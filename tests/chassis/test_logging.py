"""What a process writes to its log: one JSON line for a request, one for a call that failed, none for those refused."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import httpx2
import orjson
import pytest

from chassis.errors import Unavailable
from chassis.logging import JsonFormatter
from chassis.remote import Remote
from chassis.settings import NeighbourSettings
from tests.applications import Services
from tests.listener import Logged

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_what_is_no_unicode_is_a_json_line_too() -> None:
    record = logging.makeLogRecord({"msg": "wrong", "levelname": "INFO", "name": "x", "given": "a\udcff"})

    line = json.loads(JsonFormatter("pessoas").format(record))

    assert (line["message"], line["given"]) == ("wrong", "a\udcff")


async def test_a_request_is_one_json_line_with_its_id(
    services: Services, caplog: pytest.LogCaptureFixture, logged: Logged
) -> None:
    caplog.set_level(logging.INFO, "http")

    await services.pessoas.get("/api/pessoas/?x=1", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"})

    [line] = logged()
    assert datetime.fromisoformat(line.pop("time")).tzinfo == UTC
    assert line.pop("milliseconds") >= 0
    assert line.pop("process")
    assert line == {
        "level": "INFO",
        "logger": "http",
        "message": "GET /api/pessoas/",
        "request_id": TRACE,
        "status": 422,
    }


async def test_paths_that_are_no_text_are_still_one_line(
    services: Services, caplog: pytest.LogCaptureFixture, logged: Logged
) -> None:
    caplog.set_level(logging.INFO, "http")

    await services.pessoas.get("/api/pessoas/%0a%22%ff/")

    [line] = logged()
    assert line["message"].startswith('GET /api/pessoas/\n"')


async def test_a_request_has_no_line_above_info(services: Services, logged: Logged) -> None:
    await services.pessoas.get("/api/pessoas/")

    assert logged() == []


async def test_health_and_metrics_have_no_line(
    services: Services, caplog: pytest.LogCaptureFixture, logged: Logged
) -> None:
    caplog.set_level(logging.INFO, "http")

    await services.pessoas.get("/health/live")
    await services.pessoas.get("/metrics")

    assert logged() == []


async def test_an_open_breaker_writes_one_line_and_its_refusals_none(caplog: pytest.LogCaptureFixture) -> None:
    def cut(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("cut by a test")

    caplog.set_level(logging.WARNING)
    async with Remote(
        "pessoas", "http://x.test", NeighbourSettings(retry_budget=0), transport=httpx2.MockTransport(cut)
    ) as asking:
        for _ in range(60):
            with pytest.raises(Unavailable):
                await asking.read("/api/pessoas/1/", orjson.loads)

    assert [record.message for record in caplog.records] == [*["call failed"] * 9, "breaker opened", "call failed"]
