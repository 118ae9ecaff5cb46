"""Log lines for people at a terminal: `LOG_FORMAT=text`.

    16:04:05.123 INFO    http GET /api/things/ status=200 milliseconds=1.87 trace_id=4bf92f3577b34da6a3ce929d0e0e4736

A line may contain text from a client, and a terminal obeys control characters: none of them is written.
"""

from __future__ import annotations

import os
import sys
from typing import Any

GREY, RED, YELLOW, BLUE = 90, 31, 33, 34
COLOURS = {"DEBUG": GREY, "INFO": BLUE, "WARNING": YELLOW, "ERROR": RED, "CRITICAL": RED}
PLACED = ("time", "level", "process", "logger", "message", "exception", "trace_id", "span_id", "trace_flags")
"""Members that are not written as name=value. `process` is not written at all, since a program that shows several
processes puts their names before their lines; nor is what tells people no more than `trace_id`."""


def coloured() -> bool:
    """Whether colours are wanted on standard output, by https://no-color.org and https://force-color.org."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or bool(sys.__stdout__ and sys.__stdout__.isatty())


def painted(text: str, colour: int) -> str:
    return f"\033[{colour}m{text}\033[0m"


def readable(line: dict[str, Any], *, coloured: bool) -> str:
    """The log line with these members, without a newline. An `exception` is indented below it."""

    def paint(text: str, colour: int) -> str:
        return painted(text, colour) if coloured else text

    words = [
        paint(f"{line['time'].astimezone():%H:%M:%S.%f}"[:12], GREY),
        paint(f"{line['level']:<7}", COLOURS.get(line["level"], GREY)),
        paint(line["logger"], GREY),
        _printable(line["message"]),
    ]
    more = {name: value for name, value in line.items() if name not in PLACED}
    if "trace_id" in line:
        more["trace_id"] = line["trace_id"]
    words += [paint(f"{name}=", GREY) + _value(value) for name, value in more.items()]
    below = str(line.get("exception", "")).splitlines()
    return "\n    ".join((" ".join(words), *map(_printable, below)))


def _value(value: object) -> str:
    """A value as one word, in quotes if needed, so that it is clear where it ends."""
    text = _printable(str(value))
    if text and not set(text) & set(' "='):
        return text
    quoted = text.replace('"', '\\"')
    return f'"{quoted}"'


def _printable(text: str) -> str:
    """`text` with escapes for the characters that a terminal would not show as they are."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
