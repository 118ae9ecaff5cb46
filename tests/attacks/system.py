"""Starts the system under attack as `make run` does, and tells whether a process was restarted."""

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
"""Variables of every system under attack. They raise the limits that repeated attacks would reach before the limit that
they test."""


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
    """The processes with their ids and start times; equal to an earlier result as long as no process was restarted."""
    return {one.name: system.process(one.name) for one in topology.PROCESSES}


def megabytes(running: dict[str, psutil.Process]) -> dict[str, float]:
    return {name: process.memory_info().rss / 2**20 for name, process in running.items()}
