"""Runs one process of the system: `python -m chassis.serve NAME` serves `NAME.app:create_app` on `$HOST:$PORT`.

`--fd N` (as often as needed) serves on a listening socket that the parent process holds instead, so that a restart
refuses nobody. With `WORKERS=n` it is the parent of n such processes itself (`workers.py`).
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import socket
import sys
from importlib import import_module
from importlib.util import find_spec

from chassis.observe import logs
from chassis.process import parent_watch
from chassis.process.server import Server, listen
from chassis.process.workers import supervise
from chassis.settings import ServerSettings, read

STARTUP_FAILED = 3  # as uvicorn itself exits


def collect_rarely() -> None:
    """Tunes garbage collection for a process that has started.

    The application's objects live as long as the process: visiting them again and again cost 20 to 40 % of a list
    query. What a request leaves behind is freed by reference counts, and the rare cycle by the young generations.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


TRIM_THRESHOLD_BYTES = 32 * 1024 * 1024
"""Freed memory at the end of the heap that is not given back."""
MMAP_THRESHOLD_BYTES = 8 * 1024 * 1024
"""A block so long is a mapping of its own, which is given back at once."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_memory() -> None:
    """Tells glibc's malloc to keep what it will need again for the next answer.

    By default it maps what is longer than 128 kB anew each time, and the kernel clears each of its pages: a quarter of
    the CPU of an answer of 1,000 rows. Other C libraries have no `mallopt`, and are left alone.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)


def is_process(name: str) -> bool:
    """Whether there is an application to serve under this name."""
    try:
        return find_spec(f"{name}.app") is not None
    except ImportError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.serve", description=__doc__)
    parser.add_argument("name", help="the folder of the process, which has its app.py")
    parser.add_argument("--fd", type=int, action="append", help="a listening socket inherited from the parent")
    parser.add_argument("--parent-pipe", type=int, help="a pipe inherited from the parent, which ends when it does")
    arguments = parser.parse_args()
    if not is_process(arguments.name):
        parser.error(f"there is no process called {arguments.name}")
    settings = read(ServerSettings, import_module(f"{arguments.name}.settings").Settings)
    logs.catch_all()
    # Not uvicorn's own `fd`: it takes the socket for a Unix one, so asyncio leaves Nagle's algorithm on, and every
    # answer on a kept-alive connection waits 40 ms for the client to acknowledge its headers.
    listening = [socket.socket(fileno=descriptor) for descriptor in arguments.fd or ()] or listen(settings)
    if arguments.parent_pipe is not None:
        parent_watch.start(arguments.parent_pipe)
    elif settings.workers > 1:
        sys.exit(asyncio.run(supervise(arguments.name, settings, listening)))
    keep_memory()
    server = Server(f"{arguments.name}.app:create_app", settings, collect_rarely)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again, after it has stopped in order
        server.run(sockets=listening)
    if not server.started:
        sys.exit(STARTUP_FAILED)


if __name__ == "__main__":
    main()
