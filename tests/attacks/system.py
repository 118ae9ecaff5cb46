"""The system under attack, as `make run` starts it, and whether it is still what it was."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy import topology
from tests import issuer
from tests.system import System, free_offset

SETTINGS: dict[str, str] = {}
"""Variables of every system under attack. A limit that repeated attacks would meet before their own belongs here."""


@contextmanager
def attacked(directory: Path, **variables: str) -> Generator[System]:
    system = System(directory, free_offset(), demo=1, **SETTINGS, **variables)
    try:
        system.says("open GraphiQL")
        yield system
    finally:
        system.stop(signal.SIGTERM)


def asking_for_tokens(jwks: str) -> dict[str, str]:
    """Variables of a system that trusts `tests.issuer`."""
    return {
        "AUTH_MODE": "jwt",
        "AUTH_JWKS": jwks,
        "AUTH_ISSUER": issuer.ISSUER,
        "AUTH_AUDIENCE": issuer.AUDIENCE,
    }


def processes(system: System) -> dict[str, psutil.Process]:
    """Equal, by pid and by when it began, to an earlier answer as long as no process was restarted."""
    return {one.name: system.process(one.name) for one in topology.PROCESSES}


def megabytes(running: dict[str, psutil.Process]) -> dict[str, float]:
    return {name: process.memory_info().rss / 2**20 for name, process in running.items()}
