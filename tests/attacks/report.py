"""The results as tables, and their place in docs/security.md."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from deploy.local import ROOT
from tests.attacks.attack import Attack
from tests.attacks.canary import Felt

DOCUMENT = ROOT / "docs" / "security.md"
Row = Sequence[object]
CANARY = ("canary, median", "canary, maximum", "canary, failed")
BEGIN, END = "<!-- results of make attack -->", "<!-- end of results -->"


@dataclass
class Result:
    """What became of one attack: `first` in milliseconds, `wrong` is what was not as expected."""

    surface: str
    attack: Attack
    times: int
    first: float
    felt: Felt
    wrong: list[str]


def line(result: Result) -> str:
    """One attack, as it ends."""
    felt = f"canary {result.felt.median:.0f} / {result.felt.maximum:.0f} ms, {result.felt.failed} failed"
    told = f"{result.surface}: {result.attack.name}: {result.attack.expected}; {result.times} times; {felt}"
    return "\n    WRONG: ".join([told, *(one[:300] for one in result.wrong)])


def table(rows: Sequence[Row]) -> str:
    ruled = [rows[0], ["---", *["--:"] * (len(rows[0]) - 1)], *rows[1:]]
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in ruled)


def summary(results: Sequence[Result], quiet: Sequence[float]) -> str:
    """By surface, the canary's figures in milliseconds."""
    rows: list[Row] = [["surface", "attacks", "times", "as expected", "first answer, median", *CANARY]]
    if quiet:
        rows.append(["nobody attacks", "", "", "", "", f"{median(quiet):.0f}", f"{max(quiet):.0f}", 0])
    for (surface, slow), found in groupby(results, lambda one: (one.surface, one.attack.slow)):
        group = list(found)
        felt = [one for result in group for one in result.felt.milliseconds]
        rows.append(
            [
                f"{surface}, slow or many" if slow else surface,
                len(group),
                f"{sum(one.times for one in group):,}",
                sum(not one.wrong for one in group),
                "" if slow else f"{median(one.first for one in group):.0f}",
                f"{median(felt):.0f}" if felt else "",
                f"{max(felt, default=0):.0f}",
                sum(one.felt.failed for one in group),
            ]
        )
    return table(rows)


def memory(found: dict[str, tuple[float, float]]) -> str:
    """In MB, of each process."""
    rows: list[Row] = [["process", "before, MB", "after, MB"]]
    return table([*rows, *([name, f"{before:.0f}", f"{after:.0f}"] for name, (before, after) in found.items())])


def worst(results: Sequence[Result]) -> str:
    """The attacks that others felt most."""
    felt = sorted(results, key=lambda one: one.felt.maximum, reverse=True)[:8]
    rows: list[Row] = [["what others felt most", *CANARY]]
    rows += [
        [f"{one.surface}: {one.attack.name}", f"{one.felt.median:.0f}", f"{one.felt.maximum:.0f}", one.felt.failed]
        for one in felt
    ]
    return table(rows)


def write(
    results: Sequence[Result], quiet: Sequence[float], used: dict[str, tuple[float, float]], seconds: float
) -> None:
    """Puts the tables between their marks."""
    where = (
        f"`make attack`, {time.strftime('%Y-%m-%d', time.gmtime())}, on {os.cpu_count()} shared cores "
        f"({platform.machine()}), attackers and canary included; {seconds:g} s for each; times in milliseconds.\n"
    )
    parts = [where, summary(results, quiet), worst(results), memory(used)]
    text = re.sub(
        f"{BEGIN}.*{END}",
        lambda _: "\n".join([BEGIN, *parts]) + END,
        DOCUMENT.read_text(),
        flags=re.S,
    )
    DOCUMENT.write_text(text)
