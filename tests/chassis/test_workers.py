"""Several processes behind one port: they share the work, one that is killed is replaced, and they end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import psutil
import pytest

from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.deploy.processes import WAIT_SECONDS, all_end, eventually, family

WORKERS = 3
AWAY = f"postgresql://nobody:x@{HOST}:1/nothing"
"""A service is live without its database."""


class Parent:
    def __init__(self, **variables: str) -> None:
        self.port = free_ports()
        environment = {**os.environ, "DATABASE_URL": AWAY, "PORT": str(self.port), "WORKERS": str(WORKERS), **variables}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chassis.serve", "pessoas"],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def workers(self) -> list[psutil.Process]:
        return [child for child in family(self.process.pid)[1:] if child.status() != psutil.STATUS_ZOMBIE]

    def ask(self, stack: ExitStack) -> None:
        """One answered request, whose connection stays open."""
        connection = stack.enter_context(closing(HTTPConnection(HOST, self.port, timeout=WAIT_SECONDS)))
        connection.request("GET", "/health/live")
        assert connection.getresponse().read() == b'{"status":"live"}'

    def answering(self) -> set[int]:
        """The workers that have a client's connection."""
        return {
            worker.pid
            for worker in self.workers()
            for one in worker.net_connections("tcp")
            if one.status == psutil.CONN_ESTABLISHED and one.laddr.port == self.port
        }


@pytest.fixture
def parent() -> Iterator[Parent]:
    parent = Parent()
    eventually(lambda: len(parent.workers()) == WORKERS, lambda: "all workers start")
    yield parent
    everything = family(parent.process.pid) if parent.process.poll() is None else []
    parent.process.kill()
    parent.process.wait()
    all_end(everything)


def test_every_worker_answers_and_sigterm_ends_them_all(parent: Parent) -> None:
    with ExitStack() as stack:

        def all_answer() -> bool:
            parent.ask(stack)
            return len(parent.answering()) == WORKERS

        eventually(all_answer, lambda: f"{WORKERS} workers answer")
    everything = family(parent.process.pid)
    parent.process.send_signal(signal.SIGTERM)

    assert parent.process.wait(WAIT_SECONDS) == 0
    all_end(everything)


def test_a_killed_worker_is_replaced_while_the_others_answer(parent: Parent) -> None:
    first = parent.workers()
    first[0].kill()
    with ExitStack() as stack:
        parent.ask(stack)

    eventually(
        lambda: len(parent.workers()) == WORKERS and first[0] not in parent.workers(), lambda: "it is started again"
    )


def test_workers_do_not_outlive_a_killed_parent(parent: Parent) -> None:
    workers = parent.workers()
    parent.process.kill()

    all_end(workers)


def test_workers_that_cannot_start_end_their_parent() -> None:
    parent = Parent(DATABASE_URL="mysql://localhost/x")
    _, told = parent.process.communicate(timeout=WAIT_SECONDS)

    assert parent.process.returncode == 1
    assert "configuration error: DATABASE_URL" in told
