"""Makes a table of the results, and writes it into docs/reliability.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.run import Result

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- results of make faults -->", "<!-- end of results -->"
COLUMNS = (
    *("lasts, s", "requests", "failed fields", "unavailable", "writes acknowledged", "after a retry"),
    *("lost", "doubled", "recovery, s", "changes told", "mistold", "followers, s"),
    *("live events", "subscribed", "live, s"),
)


def cells(result: Result) -> list[str]:
    counts = (
        *(result.requests, result.failed_fields, result.unavailable, result.acknowledged, result.retried),
        *(len(result.lost), len(result.doubled)),
    )
    followers = (f"{result.told:,}", f"{len(result.mistold):,}", _seconds(result.followed))
    live = (f"{result.events:,}", f"{result.subscribed:,}", _seconds(result.live))
    shown = (*(f"{one:,}" for one in counts), _seconds(result.recovery), *followers, *live)
    return [result.name, f"{result.cause:.1f}", *shown]


def _seconds(found: float | None) -> str:
    return "never" if found is None else f"{found:.1f}"


def line(result: Result) -> str:
    name, *values = cells(result)
    return f"{name}: {'; '.join(f'{n}: {v}' for n, v in zip(COLUMNS, values, strict=True))}"


def table(results: Sequence[Result]) -> str:
    rows = [["what happens", *COLUMNS], ["---", *["--:"] * len(COLUMNS)], *map(cells, results)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(results: Sequence[Result], rate: float) -> None:
    """Writes the table between its marks."""
    where = (
        f"On {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()},"
        f" {datetime.now(UTC):%d %b %Y},"
        f" at {rate:g} requests a second, and 65 for the restart.\n"
    )
    text = DOCUMENT.read_text()
    new = re.sub(
        f"{BEGIN}.*{END}",
        lambda _: f"{BEGIN}\n{where}\n{table(results)}{END}",
        text,
        flags=re.S,
    )
    DOCUMENT.write_text(new)
