"""Measures how our gateway's CPU grows with the number of rows and of distinct entities."""

import random
from pathlib import Path

from bench.gateway import data, measure
from bench.gateway.contestants import ALL, OURS
from bench.gateway.measure import OTHER_CORE, RunningContestant
from bench.gateway.report import figure
from bench.gateway.stub import Stub
from bench.gateway.workloads import Workload

ROWS = (1, 10, 100, 1000)
DISTINCT = (10, 30, 100, 300, 1000)
BLOCK = 2000
"""The number of consecutive solicitações for each number in DISTINCT; those of one block refer to that many distinct
pessoas."""


def _in_turn(id: int, _rng: random.Random) -> int:
    return id % DISTINCT[min((id - 1) // BLOCK, len(DISTINCT) - 1)] + 1


def _pages(name: str, rows: int, block: int) -> Workload:
    """Pages of `rows` rows, each at a different place inside one block."""
    last = (block + 1) * BLOCK
    ids = tuple(random.Random(rows).sample(range(last - 900, last), 900))  # noqa: S311  # the same in every run
    return Workload(name, rows, 8 if rows >= 1000 else 32, ids)


async def growth(program: Path, directory: Path, rounds: int, seconds: float) -> str:
    """The tables of CPU by the number of rows, and by the number of distinct pessoas in 1,000 rows."""
    rows = directory / "growing-rows"
    data.write(rows, pessoas=max(DISTINCT), solicitacoes=BLOCK * len(DISTINCT), pessoa_of=_in_turn)
    by_rows = {count: _pages(f"{count:,} rows of 10 pessoas", count, 0) for count in ROWS}
    by_distinct = {count: _pages(f"1,000 rows of {count:,} pessoas", 1000, n) for n, count in enumerate(DISTINCT)}
    by_distinct[DISTINCT[0]] = by_rows[1000]
    measured = dict.fromkeys([*by_rows.values(), *by_distinct.values()])
    ours = [one for one in ALL if one.key == OURS]
    with Stub(program, rows, OTHER_CORE) as stub:
        async with measure.running(ours, stub, directory) as participants:
            await measure.rounds(participants, stub, list(measured), rounds, seconds)
            return "\n\n".join(
                _table(participants[0], of, found)
                for of, found in (("rows, of 10 pessoas", by_rows), ("distinct pessoas in 1,000 rows", by_distinct))
            )


def _table(ours: RunningContestant, of: str, workloads: dict[int, Workload]) -> str:
    lines = [f"| {of} | CPU per query, ms | CPU of each one added since the first line, µs |", "|---|---|---|"]
    least = min(workloads)
    first = ours.cpu_of(workloads[least]) or 0.0
    for count, workload in workloads.items():
        found = ours.cpu_of(workload)
        more = f"{(found - first) / (count - least) * 1e6:.1f}" if found and count > least else ""
        lines.append(f"| {count:,} | {figure(found)} | {more} |")
    return "\n".join(lines)
