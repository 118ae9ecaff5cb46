"""Helpers that check that processes have ended, and that wait for something with a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import psutil

WAIT_SECONDS = 60
"""The limit of every wait, in seconds; nothing here measures time."""


def eventually(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Returns when `condition` holds; fails with `what` if it never does."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in {WAIT_SECONDS} s: {what()}"
        time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    """Whether the process has ended; a zombie that its parent has not reaped yet has ended too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def family(pid: int) -> list[psutil.Process]:
    """A process and all that descend from it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def all_end(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        eventually(lambda process=process: has_ended(process), lambda process=process: f"{process} ends")
