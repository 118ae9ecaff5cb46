"""Followers of the changes of every service, who go on from their own position after every failure, and are judged in
the end by the table `change`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import httpx2
import psycopg

from chassis.db.changes import BATCH
from deploy.postgres import HOST

WAIT = 5
PATIENCE = WAIT + 10.0
"""Seconds without any byte after which a follower connects again."""
PAUSE = 0.1
PATH = "/api/changes/"
AWAY = (502, 503, 504)
"""What a follower may be answered while a process is away; a 502 comes from a balancer."""
UNNUMBERED = "SELECT count(*) FROM change WHERE seq IS NULL"
KEPT = "SELECT seq, kind, entity, op FROM change WHERE seq > %s ORDER BY seq"
Change = tuple[int, str, int, str]


class Follower:
    """Follows one service and remembers what it is told. Its position is after the last change that it has kept."""

    name = "long poll"

    def __init__(self, service: str, port: int) -> None:
        self.service, self._port = service, port
        self.began = self.position = 0
        self.epoch = ""
        self.told: list[Change] = []
        self.heard: list[float] = []
        """When something new came."""
        self.refused: list[str] = []
        """Answers that no fault excuses."""

    async def begin(self, client: httpx2.AsyncClient) -> None:
        answer = (await client.get(self.url)).raise_for_status().json()
        self.began, self.position, self.epoch = answer["last"], answer["last"], answer["epoch"]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}{PATH}"

    async def follow(self, client: httpx2.AsyncClient) -> None:
        """For ever: a follower whose answer does not come asks again from its position."""
        while True:
            try:
                await self._once(client)
            except httpx2.TransportError:
                await asyncio.sleep(PAUSE)

    async def _once(self, client: httpx2.AsyncClient) -> None:
        asked: dict[str, Any] = {"after": self.position, "epoch": self.epoch, "wait": WAIT, "limit": BATCH}
        answer = await client.get(self.url, params=asked)
        if await self._refused(answer):
            return
        found = answer.json()
        self._keep(found["items"])
        self.position = found["last"]

    async def _refused(self, answer: httpx2.Response) -> bool:
        if answer.status_code == 200:
            return False
        if answer.status_code not in AWAY:
            self.refused.append(f"{answer.status_code} {(await answer.aread())[:300].decode(errors='replace')}")
        await asyncio.sleep(PAUSE)
        return True

    def _keep(self, items: list[dict[str, Any]]) -> None:
        self.told += [(item["seq"], item["kind"], item["id"], item["op"]) for item in items]
        if items:
            self.position = items[-1]["seq"]
            self.heard.append(time.monotonic())

    def went_on(self, since: float) -> float | None:
        """Seconds from `since` until something new came; None if nothing did."""
        return min((heard - since for heard in self.heard if heard >= since), default=None)

    def judge(self, connection: psycopg.Connection) -> list[str]:
        """What differs between what it was told and the table."""
        who = f"{self.service} by {self.name}"
        return [*self.refused, *differences(who, self.told, changes_after(connection, self.began))]


def changes_after(connection: psycopg.Connection, seq: int) -> list[Change]:
    """What the table holds after this number, in order."""
    return connection.execute(KEPT, [seq]).fetchall()


def differences(who: str, told: list[Change], kept: list[Change]) -> list[str]:
    """What differs between the changes that somebody was told and those that are kept."""
    if told == kept:
        return []
    lost = sorted((Counter(kept) - Counter(told)).elements())
    more = sorted((Counter(told) - Counter(kept)).elements())
    return [
        *(f"{who}: lost {one}" for one in lost),
        *(f"{who}: twice or never made: {one}" for one in more),
    ] or [f"{who}: in another order"]


class StreamFollower(Follower):
    """The same by `text/event-stream`."""

    name = "event stream"

    async def _once(self, client: httpx2.AsyncClient) -> None:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": f"{self.epoch}:{self.position}"}
        async with client.stream("GET", self.url, headers=headers) as answer:
            if await self._refused(answer):
                return
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(":")
                if line:
                    event[name] = value.strip()
                else:  # a connection that breaks within an event has not told it
                    self._keep([json.loads(event["data"])] if "data" in event else [])
                    event = {}
        await asyncio.sleep(PAUSE)


def feed_followers(ports: Mapping[str, int]) -> list[Follower]:
    """One of each kind for every service."""
    return [kind(service, port) for service, port in ports.items() for kind in (Follower, StreamFollower)]


class Followers:
    """Some who follow the services, of each of which there are several."""

    def __init__(self, members: Sequence[Follower], urls: Mapping[str, str]) -> None:
        self._members, self._urls = members, urls
        self.mistold: list[str] = []
        """What was wrong with what they were told, when `following` ended. Later changes are told to nobody."""

    @contextlib.asynccontextmanager
    async def following(self, client: httpx2.AsyncClient | None = None) -> AsyncGenerator[None]:
        """They follow until this context ends, and what was committed before its end is told to them."""
        async with client or httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            await asyncio.gather(*(one.begin(client) for one in self._members))
            tasks = [asyncio.create_task(one.follow(client)) for one in self._members]
            try:
                yield
                until = time.monotonic() + PATIENCE
                while found := await asyncio.to_thread(self._wrong):
                    if time.monotonic() > until:
                        break
                    await asyncio.sleep(0.1)
                self.mistold = found
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def told(self) -> int:
        return sum(len(one.told) for one in self._members)

    def went_on(self, since: float) -> float | None:
        """Seconds from `since` until each of them had been told something new; None if one never was."""
        each = [one.went_on(since) for one in self._members]
        found = [seconds for seconds in each if seconds is not None]
        return max(found) if len(found) == len(each) else None

    def _wrong(self) -> list[str]:
        """What was lost, told twice, told in another order, or refused."""
        found = list[str]()
        for service, url in self._urls.items():
            with psycopg.connect(url) as connection:
                unnumbered = connection.execute(UNNUMBERED).fetchone()
                found += [f"{service}: changes without a number: {unnumbered}"] if unnumbered != (0,) else []
                found += [line for one in self._members if one.service == service for line in one.judge(connection)]
        return found
