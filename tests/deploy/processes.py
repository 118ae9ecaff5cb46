"""Helpers that freeze processes, check that they have ended, and wait for something with a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest

WAIT_SECONDS = 60
"""The limit of every wait, in seconds; nothing here measures time."""


def eventually(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Returns when `condition` holds; fails with `what` if it never does."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in {WAIT_SECONDS} s: {what()}"
        time.sleep(0.02)


@contextlib.contextmanager
def frozen(process: subprocess.Popen[Any]) -> Generator[None]:
    """SIGSTOP, and SIGCONT in the end. Meanwhile the kernel takes connections for it, but nothing is answered."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


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


class PythonLink:
    """A path by which programs that this test starts know their Python, and which can go away: then they can start no
    process, as when the machine has no memory left."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = folder / "python"
        self._path.symlink_to(Path(sys.executable).resolve())
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the link is in no virtual environment
        monkeypatch.setattr(sys, "executable", str(self._path))

    @contextlib.contextmanager
    def missing(self) -> Generator[None]:
        target = self._path.readlink()
        self._path.unlink()
        try:
            yield
        finally:
            self._path.symlink_to(target)


def all_end(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        eventually(lambda process=process: has_ended(process), lambda process=process: f"{process} ends")
