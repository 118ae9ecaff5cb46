"""Runs one process of the system: `python -m chassis.serve NAME` serves its `create_app` on `$HOST:$PORT`.

`--fd N` (several times if needed) serves on a listening socket that the parent process keeps open, so that no client is
refused during a restart. With `WORKERS=n` this process is the parent of n such processes itself (`workers.py`).
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import socket
import sys
from importlib.util import find_spec

from chassis.observe import logs
from chassis.process import parent_watch
from chassis.process.server import Server, bind
from chassis.process.workers import supervise
from chassis.settings import ServerSettings, read, settings_of

STARTUP_FAILED = 3  # uvicorn's own exit code for this


def collect_rarely() -> None:
    """Makes garbage collection rare in a process that has started.

    The application's objects live as long as the process. When the collector visited them again and again, that cost 20
    to 40 % of a list query. Most of what a request leaves behind is freed by reference counting, and the rare reference
    cycle by collections of the young generations.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


TRIM_THRESHOLD_BYTES = 32 * 1024 * 1024
"""Freed memory at the end of the heap is kept up to this size."""
MMAP_THRESHOLD_BYTES = 8 * 1024 * 1024
"""A block of this size gets a mapping of its own, which is given back at once when it is freed."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_memory() -> None:
    """Tells glibc's malloc to keep the memory that the next answer will need again.

    By default it maps each block of more than 128 kB anew, and the kernel clears each of its pages. This takes a
    quarter of the CPU time of an answer of 1,000 rows. Other C libraries have no `mallopt`, and nothing is done there.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)


def application(name: str) -> str:
    """The import path of the `create_app` of a process: it is in the process's `app.py`, or in a service's `routes.py`.
    Raises LookupError if there is no such process."""
    with contextlib.suppress(ImportError):
        for module in (f"{name}.app", f"{name}.routes"):
            if find_spec(module):
                return f"{module}:create_app"
    raise LookupError(f"there is no process called {name}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.serve", description=__doc__)
    parser.add_argument("name", help="the folder of the process")
    parser.add_argument("--fd", type=int, action="append", help="a listening socket inherited from the parent")
    parser.add_argument("--parent-pipe", type=int, help="a pipe from the parent: this process ends when the pipe does")
    arguments = parser.parse_args()
    try:
        app = application(arguments.name)
    except LookupError as unknown:
        parser.error(str(unknown.args[0]))
    settings = read(ServerSettings, settings_of(arguments.name))
    logs.catch_all()
    # Not uvicorn's own `fd` option: it treats the socket as a Unix socket, so asyncio leaves Nagle's algorithm on, and
    # every answer on a keep-alive connection waits 40 ms until the client acknowledges its headers.
    sockets = [socket.socket(fileno=descriptor) for descriptor in arguments.fd or ()] or bind(settings)
    if arguments.parent_pipe is not None:
        parent_watch.start(arguments.parent_pipe)
    elif settings.workers > 1:
        sys.exit(asyncio.run(supervise(arguments.name, settings, sockets)))
    keep_memory()
    server = Server(app, settings, collect_rarely)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after an orderly shutdown
        server.run(sockets=sockets)
    if not server.started:
        sys.exit(STARTUP_FAILED)


if __name__ == "__main__":
    main()
