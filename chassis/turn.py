"""What many do in one turn of the event loop, done for all of them when it ends.

A write to a socket or a pipe wakes up whoever reads at its other end. That is most of its cost, and it is paid once
when a turn's writes follow one another: a tenth of the CPU of a short query under load. Nothing waits for longer than
the callbacks that are ready now take.
"""

import asyncio
from collections.abc import Callable

_loop: asyncio.AbstractEventLoop | None = None
"""The loop that will call `_end`."""
_callbacks: list[Callable[[], None]] = []
_writes: list[tuple[asyncio.Transport, bytes]] = []


def at_end(callback: Callable[[], None]) -> None:
    """Calls `callback` when this turn ends, once however often it is asked for."""
    global _loop
    running = asyncio.get_running_loop()
    if _loop is not running:
        _loop = running
        running.call_soon(_end)
    if callback not in _callbacks:
        _callbacks.append(callback)


def write(transport: asyncio.Transport, data: bytes) -> None:
    """Writes when this turn ends. Who writes to the same transport at once, or closes it, calls `flush` before."""
    if not _writes:
        at_end(flush)
    _writes.append((transport, data))


def flush() -> None:
    """Writes what is to be written by now."""
    for transport, data in _writes:
        if not transport.is_closing():
            transport.write(data)
    _writes.clear()


def _end() -> None:
    global _loop
    _loop = None
    due = _callbacks.copy()
    _callbacks.clear()
    for callback in due:
        callback()
