"""One run of the checker: the load, the faults, and the verdict."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psycopg

from tests.cache_checker.history import History
from tests.cache_checker.load import Load
from tests.cache_checker.stage import CheckedStage, holds_polls
from tests.faults import proxy, scenarios
from tests.faults.stage import SERVICES

BOUND = 1.0
"""CACHE_STALENESS of the gateways."""
PAUSE = 2.0
"""Seconds from one fault to the next."""
Cause = Callable[[CheckedStage], Awaitable[None]]


async def nothing(stage: CheckedStage) -> None:
    await asyncio.sleep(3)


async def restored(stage: CheckedStage) -> None:
    """The changes of pessoas begin another epoch."""
    async with await psycopg.AsyncConnection.connect(stage.urls["pessoas"]) as connection:
        await connection.execute("UPDATE feed_head SET epoch = DEFAULT")


FAULTS: tuple[Cause, ...] = (
    nothing,
    lambda stage: scenarios.treated(stage, lambda: holds_polls(4), *SERVICES, seconds=6),
    lambda stage: scenarios.treated(stage, lambda: proxy.loses_answers(0.1), *SERVICES),
    lambda stage: scenarios.killed(stage, "pessoas"),
    lambda stage: scenarios.stopped(stage, "catalogo", seconds=3),
    restored,
    scenarios.refused,
    scenarios.connections_terminated,
    lambda stage: scenarios.treated(stage, lambda: proxy.slow(3), "pessoas"),
    scenarios.database_killed,
    lambda stage: scenarios.treated(stage, proxy.babbles, "servicos"),
    lambda stage: scenarios.killed(stage, *SERVICES),
    lambda stage: scenarios.rolling_restart(stage, 1),
)


@dataclass
class Outcome:
    """What a run has found: one line for each answer that nothing explains."""

    found: list[str]
    line: str


async def run(
    stage: CheckedStage, seconds: float, *, workers: int, bug: str, seed: int, faults: Sequence[Cause] = FAULTS
) -> Outcome:
    """Runs for `seconds`, or until something is found. The faults begin at another one for each seed."""
    history = History(BOUND)
    load, found, began = Load(stage, history, workers, seed), list[str](), time.monotonic()
    async with stage.two_gateways(workers, bug), load.running():
        breaking = asyncio.create_task(_break(stage, faults, seed))
        try:
            while time.monotonic() < began + seconds and not found:
                await asyncio.sleep(0.5)
                found = [*load.problems, *history.judge(load.settled)]
                if breaking.done():
                    breaking.result()
        finally:
            breaking.cancel()
            await asyncio.gather(breaking, return_exceptions=True)
            stage.make_peace()
        await asyncio.sleep(1)
        hits = await stage.counted('outcome="hit"')
        wrong = await stage.counted("cache_inconsistencies_total{")
    found += [*load.problems, *history.judge(load.settled)] if not found else []
    if not hits and not found:
        found.append("no row was served from memory, so nothing was tried")
    if wrong:
        found.append(f"the gateways' own audit has found {wrong:.0f} rows")
    counts = ", ".join(f"{name} {count}" for name, count in sorted(load.counts.items()))
    took = time.monotonic() - began
    verdict = f"found {len(found)}" if found else "nothing found"
    about = f"{took:.0f} s, WORKERS={workers}{f', BUG={bug}' if bug else ''}, seed {seed}"
    return Outcome(found, f"{verdict} in {about}: {history.judged} rows judged, {hits:.0f} from memory; {counts}")


async def _break(stage: CheckedStage, faults: Sequence[Cause], seed: int) -> None:
    begin = (seed - 1) % len(faults)
    for cause in itertools.cycle([*faults[begin:], *faults[:begin]]):
        await cause(stage)
        await asyncio.sleep(PAUSE)
