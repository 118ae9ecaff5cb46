"""The launcher, as a person uses it: one command starts everything, and nothing is left however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy import topology
from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.deploy.processes import WAIT_SECONDS, all_end, eventually, family

PORTS = len(topology.PROCESSES) + 1
OURS = ("PORT_OFFSET", "DATA_DIR", "DEMO", "LOG_LEVEL")


def command(**variables: object) -> dict[str, Any]:
    """Arguments for `subprocess` that run the launcher with just these of its variables."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return {
        "args": [sys.executable, "-m", "deploy.local"],
        "cwd": ROOT,
        "env": kept | {name: str(value) for name, value in variables.items()},
        "text": True,
    }


def refusal(**variables: object) -> str:
    """What the launcher says, on stderr alone, when it refuses to run."""
    refused = subprocess.Popen(**command(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, line = refused.communicate(timeout=WAIT_SECONDS)
    assert (refused.returncode, out) == (1, "")
    return line


class System:
    """A running launcher, what it has said so far, and its services' HTTP."""

    def __init__(self, directory: Path, offset: int, demo: int) -> None:
        self.offset = offset
        self.said: list[str] = []
        self.launcher = subprocess.Popen(
            **command(DATA_DIR=directory, PORT_OFFSET=offset, DEMO=demo),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.launcher.stdout
        for line in self.launcher.stdout:
            self.said.append(line.rstrip())

    def says(self, text: str) -> None:
        """Waits for a line with `text`."""
        eventually(
            lambda: any(text in line for line in self.said) or self.launcher.poll() is not None,
            lambda: f"the launcher says {text!r}; it said\n" + "\n".join(self.said),
        )
        assert any(text in line for line in self.said), "\n".join(self.said)

    def process(self, name: str) -> psutil.Process:
        """The process that serves `name`."""
        [found] = [
            child
            for child in family(self.launcher.pid)
            if "chassis.serve" in child.cmdline() and name in child.cmdline()
        ]
        return found

    def ask(self, name: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = HTTPConnection(HOST, topology.by_name(name).port + self.offset, timeout=WAIT_SECONDS)
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content)

    def stop(self, number: signal.Signals) -> int:
        """Sends a signal to the launcher alone; its exit code, once nothing of the system is left."""
        everything = family(self.launcher.pid)
        self.launcher.send_signal(number)
        code = self.launcher.wait(WAIT_SECONDS)
        all_end(everything)
        return code


@pytest.fixture
def offset() -> int:
    """A PORT_OFFSET that moves all ports to free ones."""
    return free_ports(PORTS) - min(process.port for process in topology.PROCESSES)


@pytest.fixture
def systems() -> Iterator[list[System]]:
    """The systems that a test has started; what is still there at its end is ended."""
    started: list[System] = []
    yield started
    for system in started:
        if system.launcher.poll() is None:
            system.launcher.kill()
            system.launcher.wait()


def test_a_killed_service_comes_back_and_ctrl_c_stops_everything(
    directory: Path, offset: int, systems: list[System]
) -> None:
    system = System(directory, offset, demo=0)
    systems.append(system)
    system.says(f"http://localhost:{8000 + offset}/graphql")
    assert system.ask("pessoas", "GET", "/api/pessoas/") == (200, [])

    killed = system.process("pessoas")
    killed.kill()
    system.says("pessoas was ended by SIGKILL; starting it again in 0.1 s")
    assert system.ask("pessoas", "GET", "/api/pessoas/") == (200, [])  # the socket was open all the time
    assert system.process("pessoas") != killed

    assert system.stop(signal.SIGINT) == 0
    assert system.said[-1].endswith("stopped")


def test_a_killed_launcher_leaves_no_process_and_loses_no_data(
    directory: Path, offset: int, systems: list[System]
) -> None:
    system = System(directory, offset, demo=1)
    systems.append(system)
    system.says("loaded 5,770 rows of demo data")
    system.says("ready in")
    assert system.ask("pessoas", "POST", "/api/pessoas/", {"nome_pessoa": "Zoé"})[0] == 201
    second = refusal(DATA_DIR=directory, PORT_OFFSET=offset)
    assert second.count("\n") == 1
    assert f"process {system.launcher.pid} already runs" in second
    system.stop(signal.SIGKILL)

    system = System(directory, offset, demo=1)
    systems.append(system)
    system.says("ready in")
    assert not any("demo" in line for line in system.said)
    _, pessoas = system.ask("pessoas", "GET", "/api/pessoas/?ordering=-id&page_size=2")
    assert [pessoa["id"] for pessoa in pessoas] == [501, 500]
    assert pessoas[0]["nome_pessoa"] == "Zoé"

    postmaster = int((directory / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(postmaster, signal.SIGKILL)
    system.says("postgres ended with exit code 137; starting it again")
    eventually(
        lambda: system.ask("pessoas", "GET", "/api/pessoas/501/")[0] == 200, lambda: "pessoas has its database again"
    )

    assert system.stop(signal.SIGTERM) == 0


def test_a_process_that_cannot_start_stops_everything_and_is_named(directory: Path, offset: int) -> None:
    launcher = subprocess.Popen(
        **command(DATA_DIR=directory, PORT_OFFSET=offset, DEMO=0, DATABASE_POOL_SIZE="many"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, line = launcher.communicate(timeout=WAIT_SECONDS)
    assert launcher.returncode == 1
    assert "configuration error: DATABASE_POOL_SIZE" in out
    assert "ended with exit code 1 before everything was ready" in line
    assert line.count("\n") == 1
    assert not (directory / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("name", [*(process.name for process in topology.PROCESSES), "postgres"])
def test_a_taken_port_is_one_line_that_says_what_to_do(directory: Path, offset: int, name: str) -> None:
    taken = offset + (topology.POSTGRES_PORT if name == "postgres" else topology.by_name(name).port)
    with socket.socket() as other:
        other.bind((HOST, taken))
        other.listen()
        line = refusal(DATA_DIR=directory, PORT_OFFSET=offset)
    assert line.count("\n") == 1
    assert f"port {taken} for {name} cannot be used" in line
    assert "PORT_OFFSET" in line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT_OFFSET", "one"),
        ("PORT_OFFSET", "-1"),
        ("PORT_OFFSET", "24763"),
        ("DEMO", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("DATA_DIR", "/dev/null"),
    ],
)
def test_a_malformed_variable_is_one_line_that_names_it(directory: Path, variable: str, value: str) -> None:
    line = refusal(**{"DATA_DIR": directory, variable: value})
    assert line.startswith(variable)
    assert value in line
    assert line.count("\n") == 1
