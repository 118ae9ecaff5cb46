"""The CPU time of processes, from /proc (Linux only). On a shared machine it varies less than any other figure."""

import contextlib
import os
from pathlib import Path

import psutil


def seconds(*roots: psutil.Process) -> float:
    """User and system time so far of each process and all its descendants, in seconds."""
    return sum(_of(process.pid) for root in roots for process in (root, *root.children(recursive=True)))


def _of(pid: int) -> float:
    """The CPU time of one process' threads, as the scheduler counts it; the usual counters have steps of 10 ms."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            total += int(thread.read_text().split()[0])
    return total / 1e9


class OtherPrograms:
    """Measures how much of the machine other programs use meanwhile. If they use much, they cause the latencies."""

    def __init__(self) -> None:
        self._before, self._own = self._busy(), seconds(psutil.Process())

    def share(self) -> float:
        """Their share of all cores since this object was made. Our own children that have ended since then count as
        others."""
        busy, own = self._busy(), seconds(psutil.Process())
        passed = sum(busy) - sum(self._before)
        return max(0.0, busy[0] - self._before[0] - (own - self._own)) / passed

    @staticmethod
    def _busy() -> tuple[float, float]:
        """Busy and idle time of all cores together, in seconds."""
        times = psutil.cpu_times()
        idle = times.idle + times.iowait
        return sum(times) - idle - times.guest - times.guest_nice, idle


def pin(process: psutil.Process, core: int) -> None:
    """Keeps a process and its children on one core, if the machine has more than one."""
    if (os.cpu_count() or 1) > core:
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                one.cpu_affinity([core])
