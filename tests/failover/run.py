"""Takes the primary away under load, in one of several ways, and finds what that did to writes, reads and followers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2

from deploy.postgres import HOST
from tests.failover.clients import FAULT, RenamedRows, Straggler
from tests.failover.nodes import TTL, Node, until
from tests.failover.stage import ReplicatedStage
from tests.faults import run as faults
from tests.faults.scenarios import Scenario
from tests.scraped import scrape

PERSISTENCE = 90.0
"""Seconds for which a client sends a write again."""
MARGIN = 1.0
WARM_SECONDS, AFTER_SECONDS = 1.0, 2.0
STOPPED_SECONDS = 60
DEAD_SECONDS = 30
ALONE_SECONDS = 3
LEASE_SECONDS = TTL + 8
"""Within this time a primary is replaced whose Patroni says nothing any more. Its lease must be over first."""


@dataclass(frozen=True)
class Failover:
    """What happens to the primary; it returns when that is over. `most_away`: for how many seconds no write may be
    acknowledged."""

    name: str
    cause: Callable[[Node], Awaitable[None]]
    most_away: float


async def _postgres_killed(primary: Node) -> None:
    primary.send(signal.SIGKILL, primary.postgres())


async def _postgres_stopped(primary: Node) -> None:
    """Connections are accepted, and nothing answers, not even to Patroni."""
    frozen = primary.postgres()
    primary.send(signal.SIGSTOP, frozen)
    await asyncio.sleep(STOPPED_SECONDS)
    primary.send(signal.SIGCONT, frozen)


async def _node_stopped(primary: Node) -> None:
    """As if the machine hung."""
    frozen = primary.family()
    primary.send(signal.SIGSTOP, frozen)
    await asyncio.sleep(STOPPED_SECONDS)
    primary.send(signal.SIGCONT, frozen)


async def _node_stopped_and_patroni_longer(primary: Node) -> None:
    """The old primary goes on as one, and for a while nobody tells it that it is none."""
    frozen = primary.family()
    primary.send(signal.SIGSTOP, frozen)
    await asyncio.sleep(STOPPED_SECONDS)
    primary.send(signal.SIGCONT, primary.postgres())
    await asyncio.sleep(ALONE_SECONDS)
    primary.send(signal.SIGCONT, frozen)


async def _node_killed(primary: Node) -> None:
    primary.send(signal.SIGKILL, primary.family())
    await asyncio.sleep(DEAD_SECONDS)
    primary.start()


KILLED = Failover("PostgreSQL is killed", _postgres_killed, 15)
EVERYTHING = (
    KILLED,
    Failover(f"PostgreSQL is stopped for {STOPPED_SECONDS} s", _postgres_stopped, LEASE_SECONDS),
    Failover(f"the whole node is stopped for {STOPPED_SECONDS} s", _node_stopped, LEASE_SECONDS),
    Failover(f"the same, and its Patroni for {ALONE_SECONDS} s more", _node_stopped_and_patroni_longer, LEASE_SECONDS),
    Failover(f"the whole node is killed, and started {DEAD_SECONDS} s later", _node_killed, LEASE_SECONDS),
)


@dataclass(frozen=True)
class Result:
    """`late` are writes that the old primary acknowledged after it had gone away, `read` the reads of rows that
    were renamed meanwhile; `back` is how long after the cause the old primary followed the new one, in seconds."""

    found: faults.Result
    late: int
    read: int
    back: float
    broken: list[str]
    """Every promise that was broken, in words."""


async def run(failover: Failover, directory: Path, *, rate: float, slack: float, margin: float = MARGIN) -> Result:
    """Runs one on servers of its own, under `rate` requests a second. An answer that the primary has sent may come
    `margin` seconds after it has gone away."""
    stage = ReplicatedStage(directory)
    rows = RenamedRows(stage.journal, stage.port("pessoas"), stage.port("gateway"))
    straggler = Straggler(stage.journal, stage.straggler)
    began = back = 0.0

    async def cause(_: object) -> None:
        nonlocal began, back
        async with rows.followed(), straggler.writing():
            await asyncio.sleep(WARM_SECONDS)
            began = time.monotonic()
            await failover.cause(stage.primary)
            over = time.monotonic()
            await asyncio.to_thread(until, stage.primary.follows, "the old primary is a standby")
            back = time.monotonic() - over
            await asyncio.sleep(AFTER_SECONDS)

    async with stage.running():
        scenario = Scenario(failover.name, cause, FAULT)
        found = await faults.run(stage, scenario, rate=rate, slack=slack, persistence=PERSISTENCE)
        async with httpx2.AsyncClient(base_url=f"http://{HOST}:{stage.port('gateway')}", trust_env=False) as client:
            from_memory = (await scrape(client)).value("cache_rows_total", outcome="hit")
    late = sum(at > began + margin for at in straggler.acknowledged_at)
    misread = rows.wrong()
    broken = [*found.broken_promises, *misread]
    broken += [f"the old primary acknowledged {late} writes"] if late else []
    broken += [] if from_memory else ["no row was shown from memory, so the cache was not tried"]
    if found.without_writes > failover.most_away:
        broken.append(f"no write was acknowledged for {found.without_writes:.1f} s")
    return Result(found, late, rows.read, back, broken)
