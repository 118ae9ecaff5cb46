"""The whole system, started as by `make run`, for tests: its launcher, its lines, and its services' HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from deploy import topology
from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.deploy.processes import WAIT_SECONDS, all_end, eventually, family
from tests.listener import Listener

PORTS = len(topology.PROCESSES) + 1
OURS = (
    *("PORT_OFFSET", "DATA_DIR", "DEMO", "ALLOWED_HOSTS"),
    *("LOG_LEVEL", "LOG_FORMAT", "NO_COLOR", "FORCE_COLOR"),
    *("AUTH_MODE", "AUTH_JWKS", "AUTH_ISSUER", "AUTH_AUDIENCE"),
)
"""Variables that the launcher gets only from the test, whatever the environment of the test run has."""

PATIENT_VARIABLES = {"NEIGHBOUR_TIMEOUT": 15, "OPERATION_TIMEOUT": 30, "DATABASE_TIMEOUT": 15}
"""Variables with which a busy machine makes no call fail."""


def command(**variables: object) -> dict[str, Any]:
    """Arguments for `subprocess` that run the launcher with these of its variables and no others."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return {
        "args": [sys.executable, "-m", "deploy.local"],
        "cwd": ROOT,
        "env": kept | {name: str(value) for name, value in variables.items()},
        "text": True,
    }


def refusal(**variables: object) -> str:
    """What the launcher prints when it refuses to run; it must print to stderr only."""
    refused = subprocess.Popen(**command(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, line = refused.communicate(timeout=WAIT_SECONDS)
    assert (refused.returncode, out) == (1, "")
    return line


class System:
    """A running launcher, its lines so far, and its services' HTTP."""

    root = ROOT
    """The folder with the code that runs."""
    open_output = staticmethod(os.pipe)
    """Opens what the launcher writes its lines into; returns the end to read and the end to write."""

    def __init__(self, directory: Path, offset: int, demo: int, **variables: object) -> None:
        self.directory, self.offset = directory, offset
        reading, writing = self.open_output()
        started = command(DATA_DIR=directory, PORT_OFFSET=offset, DEMO=demo, **variables)
        started["cwd"] = self.root
        self.launcher = subprocess.Popen(
            **started,
            stdout=writing,
            stderr=subprocess.STDOUT,
        )
        os.close(writing)
        self.terminal = Listener(os.fdopen(reading))
        self.said = self.terminal.said

    def says(self, text: str) -> None:
        """Waits for a line with `text`."""
        eventually(
            lambda: any(text in line for line in self.said) or self.launcher.poll() is not None,
            lambda: f"the launcher says {text!r}; it said\n" + "\n".join(self.said),
        )
        if self.launcher.poll() is not None:
            self.terminal.join(WAIT_SECONDS)
        assert any(text in line for line in self.said), "\n".join(self.said)

    def processes(self, name: str) -> list[psutil.Process]:
        """Every process that serves `name`; there are two while a new one replaces the old one."""
        found: list[psutil.Process] = []
        for child in family(self.launcher.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                words = child.cmdline()
                if "chassis.serve" in words and name in words:
                    found.append(child)
        return found

    def process(self, name: str) -> psutil.Process:
        """The process that serves `name`."""
        [found] = self.processes(name)
        return found

    def ask(self, name: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = HTTPConnection(HOST, topology.by_name(name).port + self.offset, timeout=WAIT_SECONDS)
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if content else None

    def stop(self, number: signal.Signals) -> int:
        """Sends a signal to the launcher alone; its exit code, once nothing of the system is left."""
        everything = family(self.launcher.pid)
        self.launcher.send_signal(number)
        code = self.launcher.wait(WAIT_SECONDS)
        all_end(everything)
        return code


class SystemOnATerminal(System):
    """The same system, whose output goes to a terminal."""

    open_output = staticmethod(os.openpty)


def free_offset() -> int:
    """A PORT_OFFSET that moves all ports to free ones."""
    return free_ports(PORTS) - min(process.port for process in topology.PROCESSES)
