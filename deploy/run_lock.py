"""A run of the system locks its data directory on this machine and binds its ports."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from chassis.settings import MAX_SOCKET_PATH
from deploy.listeners import listener
from deploy.postgres import HOST, process_exists

LOCALHOST = (HOST, "::1")
"""The addresses of the name localhost. Some programs try the first one first, others the second."""

STOP_SECONDS = 12  # a process gives its open requests ten


class LaunchError(Exception):
    """The system cannot run like this; the message is one line that says what to do."""


def lock(data_dir: Path) -> int:
    """The descriptor of the lock on `data_dir`; raises LaunchError if another run has it. Every child inherits the
    descriptor, so the lock is free only when no process of that run is left."""
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
            # After SIGKILL of a launcher its children need a moment to end, so this waits for them.
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


def data_directory(variables: Mapping[str, str]) -> Path:
    """The directory of the databases, DATA_DIR."""
    return Path(variables.get("DATA_DIR") or ".data").expanduser().resolve()


def bind(port: int, name: str, addresses: Sequence[str] = LOCALHOST) -> list[socket.socket]:
    """Sockets bound to `port` at each of these addresses that this machine has; raises LaunchError if another program
    uses one."""
    bound: list[socket.socket] = []
    for address in addresses:
        try:
            bound.append(_bind(address, port))
        except OSError as failure:
            if ":" in address and failure.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue  # a machine without IPv6
            for one in bound:
                one.close()
            raise LaunchError(
                f"port {port} for {name} cannot be used ({failure.strerror}): "
                f"stop {listener(port) or 'the program that has it'}, "
                "or move all ports with the variable PORT_OFFSET, as in `PORT_OFFSET=100 make run`"
            ) from None
    return bound


def bind_path(path: Path) -> list[socket.socket]:
    """A Unix socket bound to `path`, which only this run uses, since it has locked the directory. None where the path
    is too long for one, or the file system has none."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        return []
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        one.bind(str(path))
    except OSError:
        one.close()
        return []
    return [one]


def _bind(address: str, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may still linger
        one.bind((address, port))
    except OSError:
        one.close()
        raise
    return one
