"""The terminal that all processes of the system write to, one line at a time, each with its name before it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from deploy import topology

LONGEST_LINE = 1024 * 1024


def say(name: str, line: str) -> None:
    """Writes one line of process `name` to the terminal."""
    label = f"{name:<12} |"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        names = [process.name for process in topology.PROCESSES]
        label = f"\033[{32 + names.index(name) if name in names else 90}m{label}\033[0m"
    try:
        print(label, line, flush=True)
    except BrokenPipeError:  # whoever read this, as in `make run | head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


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
