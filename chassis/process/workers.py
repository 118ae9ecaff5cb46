"""Several processes behind one port: the parent holds the listening sockets, and its workers accept from them.

The workers share one queue of connections. With a socket for each worker (SO_REUSEPORT) the kernel would distribute
connections itself, and those given to a worker that ends would be reset. A worker that is killed is started again. When
a worker ends by itself, for example since its configuration is wrong, all of them are stopped. One that cannot be
started, since the machine has no memory or no process left for it, is tried again every second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from asyncio.subprocess import Process
from socket import socket

from chassis.observe import logs as chassis_logging
from chassis.process.children import send_signal
from chassis.settings import ServerSettings

log = logging.getLogger("workers")
PAUSE_SECONDS = 1.0
KILL_SECONDS = 20.0
"""A worker that was told to end and has not ended after so long is killed. Its drain, and closing what it has opened,
take less."""


async def supervise(name: str, settings: ServerSettings, listening: list[socket]) -> int:
    """Runs `settings.workers` processes on these sockets until a signal stops them. Returns the exit code for this
    process."""
    chassis_logging.configure(name, settings.log_level, settings.log_format)
    parent_pipe, writing_end = os.pipe()
    descriptors = [parent_pipe, *(one.fileno() for one in listening)]
    command = [sys.executable, "-m", "chassis.serve", name, "--parent-pipe", str(parent_pipe)]
    for descriptor in descriptors[1:]:
        command += ["--fd", str(descriptor)]
    environment = dict(os.environ)
    workers: set[Process] = set()
    stopping = asyncio.Event()

    def send(what: signal.Signals) -> None:
        for worker in workers:
            send_signal(worker, what)

    def stop() -> None:
        stopping.set()
        send(signal.SIGTERM)
        asyncio.get_running_loop().call_later(KILL_SECONDS, send, signal.SIGKILL)

    async def pause() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), PAUSE_SECONDS)

    async def keep_one_running() -> int:
        while not stopping.is_set():
            try:
                # Each has a session of its own, so that Ctrl-C reaches only the parent, which stops them in order.
                worker = await asyncio.create_subprocess_exec(
                    *command, env=environment, pass_fds=descriptors, start_new_session=True
                )
            except OSError as failure:  # the machine has no memory left for it, or no process
                log.error("worker cannot be started", extra={"reason": str(failure)})
                await pause()
                continue
            workers.add(worker)
            if stopping.is_set():
                send_signal(worker, signal.SIGTERM)
            code = await worker.wait()
            workers.discard(worker)
            if stopping.is_set():
                return 0
            log.error("worker ended", extra={"code": code})
            if code >= 0:
                stop()
                return code or 1
            await pause()
        return 0

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    with tempfile.TemporaryDirectory(prefix="metrics-") as metrics:
        environment["METRICS_DIR"] = metrics  # the worker that a scrape reaches answers for all of them
        try:
            return max(await asyncio.gather(*(keep_one_running() for _ in range(settings.workers))))
        finally:
            os.close(writing_end)
