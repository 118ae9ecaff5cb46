"""The terminal that all processes of the system write to, one line at a time, each with its name before it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from chassis.output import Output
from deploy import topology

LONGEST_LINE = 1024 * 1024


def say(name: str, line: str) -> None:
    """Writes one line of process `name` to the terminal, and does not wait for it."""
    terminal.write(_labelled(name, line))


def _labelled(name: str, line: str) -> bytes:
    label = f"{name:<12} |"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        names = [process.name for process in topology.PROCESSES]
        label = f"\033[{32 + names.index(name) if name in names else 90}m{label}\033[0m"
    return f"{label} {line}\n".encode()


def _stop() -> None:
    """Whoever read the terminal, as in `make run | head`, has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.kill(os.getpid(), signal.SIGTERM)


terminal = Output(
    1, lambda lines: _labelled("run", f"(here {lines} lines are left out, since nobody read this)"), gone=_stop
)


async def relay(name: str, lines: asyncio.StreamReader) -> None:
    """Passes every line of `lines` on to the terminal until they end."""
    while True:
        try:
            line = await lines.readline()
        except ValueError:
            say(name, f"(a line longer than {LONGEST_LINE} bytes is left out)")
            continue
        if not line:
            return
        say(name, line.decode(errors="replace").rstrip())
