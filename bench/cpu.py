"""CPU time of processes, from /proc: the steadiest figure on a shared machine. Linux only."""

import os

import psutil

TICKS = os.sysconf("SC_CLK_TCK")


def seconds(*roots: psutil.Process) -> float:
    """User and system time so far of each process and all its descendants, in seconds."""
    total = 0.0
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
    return total


def pin(process: psutil.Process, core: int) -> None:
    """Keeps a process and its children on one core, where the machine has more than one."""
    if (os.cpu_count() or 1) > core:
        for one in (process, *process.children(recursive=True)):
            one.cpu_affinity([core])
