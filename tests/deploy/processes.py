"""Proof that processes have ended, and bounded patience for what happens soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import psutil

WAIT_SECONDS = 60
"""Bounds every wait; nothing here measures time."""


def eventually(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Returns once `condition` holds; fails with `what` when it never does."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in {WAIT_SECONDS} s: {what()}"
        time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more; one that nobody has reaped yet has ended too."""
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
