"""Runs a scenario under load and judges what the clients and the followers saw, and what the databases have."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.faults.followers import PATIENCE, Followers
from tests.faults.load import Load, Record
from tests.faults.stage import PROCESSES
from tests.faults.verdict import Fault
from tests.scale.followers import through_the_edge
from tests.scale.stage import ManyOfEach

WRITES_EVERY = 6
WARM_SECONDS, COOL_SECONDS = 1.0, 2.0
LATEST_REFUSAL = 1.0
"""Seconds within which a read that was under way in a killed process must be refused, if it is not answered."""


@dataclass
class Course:
    """What a scenario does, written down while it does it."""

    system: ManyOfEach
    reads: Callable[[], int]
    """How many reads have been sent so far."""
    kills: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """When a process was killed: from the signal until it had ended, since connections still reach it in between."""
    freezes: list[float] = field(default_factory=list[float])
    """When a process was frozen."""
    wrong: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Scenario:
    """Its `cause` returns when it is over."""

    name: str
    cause: Callable[[Course], Awaitable[None]]
    among_few: bool = False
    """With a tenth of the load, since something must not be late."""
    plain: bool = False
    """Through the edge that sends nothing again, so that what is under way in a process fails with it."""


@dataclass(frozen=True)
class Result:
    """Durations are in seconds."""

    name: str
    lasted: float
    reads: int
    failed: int
    slowest_refusal: float
    p99: float
    slowest: float
    acknowledged: int
    sent_again: int
    lost: int
    doubled: int
    told: int
    mistold: int
    wrong: list[str]
    """Every promise that was broken, in words."""


async def run(system: ManyOfEach, scenario: Scenario, *, rate: float, callers: Sequence[str], slack: float) -> Result:
    """Runs the scenario under `rate` requests a second from these addresses. No client repeats a read."""
    began = time.monotonic()
    fault = Fault(hurts=frozenset(PROCESSES), balanced=True)
    edge = system.plain_edge if scenario.plain else system.edge
    clients = [edge.client(caller, timeout=PATIENCE) for caller in callers]
    urls = dict.fromkeys(PROCESSES, edge.url)
    load = Load(
        urls,
        system.reads(),
        system.journal,
        fault,
        rate=rate / 10 if scenario.among_few else rate,
        slack=slack,
        writes_every=WRITES_EVERY,
        clients=clients,
    )
    followers = Followers(through_the_edge(edge), system.databases)
    course = Course(system, lambda: sum(one.read for one in load.records))

    async def work() -> None:
        await asyncio.sleep(WARM_SECONDS)
        await scenario.cause(course)
        await asyncio.sleep(COOL_SECONDS)

    async with followers.following(edge.client(callers[0], timeout=PATIENCE)):
        await load.run_while(work())
    lost, doubled = await asyncio.to_thread(system.journal.check, system.databases)
    mistold = followers.mistold
    reads = [one for one in load.records if one.read]
    failed = [one for one in reads if not one.verdict.good]
    seconds = sorted(map(took, reads))
    wrong = [
        *course.wrong,
        *system.faults_of_ours(),
        *(line for one in load.records for line in one.verdict.wrong),
        *(said for one in failed if (said := unexcused(one, course))),
        *(f"lost: {one}" for one in lost),
        *(f"twice: {one}" for one in doubled),
        *(f"follower: {one}" for one in mistold),
        *([f"{load.gave_up} writes were never acknowledged"] if load.gave_up else []),
        *(["nothing was refused"] if scenario.plain and not failed and not load.retried else []),
    ]
    return Result(
        scenario.name,
        time.monotonic() - began,
        len(reads),
        len(failed),
        max((refused_after(one, course) for one in failed), default=0.0),
        seconds[math.ceil(0.99 * len(seconds)) - 1],
        seconds[-1],
        load.acknowledged,
        load.retried,
        len(lost),
        len(doubled),
        followers.told,
        len(mistold),
        wrong,
    )


def took(one: Record) -> float:
    assert one.ended
    return one.ended - one.sent


def met(one: Record, times: Iterable[tuple[float, float]]) -> list[float]:
    """When those of these times began in which it was under way."""
    assert one.ended
    return [began for began, over in times if one.sent <= over and began <= one.ended]


def refused_after(one: Record, course: Course) -> float:
    """Seconds to its end from the kill that it met, or else from its sending."""
    assert one.ended
    return one.ended - min(met(one, course.kills), default=one.sent)


def unexcused(one: Record, course: Course) -> str:
    """Why this read may not have failed; empty if it may. One that was under way in a process when that was killed may
    have been refused; when it was frozen, its time may have passed."""
    what = f"{one.what} failed with {one.status} ({one.verdict.failed_fields} fields) after {took(one):.2f} s"
    if met(one, ((at, at) for at in course.freezes)):
        return ""
    if not met(one, course.kills):
        return f"{what}, and was under way in no process that was killed or frozen"
    if one.status not in (502, 503) or refused_after(one, course) > LATEST_REFUSAL:
        return f"{what}, where a 502 or 503 within {LATEST_REFUSAL:g} s is promised"
    return ""
