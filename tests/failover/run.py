"""Keyed writes and followers at two processes of pessoas, while the primary behind them goes away."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path

import httpx2
import psycopg

from chassis.db.migrate import upgrade
from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.failover.nodes import DATABASE, PATIENCE, Node, Nodes, running, until
from tests.faults.followers import Followers, feed_followers
from tests.resources import PESSOAS

RATE = 20
"""Writes that begin each second."""
PERSISTENCE = 90.0
"""Seconds for which a client sends a write again."""
LONGEST_PAUSE = 4.0
"""Seconds between two attempts: each is twice the one before, up to this."""
WARM_SECONDS, AFTER_SECONDS = 4.0, 6.0
MARGIN = 1.0
"""An answer that the primary has sent may come so many seconds after it was stopped."""
Cause = Callable[[Node], Awaitable[None]]


@dataclass
class Writer:
    """Creates pessoas, each with a name and a key of its own, and sends each until it is acknowledged."""

    word: str
    ports: list[int]
    rate: float = RATE
    sent: int = 0
    retried: int = 0
    acknowledged: dict[str, int] = field(default_factory=dict[str, int])
    """The ids of the rows, by their names."""
    at: list[float] = field(default_factory=list[float])
    """When each acknowledgement came."""
    refused: Counter[str] = field(default_factory=Counter[str])

    async def write_until(self, ended: asyncio.Event, persistence: float = PERSISTENCE) -> None:
        """Returns when `ended` is set and each write is acknowledged, or was sent for long enough."""
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=50)
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=8, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            while not ended.is_set():
                self.sent += 1
                tasks.create_task(self._write(client, f"{self.word} {self.sent}", ended, persistence))
                await asyncio.sleep(1 / self.rate)

    async def _write(self, client: httpx2.AsyncClient, name: str, ended: asyncio.Event, persistence: float) -> None:
        key, until = {"Idempotency-Key": uuid.uuid4().hex}, time.monotonic() + persistence
        for attempt in count():
            self.retried += attempt == 1
            url = f"http://{HOST}:{random.choice(self.ports)}{PESSOAS.path}"
            try:
                answer = await client.post(url, json={"nome_pessoa": name}, headers=key)
                if answer.status_code == 201:
                    self.acknowledged[name] = answer.json()["id"]
                    self.at.append(time.monotonic())
                    return
                self.refused[f"{answer.status_code} {answer.json().get('code')}"] += 1
            except httpx2.TransportError as failure:
                self.refused[type(failure).__name__] += 1
            if time.monotonic() > until:
                return
            await asyncio.sleep(min(LONGEST_PAUSE, 0.25 * 2 ** min(attempt, 9)) * random.uniform(0.5, 1))

    def away(self) -> float:
        """The longest time without an acknowledgement, in seconds."""
        at = sorted(self.at)
        return max((later - sooner for sooner, later in pairwise(at)), default=float("inf"))

    def lost_and_doubled(self, url: str) -> tuple[list[str], list[str]]:
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT id, nome_pessoa FROM pessoa WHERE nome_pessoa LIKE %s", [f"{self.word} %"]
            ).fetchall()
        there = set(rows)
        lost = [name for name, id in self.acknowledged.items() if (id, name) not in there]
        doubled = [name for name, n in Counter(name for _, name in rows).items() if n > 1]
        return lost, doubled


@dataclass(frozen=True)
class Result:
    """`away` is the longest time without an acknowledged write, in seconds; `late` are writes that the old primary
    acknowledged after it had gone away; `back` is how long until it followed the new one, from the cause's end."""

    name: str
    sent: int
    acknowledged: int
    retried: int
    away: float
    lost: list[str]
    doubled: list[str]
    late: int
    told: int
    mistold: list[str]
    back: float
    refused: Counter[str]

    def broken(self, most_away: float) -> list[str]:
        """The promises that were broken."""
        found = [f"lost: {one}" for one in self.lost] + [f"twice: {one}" for one in self.doubled]
        found += [f"follower: {one}" for one in self.mistold]
        found += [f"the old primary acknowledged {self.late} writes"] if self.late else []
        found += [f"{self.sent - self.acknowledged} were never acknowledged"] if self.sent > self.acknowledged else []
        return found + ([f"writes were away for {self.away:.1f} s"] if self.away > most_away else [])


class Process:
    """pessoas, whose database is at `url`."""

    def __init__(self, url: str, log: Path) -> None:
        self.port = free_ports()
        self._log = log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chassis.serve", "pessoas"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url, "HOST": HOST, "PORT": str(self.port)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    async def ready(self) -> None:
        async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(trust_env=False, timeout=2) as client:
            while True:
                try:
                    if (await client.get(f"http://{HOST}:{self.port}/health/ready")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.1)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(30)
        self._log.close()


async def run(name: str, cause: Cause, directory: Path) -> Result:
    """Runs one scenario on nodes of its own."""
    with running(directory) as nodes:
        upgrade(DATABASE, nodes.url)
        primary = nodes.primary()
        assert primary
        urls = [nodes.url, nodes.url, nodes.url_of(primary)]
        processes = [Process(url, directory / f"pessoas-{n}.log") for n, url in enumerate(urls)]
        try:
            await asyncio.gather(*(one.ready() for one in processes))
            return await _measured(name, cause, nodes, primary, [one.port for one in processes])
        finally:
            for one in processes:
                one.stop()


async def _measured(name: str, cause: Cause, nodes: Nodes, primary: Node, ports: list[int]) -> Result:
    *both, only_old = ports
    writer, straggler = Writer("Escrita", both), Writer("Atrasada", [only_old], rate=5)
    followers = Followers(feed_followers({DATABASE: both[0]}), {DATABASE: nodes.url})
    ended = asyncio.Event()

    async with followers.following(), asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.write_until(ended))
        tasks.create_task(straggler.write_until(ended, persistence=0))
        await asyncio.sleep(WARM_SECONDS)
        began = time.monotonic()
        await cause(primary)
        over = time.monotonic()
        await asyncio.to_thread(until, primary.follows, "the old primary is a standby")
        back = time.monotonic() - over
        await asyncio.sleep(AFTER_SECONDS)
        ended.set()
    lost, doubled = writer.lost_and_doubled(nodes.url)
    old_lost, old_doubled = straggler.lost_and_doubled(nodes.url)
    return Result(
        name,
        writer.sent,
        len(writer.acknowledged),
        writer.retried,
        writer.away(),
        lost + old_lost,
        doubled + old_doubled,
        sum(at > began + MARGIN for at in straggler.at),
        followers.told,
        followers.wrong(),
        back,
        writer.refused,
    )
