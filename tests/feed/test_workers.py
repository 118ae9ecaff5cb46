"""Four processes of one service share a port and a database, and are killed again and again: followers by both ways get
every change once and in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count

import httpx2
import pytest_asyncio

from deploy.local import ready
from deploy.postgres import HOST
from tests.applications import Services
from tests.chassis.peers import until
from tests.chassis.test_workers import Parent, running
from tests.faults.followers import Follower, StreamFollower, changes_after
from tests.feed.conftest import connect

WORKERS, WRITERS, FOLLOWERS_OF_A_KIND, KILLS = 4, 8, 4, 6
BETWEEN_KILLS = 60
"""How many writes are acknowledged between two kills."""
SEED = 22


class Writer:
    """A client that sends a write again, with the same key, until it is acknowledged."""

    def __init__(self, number: int, client: httpx2.AsyncClient) -> None:
        self._number, self._client = number, client
        self.acknowledged = 0
        self.ended = False

    async def write(self) -> None:
        for n in count():
            id = await self._send("POST", "/api/pessoas/", n)
            await self._send("PUT", f"/api/pessoas/{id}/", n)
            if self.ended:
                return

    async def _send(self, method: str, path: str, n: int) -> int:
        while True:
            try:
                answer = await self._client.request(
                    method,
                    path,
                    json={"nome_pessoa": f"{method} {n}"},
                    headers={"Idempotency-Key": f"{method}-{n}-of-{self._number}"},
                )
            except httpx2.TransportError:
                continue  # its worker was killed
            if answer.status_code in (409, 503):  # the first try may still run in the database
                await asyncio.sleep(0.05)
                continue
            self.acknowledged += 1
            id: int = answer.raise_for_status().json()["id"]
            return id


@pytest_asyncio.fixture
async def parent(services: Services, application_urls: dict[str, str]) -> AsyncIterator[Parent]:
    patient = {"OPERATION_TIMEOUT": "60", "DATABASE_TIMEOUT": "30", "LOG_LEVEL": "ERROR"}
    with running(WORKERS=str(WORKERS), DATABASE_URL=application_urls["pessoas"], **patient) as started:
        await ready(started.port)
        await until(lambda: len(started.workers()) == WORKERS, "all workers start")
        yield started


async def test_followers_of_workers_that_are_killed_get_every_change_once_and_in_order(
    parent: Parent, database_urls: dict[str, str]
) -> None:
    rng = random.Random(SEED)
    address = f"http://{HOST}:{parent.port}"
    async with AsyncExitStack() as stack:

        async def client() -> httpx2.AsyncClient:  # each has connections of its own, so that all workers have clients
            made = httpx2.AsyncClient(base_url=address, trust_env=False, timeout=60)
            return await stack.enter_async_context(made)

        kinds = [Follower, StreamFollower] * FOLLOWERS_OF_A_KIND
        followers = [(kind("pessoas", parent.port), await client()) for kind in kinds]
        for follower, its in followers:
            await follower.begin(its)
        writers = [Writer(n, await client()) for n in range(WRITERS)]
        following = [asyncio.create_task(follower.follow(its)) for follower, its in followers]
        writing = [asyncio.create_task(writer.write()) for writer in writers]

        def acknowledged() -> int:
            failed = [task for task in (*following, *writing) if task.done() and task.exception()]
            assert not failed, failed
            return sum(writer.acknowledged for writer in writers)

        for _ in range(KILLS):
            enough = acknowledged() + BETWEEN_KILLS
            await until(lambda enough=enough: acknowledged() >= enough, "writers go on")
            rng.choice(parent.workers()).kill()
        for writer in writers:
            writer.ended = True
        await asyncio.gather(*writing)
        total = acknowledged()
        last = (await followers[0][1].get("/api/changes/")).raise_for_status().json()["last"]
        await until(lambda: all(one.position >= last for one, _ in followers), "all of them are told everything")
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)

    with connect(database_urls["pessoas"]) as connection:
        began = min(follower.began for follower, _ in followers)
        kept = changes_after(connection, began)
        wrong = [line for follower, _ in followers for line in follower.judge(connection)]
    assert [seq for seq, *_ in kept] == list(range(began + 1, last + 1))
    assert len(kept) == total, "each acknowledged write is told once"
    assert wrong == []
