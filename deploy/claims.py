"""What a run of the system claims for itself on this machine: its data directory and its ports."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from deploy.postgres import HOST, process_exists

STOP_SECONDS = 12  # a process gives its open requests ten


class LaunchError(Exception):
    """The system cannot run like this; the message is one line that says what to do."""


def lock(data_dir: Path) -> int:
    """The descriptor of the lock on `data_dir`; LaunchError when another run has it.

    Every child inherits it, so the lock is free only when nothing of that run is left.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as failure:
        raise LaunchError(f"DATA_DIR {data_dir} cannot be used: {failure.strerror}") from None
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip()
            # After SIGKILL of a launcher its children need a moment to end: that is worth waiting for.
            if time.monotonic() > deadline or (holder and process_exists(int(holder))):
                raise LaunchError(
                    f"process {holder} already runs the system on {data_dir}: "
                    "stop it, or set DATA_DIR to another directory and PORT_OFFSET to another number"
                ) from None
            time.sleep(0.05)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor


def bind(port: int, name: str) -> socket.socket:
    """A socket bound to loopback `port`; LaunchError when somebody else has it."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may still linger
    try:
        bound.bind((HOST, port))
    except OSError as failure:
        bound.close()
        raise LaunchError(
            f"port {port} for {name} cannot be used ({failure.strerror}): stop the program that has it, "
            "or move all ports with the variable PORT_OFFSET, as in `PORT_OFFSET=100 make run`"
        ) from None
    return bound
