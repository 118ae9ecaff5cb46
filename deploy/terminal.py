"""The terminal that shows the lines of all processes of the system, each line with the name of its process before
it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from chassis.observe.output import Output
from chassis.observe.readable import GREY, coloured, painted
from deploy import topology

LONGEST_LINE = 1024 * 1024


def say(name: str, line: str) -> None:
    """Writes one line of process `name` to the terminal, and does not wait for it."""
    terminal.write(_labelled(name, line))


def _labelled(name: str, line: str) -> bytes:
    label = f"{name:<12} |"
    if coloured():
        names = [process.name for process in topology.PROCESSES]
        label = painted(label, 32 + names.index(name) if name in names else GREY)
    return f"{label} {line}\n".encode()


def log_variables() -> dict[str, str]:
    """The variables that tell a process how to write the lines shown here: as text on a terminal, in colours if it has
    any."""
    form = os.environ.get("LOG_FORMAT") or ("text" if sys.stdout.isatty() else "json")
    return {"LOG_FORMAT": form} | ({"FORCE_COLOR": "1"} if coloured() else {})


def _stop() -> None:
    """Stops the launcher, since the reader of its output has gone, as in `make run | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.kill(os.getpid(), signal.SIGTERM)


terminal = Output(
    1, lambda lines: _labelled("run", f"(here {lines} lines are left out, since nobody read this)"), on_no_reader=_stop
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
