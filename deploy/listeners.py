"""Finds the process that listens on a port of this machine: from /proc on Linux, with `lsof` on macOS and others."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp, which is in hexadecimal, as the ports there are."""
LONGEST_COMMAND = 100
LSOF_SECONDS = 5


def listener(port: int) -> str:
    """The process that listens on TCP `port`, with its command: `process 4711 (python -m http.server)`; empty when no
    process listens there, or when it is another user's and the system does not show it."""
    # Children inherit the socket, so the oldest process is the one to stop.
    pid = min(_by_proc(port) if Path("/proc/net/tcp").exists() else _by_lsof(port), default=None)
    if pid is None:
        return ""
    result = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)
    command = " ".join(result.stdout.split())
    return f"process {pid} ({command[:LONGEST_COMMAND]})" if command else f"process {pid}"


def _by_proc(port: int) -> Iterator[int]:
    sockets = set[str]()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):  # without IPv6 the second file does not exist
            for line in Path(table).read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{inode}]")
    for pid in filter(str.isdigit, os.listdir("/proc")) if sockets else ():
        with contextlib.suppress(OSError):  # it has ended, or it is another user's
            if any(os.readlink(one) in sockets for one in os.scandir(f"/proc/{pid}/fd")):
                yield int(pid)


def _by_lsof(port: int) -> Iterator[int]:
    command = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LSOF_SECONDS)
        yield from map(int, result.stdout.split())
