"""Makes tables of the results, and writes them into docs/security.md."""

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
from tests.attacks.canary import CanaryAnswers

DOCUMENT = ROOT / "docs" / "security.md"
Row = Sequence[object]
BEGIN, END = "<!-- results of make attack -->", "<!-- end of results -->"


@dataclass
class Result:
    """The result of one attack. `took` are the milliseconds of each answer to one attacker; `alone` and `flood` are the
    canary's answers during one attacker and, if the attack is not slow, during several at once; `wrong` lists what
    differed from the expectation."""

    surface: str
    attack: Attack
    times: int
    took: list[float]
    alone: CanaryAnswers
    flood: CanaryAnswers | None
    wrong: list[str]


def line(result: Result) -> str:
    """One line that is printed when an attack has ended."""
    felt = f"{median(result.took):.0f} / {max(result.took):.0f} ms; canary {_felt(result.alone)}"
    if result.flood:
        felt += f"; in the flood {_felt(result.flood)}"
    told = f"{result.surface}: {result.attack.name}: {result.attack.expected}; {result.times} times; {felt}"
    return "\n    WRONG: ".join([told, *(one[:300] for one in result.wrong)])


def _felt(felt: CanaryAnswers) -> str:
    return f"{felt.median:.0f} / {felt.maximum:.0f} ms" + (f", {felt.failed} failed" if felt.failed else "")


def table(rows: Sequence[Row]) -> str:
    ruled = [rows[0], ["---", *["--:"] * (len(rows[0]) - 1)], *rows[1:]]
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in ruled)


def summary(results: Sequence[Result], quiet: Sequence[float]) -> str:
    """A table by surface, with milliseconds as median / 99th percentile / maximum."""
    rows: list[Row] = [
        ["surface", "attacks", "times", "as expected", "answer", "canary, 1 attacker", "canary, 4 attackers", "failed"]
    ]
    if quiet:
        rows.append(["nobody attacks", "", "", "", "", _spread(quiet), "", 0])
    for (surface, slow), found in groupby(results, lambda one: (one.surface, one.attack.slow)):
        group = list(found)
        felt = [one.alone for one in group] + [one.flood for one in group if one.flood]
        rows.append(
            [
                f"{surface}, slow or many" if slow else surface,
                len(group),
                f"{sum(one.times for one in group):,}",
                sum(not one.wrong for one in group),
                "" if slow else _spread([took for one in group for took in one.took]),
                _spread([took for one in group for took in one.alone.milliseconds]),
                _spread([took for one in group if one.flood for took in one.flood.milliseconds]),
                sum(one.failed for one in felt),
            ]
        )
    return table(rows)


def _spread(milliseconds: Sequence[float]) -> str:
    if not milliseconds:
        return ""
    ordered = sorted(milliseconds)
    return f"{median(ordered):.0f} / {ordered[len(ordered) * 99 // 100]:.0f} / {ordered[-1]:.0f}"


def memory(found: dict[str, tuple[float, float]]) -> str:
    """A table of the memory of each process, in MB."""
    rows: list[Row] = [["process", "before, MB", "after, MB"]]
    return table([*rows, *([name, f"{before:.0f}", f"{after:.0f}"] for name, (before, after) in found.items())])


def worst(results: Sequence[Result]) -> str:
    """The attacks that took longest to answer, and those that delayed the canary most, with one attacker."""
    rows: list[Row] = [["one attacker", "answer, median", "answer, maximum", "canary, median", "canary, maximum"]]
    quick = [one for one in results if not one.attack.slow]
    slowest = sorted(quick, key=lambda one: median(one.took), reverse=True)[:6]
    felt = sorted(results, key=lambda one: one.alone.maximum, reverse=True)[:6]
    for one in [*slowest, *(one for one in felt if one not in slowest)]:
        answers = ["", ""] if one.attack.slow else [f"{median(one.took):.0f}", f"{max(one.took):.0f}"]
        canary = [f"{one.alone.median:.0f}", f"{one.alone.maximum:.0f}"]
        rows.append([f"{one.surface}: {one.attack.name}", *answers, *canary])
    return table(rows)


def write(
    results: Sequence[Result], quiet: Sequence[float], used: dict[str, tuple[float, float]], seconds: float
) -> None:
    """Writes the tables between their marks."""
    where = (
        f"`make attack`, {time.strftime('%Y-%m-%d', time.gmtime())}, on {os.cpu_count()} shared cores "
        f"({platform.machine()}), attackers and canary included; {seconds:g} s for each, twice; "
        "milliseconds as median / 99th percentile / maximum.\n"
    )
    parts = [where, summary(results, quiet), worst(results), memory(used)]
    text = re.sub(
        f"{BEGIN}.*{END}",
        lambda _: "\n".join([BEGIN, *parts]) + END,
        DOCUMENT.read_text(),
        flags=re.S,
    )
    DOCUMENT.write_text(text)
