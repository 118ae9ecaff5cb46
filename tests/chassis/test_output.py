"""The log lines of a process are complete and in order, and no request waits for their reader."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chassis.observe.output import MAX_WAITING_BYTES, Output
from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.listener import Listener
from tests.scraped import parsed

LONG = "x" * 40_000
"""Makes a line that is too long for a pipe to take at once."""


# -- one output ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def told(lines: int) -> bytes:
    return b"%d lines dropped\n" % lines


def test_who_writes_to_a_full_pipe_does_not_wait_and_hears_what_is_missing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    output = Output(writing, told)
    each, threads = 200, 4

    def write(name: int) -> None:
        for n in range(each):
            output.write(b"%d %d %s\n" % (name, n, b"x" * (4 * MAX_WAITING_BYTES // (each * threads))))

    writers = [threading.Thread(target=write, args=(name,), daemon=True) for name in range(threads)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(WAIT_SECONDS)
        assert not writer.is_alive(), "a writer waits for the reader"
    assert output.dropped > 0
    whole: list[str] = []
    missing = 0
    with open(reading, closefd=False) as lines:
        while len(whole) + missing < each * threads:
            line = lines.readline().rstrip()
            if line.endswith(" lines dropped"):
                missing += int(line.split()[0])
            else:
                whole.append(line)
        output.write(b"more\n")
        last = lines.readline()

    assert missing == output.dropped
    assert last == "more\n"
    assert all(re.fullmatch("[0-9]+ [0-9]+ x+", line) for line in whole)
    for name in range(threads):
        numbers = [int(line.split()[1]) for line in whole if line.split()[0] == str(name)]
        assert numbers == sorted(numbers)


def test_a_descriptor_that_others_made_non_blocking_loses_nothing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    output = Output(writing, told)
    written = [b"%d %s\n" % (n, b"x" * 5000) for n in range(100)]

    for line in written:
        output.write(line)
    with open(reading, "rb", closefd=False) as lines:
        found = [lines.readline() for _ in written]

    assert found == written


def test_without_a_reader_lines_are_counted(pipe: tuple[int, int]) -> None:
    reading, writing = os.pipe()
    gone = threading.Event()
    output = Output(writing, told, gone.set)
    os.close(reading)

    output.write(b"a\n")
    output.write(b"b\n")

    assert gone.wait(WAIT_SECONDS)
    output.flush(WAIT_SECONDS)
    assert output.dropped == 2


# -- processes -----------------------------------------------------------------------------------------------------


def process(program: str, *, stdout: Any = subprocess.PIPE) -> subprocess.Popen[str]:
    """Python runs `program`, which has logged nothing yet."""
    begin = "from chassis.observe import logs as ours; ours.catch_all(); ours.configure('pessoas', 'INFO')\n"
    return subprocess.Popen(
        [sys.executable, "-c", begin + program], cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("program", "message", "exception", "code"),
    [
        ("raise ValueError('wrong')", "unhandled exception", "ValueError: wrong", 1),
        (
            "import threading; threading.Thread(target=lambda: 1 / 0, name='worker').start()",
            "unhandled exception in thread worker",
            "ZeroDivisionError",
            0,
        ),
        (
            "class Fragile:\n    def __del__(self): raise ValueError('wrong')\nFragile()",
            "Exception ignored",
            "ValueError: wrong",
            0,
        ),
        ("import warnings; warnings.warn('old')", "UserWarning: old", None, 0),
        ("import logging; logging.warning('%d', 'no number')", "log call failed", "TypeError", 0),
    ],
    ids=["exception", "thread", "destructor", "warning", "malformed log call"],
)
def test_what_python_tells_by_itself_is_a_json_line(
    program: str, message: str, exception: str | None, code: int
) -> None:
    running = process(program)
    out, err = running.communicate(timeout=WAIT_SECONDS)

    [line] = map(json.loads, out.splitlines())
    assert message.lower() in line["message"].lower()
    assert (exception or "") in line.get("exception", "")
    assert (running.returncode, err) == (code, "")


def test_a_process_whose_log_is_unread_ends_all_the_same() -> None:
    running = process(f"import logging\nfor n in range(1000): logging.warning('%d {LONG}', n)")

    assert running.wait(WAIT_SECONDS) == 0
    assert running.stdout
    [*lines, cut] = running.stdout.read().split("\n")
    assert [json.loads(line)["message"].split()[0] for line in lines] == [str(n) for n in range(len(lines))]
    assert cut.startswith("{"), "the end of the process cut off more than one line"


def test_a_line_that_a_full_disk_cut_off_spoils_no_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = """
import logging, resource
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, most))
for n in range(60): logging.warning("before %d", n)
ours.output.flush(60)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
logging.warning("after")
"""
    with log.open("w") as file:
        assert process(program, stdout=file).wait(WAIT_SECONDS) == 0

    *before, cut, after, missing = log.read_text().splitlines()
    assert [json.loads(line)["message"] for line in before] == [f"before {n}" for n in range(len(before))]
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
    assert json.loads(after)["message"] == "after"
    assert json.loads(missing)["lines"] == 60 - len(before)


# -- a service whose log nobody reads ------------------------------------------------------------------------------


class Service:
    """pessoas without its database: it is live, and logs a line for every request."""

    def __init__(self, workers: int) -> None:
        self.port = free_ports()
        away = f"postgresql://nobody:x@{HOST}:1/nothing"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chassis.serve", "pessoas"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": away, "PORT": str(self.port), "WORKERS": str(workers)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        self.log = Listener(self.process.stdout)
        self._client = httpx2.Client(
            base_url=f"http://{HOST}:{self.port}",
            headers={"Connection": "close"},  # so that every worker is asked
            timeout=WAIT_SECONDS,
            trust_env=False,
        )

    def ask(self, path: str) -> httpx2.Response:
        return self._client.get(path)

    def is_live(self) -> bool:
        try:
            return self.ask("/health/live").status_code == 200
        except httpx2.TransportError:
            return False

    @property
    def dropped(self) -> float:
        """By all its workers."""
        return parsed(self.ask("/metrics")).value("log_lines_dropped_total")

    def logged(self) -> list[dict[str, Any]]:
        """All lines so far; raises ValueError if one is not JSON, as half a line is not."""
        return [json.loads(line) for line in self.log.said]


@pytest.fixture
def serve() -> Iterator[Callable[[int], Service]]:
    started: list[Service] = []

    def begin(workers: int) -> Service:
        started.append(Service(workers))
        eventually(started[-1].is_live, lambda: "pessoas is live")
        # The last line of each worker that is not about a request. Later, among lines that are dropped, it would be
        # counted with them.
        eventually(
            lambda: sum("database cannot be reached" in line for line in started[-1].log.said) >= workers,
            lambda: f"{workers} workers say that they have no database",
        )
        return started[-1]

    yield begin
    for one in started:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("workers", [1, 3])
def test_requests_are_answered_while_nobody_reads_the_log(serve: Callable[[int], Service], workers: int) -> None:
    service, asked = serve(workers), 150 * workers
    with service.log.paused():
        for n in range(asked):
            assert service.ask(f"/{n}/{LONG}").status_code == 404
        assert service.is_live()
        eventually(lambda: service.dropped > 0, lambda: "lines are dropped and counted")

    def accounted() -> int:
        return told() + sum(line["message"].startswith("GET /") for line in service.logged())

    def told() -> int:
        return sum(line["lines"] for line in service.logged() if line["message"] == "log lines dropped")

    eventually(lambda: accounted() == asked, lambda: f"{asked} requests are lines or told, not {accounted()}")
    eventually(lambda: service.dropped == told(), lambda: f"{told()} lines are counted, not {service.dropped:g}")


def test_a_service_whose_log_is_unread_stops_when_it_is_told_to(serve: Callable[[int], Service]) -> None:
    service = serve(1)
    with service.log.paused():
        for n in range(10):
            service.ask(f"/{n}/{LONG}")
        service.process.terminate()

        assert service.process.wait(WAIT_SECONDS) == -signal.SIGTERM


def test_what_a_service_logged_last_is_there_when_it_has_stopped(serve: Callable[[int], Service]) -> None:
    service = serve(1)
    service.ask("/last")
    service.process.terminate()
    service.process.wait(WAIT_SECONDS)

    eventually(lambda: any("GET /last" in line for line in service.log.said), lambda: "the last request is a line")
