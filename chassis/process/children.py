"""Signals to processes that asyncio has started and waits for."""

from __future__ import annotations

import contextlib
import os
import signal
from asyncio.subprocess import Process


def send_signal(child: Process, what: signal.Signals) -> None:
    """Sends `child` a signal; does nothing if it has ended.

    `Process.send_signal`, `terminate` and `kill` of Python 3.11 and 3.12 first look themselves whether the process has
    ended, and may so take its exit code away from asyncio, which then makes up 255 and logs a line about an unknown
    process (python/cpython#87744). Python 3.13 sends a signal as this does."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, what)
