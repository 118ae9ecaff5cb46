"""What a process writes to its log: one JSON line for each request, one for each failed call, and none for refused
calls."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from contextvars import Context
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from chassis.errors import Unavailable
from chassis.neighbours.remote import Remote
from chassis.observe.logs import FORMATTERS, JsonFormatter
from chassis.observe.readable import readable
from chassis.settings import NeighbourSettings
from deploy.postgres import free_ports
from tests.applications import Services
from tests.listener import Logged

ROOT = Path(__file__).resolve().parents[2]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_what_is_no_unicode_is_a_json_line_too() -> None:
    record = logging.makeLogRecord({"msg": "wrong", "levelname": "INFO", "name": "x", "given": "a\udcff"})

    line = json.loads(JsonFormatter("pessoas").format(record))

    assert (line["message"], line["given"]) == ("wrong", "a\udcff")


def test_text_has_time_level_logger_and_message_first_and_the_request_last() -> None:
    line: dict[str, Any] = {"time": datetime(2026, 11, 26, 12, 4, 5, 123456).astimezone(), "level": "INFO"}
    line |= {"process": "pessoas", "logger": "http", "message": "GET /api/pessoas/", "trace_id": TRACE}
    line |= {"span_id": "00f067aa0ba902b7", "trace_flags": "00", "status": 200, "milliseconds": 1.5}

    text = f"12:04:05.123 INFO    http GET /api/pessoas/ status=200 milliseconds=1.5 trace_id={TRACE}"
    assert readable(line, coloured=False) == text
    assert re.sub(r"\033\[\d+m", "", readable(line, coloured=True)) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("pessoas", "pessoas"),
        ("not there", '"not there"'),
        ("", '""'),
        ('a "word"', r'"a \"word\""'),
        ("a=b", '"a=b"'),
        (None, "None"),
        ("a\n\033[2Jb", r"a\n\x1b[2Jb"),
        ("a\udcff\u202eb", r"a\udcff\u202eb"),
    ],
)
def test_in_text_it_is_clear_where_a_value_ends_and_nothing_commands_the_terminal(value: Any, shown: str) -> None:
    record = logging.makeLogRecord({"msg": value, "levelname": "INFO", "name": "x", "given": value})

    # Outside of any request: a trace that is at hand would come last.
    line = Context().run(FORMATTERS["text"]("pessoas").format, record)

    assert line.endswith(f" given={shown}")
    assert line.isprintable()


def logs(program: str, **variables: str) -> str:
    """The output of a Python that runs `program` after it has set up logs with `LOG_FORMAT=text`."""
    begin = "import logging; from chassis.observe import logs as ours; ours.configure('pessoas', 'INFO', 'text')\n"
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    told = subprocess.run(
        [sys.executable, "-c", begin + program],
        cwd=ROOT,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stderr == ""
    return told.stdout


def test_in_text_an_exception_stands_below_its_line_and_cannot_pass_for_another_one() -> None:
    out = logs(
        "try: raise ValueError('wrong\\n12:00:00.000 ERROR \\033[2J')\nexcept ValueError: logging.exception('oh')"
    )

    line, *below = out.splitlines()
    assert line.endswith(" ERROR   root oh")
    assert below[0] == "    Traceback (most recent call last):"
    assert below[-2:] == ["    ValueError: wrong", r"    12:00:00.000 ERROR \x1b[2J"]


def test_in_text_requests_and_lines_that_are_missing_are_text_too() -> None:
    out = logs(
        "ours.access('GET', '/a\\033b', 200, 0.0015, '::1', {'operation': 'Painel'}); "
        "ours.output.write(ours.dropped_line(3))"
    )

    request, missing = out.splitlines()
    assert request.endswith(r" INFO    http GET /a\x1bb status=200 milliseconds=1.5 client=::1 operation=Painel")
    assert missing.endswith(" WARNING process log lines dropped lines=3")


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, False),
    ],
    ids=["a pipe", "forced", "unwanted", "empty"],
)
def test_text_has_colours_where_they_are_wanted(variables: dict[str, str], coloured: bool) -> None:
    assert ("\033[" in logs("logging.warning('x')", **variables)) is coloured


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_a_request_is_one_json_line_with_its_trace_and_its_own_span(
    services: Services, caplog: pytest.LogCaptureFixture, logged: Logged, flags: str
) -> None:
    caplog.set_level(logging.INFO, "http")

    await services.pessoas.get("/api/pessoas/?x=1", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-{flags}"})

    [line] = logged()
    assert datetime.fromisoformat(line.pop("time")).tzinfo == UTC
    assert line.pop("milliseconds") >= 0
    assert line.pop("process")
    assert re.fullmatch("(?!00f067aa0ba902b7)[0-9a-f]{16}", line.pop("span_id"))
    assert line == {
        "level": "INFO",
        "logger": "http",
        "message": "GET /api/pessoas/",
        "trace_id": TRACE,
        "trace_flags": flags,
        "status": 422,
        "client": "127.0.0.1",
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
    caplog.set_level(logging.WARNING)
    async with Remote("pessoas", f"http://127.0.0.1:{free_ports()}", NeighbourSettings(retry_budget=0)) as asking:
        for _ in range(60):
            with pytest.raises(Unavailable):
                await asking.read("/api/pessoas/1/", orjson.loads)

    assert [record.message for record in caplog.records] == [*["call failed"] * 9, "breaker opened", "call failed"]
