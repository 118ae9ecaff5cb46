"""Many write and many follow at the same time: everybody gets everything once and in order."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field

import httpx2

from tests.applications import Services
from tests.feed.conftest import Serve, connect
from tests.feed.test_changes import CHANGES, Item, position

WRITERS, FOLLOWERS, TRANSACTIONS = 8, 4, 40
SEED = 22


@dataclass
class Follower:
    """Keeps its position after its work, and goes on from there when it was killed."""

    position: int
    seen: list[Item] = field(default_factory=list[Item])

    async def follow(self, client: httpx2.AsyncClient, url: str) -> None:
        while True:
            asked = {"after": self.position, "limit": 7, "wait": 5}
            answer = await client.get(f"{url}{CHANGES}", params=asked)
            told = answer.raise_for_status().json()
            self.seen += told["items"]
            self.position = told["last"]


def write(url: str, number: int) -> None:
    """Transactions of several statements: some are long, one in ten is rolled back, and all like the same ten rows."""
    rng = random.Random(SEED + number)
    with connect(url) as connection:
        for n in range(TRANSACTIONS):
            connection.execute("INSERT INTO idempotency (key, fingerprint) VALUES (%s, '')", [f"{number} {n}"])
            connection.execute("INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('A', 'a')")
            connection.execute("SELECT pg_sleep(%s)", [rng.choice([0, 0, 0, 0.002, 0.03])])
            connection.execute("UPDATE pessoa SET nome_pessoa = 'B' WHERE id = %s", [rng.randint(1, 10)])
            if rng.random() < 0.1:
                connection.rollback()
            else:
                connection.commit()


async def test_followers_that_are_killed_again_and_again_get_every_change_once_and_in_order(
    services: Services, serve: Serve, database_urls: dict[str, str]
) -> None:
    url, rng = database_urls["pessoas"], random.Random(SEED)
    for _ in range(10):
        await services.pessoas.post("/api/pessoas/", json={"nome_pessoa": "A"})
    before = await position(services.pessoas)
    followers = [Follower(before) for _ in range(FOLLOWERS)]
    async with serve() as one, serve() as other:
        urls = [f"http://127.0.0.1:{served.port}" for served in (one, other)]

        async def follow(follower: Follower) -> None:
            patience = 1.0
            async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:
                while True:
                    before = follower.position
                    with suppress(TimeoutError):
                        async with asyncio.timeout(rng.uniform(0.01, 0.3) * patience):
                            await follower.follow(client, rng.choice(urls))
                    # On a busy machine an answer may take longer than a follower lives.
                    patience = 1.0 if follower.position > before else 2 * patience

        tasks = [asyncio.create_task(follow(follower)) for follower in followers]
        await asyncio.gather(*(asyncio.to_thread(write, url, number) for number in range(WRITERS)))
        last = await position(services.pessoas)
        async with asyncio.timeout(60):
            while any(follower.position < last for follower in followers):
                assert not any(task.done() for task in tasks), [task for task in tasks if task.done()]
                await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with connect(url) as connection:
        rows = connection.execute("SELECT seq, entity, op, id FROM change WHERE seq > %s ORDER BY seq", [before])
        kept = rows.fetchall()
        unnumbered = connection.execute("SELECT count(*) FROM change WHERE seq IS NULL").fetchone()
    assert [seq for seq, *_ in kept] == list(range(before + 1, last + 1))
    assert unnumbered == (0,)
    assert len(kept) > WRITERS * TRANSACTIONS
    for follower in followers:
        assert [(item["seq"], item["id"], item["op"]) for item in follower.seen] == [row[:3] for row in kept]
    for entity in {entity for _, entity, _, _ in kept}:
        written = [id for _, changed, _, id in kept if changed == entity]
        assert written == sorted(written), "a row's changes are told in the order in which they were made"
