"""Runs scenarios under load, and finds the effect of each on the answers and on the data."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from deploy.postgres import HOST
from tests.faults.followers import Followers, feed_followers
from tests.faults.live import live_clients
from tests.faults.load import PERSISTENCE, Load
from tests.faults.scenarios import Scenario
from tests.faults.stage import PROCESSES, Stage

WARM_SECONDS = 1.0
HOPE_SECONDS = 20.0
"""Seconds after which a system that has not recovered counts as never recovered."""


@dataclass(frozen=True)
class Result:
    """`cause` is how long it lasted, `recovery` how long until nothing failed any more, `followed` and `live` how long
    until every follower and every client of live queries had been told something new, and `without_writes` the longest
    time for which no write of some service was acknowledged, all in seconds. `mistold` lists what they were not told,
    or twice."""

    name: str
    requests: int
    failed_fields: int
    unavailable: int
    acknowledged: int
    retried: int
    gave_up: int
    lost: list[str]
    doubled: list[str]
    cause: float
    recovery: float | None
    told: int
    mistold: list[str]
    followed: float | None
    events: int
    subscribed: int
    live: float | None
    without_writes: float
    wrong: list[str]

    @property
    def broken_promises(self) -> list[str]:
        """Everything that is wrong in any case, however long the system takes."""
        never = [] if self.recovery is not None else [f"it has not recovered in {HOPE_SECONDS:g} s"]
        never += [] if self.followed is not None else [f"a follower has heard nothing in {HOPE_SECONDS:g} s"]
        never += [] if self.live is not None else [f"a live query has heard nothing in {HOPE_SECONDS:g} s"]
        never += [f"{self.gave_up} writes were never acknowledged"] if self.gave_up else []
        told = [f"follower: {one}" for one in self.mistold]
        lost_or_doubled = [*(f"lost: {one}" for one in self.lost), *(f"twice: {one}" for one in self.doubled)]
        return [*self.wrong, *told, *lost_or_doubled, *never]


async def run(
    stage: Stage, scenario: Scenario, *, rate: float, slack: float, persistence: float = PERSISTENCE
) -> Result:
    """Runs the scenario under a load of `rate` requests a second. A write is tried for `persistence` seconds."""
    ports = {name: stage.port(name) for name in PROCESSES}
    if scenario.far:
        ports["gateway"] = stage.far_gateway
    urls = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
    load = Load(urls, stage.reads, stage.journal, scenario.fault, rate=rate, slack=slack, persistence=persistence)
    followers = Followers(feed_followers({name: tunnel.port for name, tunnel in stage.tunnels.items()}), stage.urls)
    gateway = stage.far_tunnel if scenario.far else stage.gateway_tunnel
    live = Followers(live_clients(gateway.port, ports["gateway"], stage.live), stage.urls)
    opened = stage.live.opened
    began = ended = 0.0

    async def work() -> None:
        nonlocal began, ended
        await asyncio.sleep(WARM_SECONDS)
        began = time.monotonic()
        await scenario.cause(stage)
        ended = time.monotonic()
        while not recovered() and time.monotonic() < ended + HOPE_SECONDS:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # there is no event for a second without failures

    def recovered() -> bool:
        return load.recovered(ended) is not None and None not in (followers.went_on(ended), live.went_on(ended))

    async with followers.following(), live.following():
        await load.run_while(work())
    verdicts = [one.verdict for one in load.records]
    wrong = [line for verdict in verdicts for line in verdict.wrong] + stage.faults_of_ours()
    if scenario.flawless and not wrong:
        bad = sum(not verdict.good for verdict in verdicts)
        wrong = [f"{bad} requests failed, where nobody should notice anything"] if bad else []
    lost, doubled = await asyncio.to_thread(stage.lost_and_doubled)
    mistold = followers.mistold + live.mistold
    return Result(
        scenario.name,
        len(verdicts),
        sum(verdict.failed_fields for verdict in verdicts),
        sum(verdict.unavailable for verdict in verdicts),
        load.acknowledged,
        load.retried,
        load.gave_up,
        lost,
        doubled,
        ended - began,
        load.recovered(ended),
        followers.told,
        mistold,
        followers.went_on(ended),
        live.told,
        stage.live.opened - opened,
        live.went_on(ended),
        load.without_writes(),
        wrong,
    )
