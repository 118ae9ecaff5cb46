"""Several processes behind one port: the parent holds the listening socket, and its workers accept from it.

They share one queue of connections. With a socket each (SO_REUSEPORT) the kernel would deal connections out, and those
dealt to a worker that ends would be reset. A worker that is killed is started again; one that ends by itself, as when
its configuration is wrong, ends them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import Process

from chassis import logging as chassis_logging
from chassis.settings import ServerSettings

log = logging.getLogger("workers")
BACKLOG = 2048
PAUSE_SECONDS = 1.0


async def supervise(name: str, settings: ServerSettings, inherited: list[socket.socket]) -> int:
    """Runs `settings.workers` processes until a signal ends them; the exit code of this one."""
    chassis_logging.configure(name, settings.log_level)
    listening = inherited or [_listen(settings)]
    leash, leash_end = os.pipe()
    descriptors = [leash, *(one.fileno() for one in listening)]
    command = [sys.executable, "-m", "chassis.serve", name, "--leash", str(leash)]
    for descriptor in descriptors[1:]:
        command += ["--fd", str(descriptor)]
    workers: set[Process] = set()
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.terminate()

    async def keep_one() -> int:
        while not stopping.is_set():
            # A session of its own: Ctrl-C is for the parent alone, which stops them in order.
            worker = await asyncio.create_subprocess_exec(*command, pass_fds=descriptors, start_new_session=True)
            workers.add(worker)
            if stopping.is_set():
                worker.terminate()
            code = await worker.wait()
            workers.discard(worker)
            if stopping.is_set():
                return 0
            log.error("worker ended", extra={"code": code})
            if code >= 0:
                stop()
                return code or 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), PAUSE_SECONDS)
        return 0

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return max(await asyncio.gather(*(keep_one() for _ in range(settings.workers))))
    finally:
        os.close(leash_end)


def _listen(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as failure:
        raise SystemExit(f"{settings.host}:{settings.port} cannot be listened on: {failure.strerror}") from None
