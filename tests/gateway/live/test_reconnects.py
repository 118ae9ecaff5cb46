"""Nothing is lost and nothing comes twice, however often clients go away and come back while others write."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import psycopg
import pytest

from gateway.live import streams
from tests import builders
from tests.applications import Services
from tests.chassis.peers import until
from tests.gateway.live.clients import Client, LiveGateway
from tests.gateway.live.test_subscriptions import PESSOA

RECONNECTS, CLIENTS = 1000, 20
FILTERED = """
subscription Mudancas($filter: SolicitacaoFilter, $apos: String) {
  solicitacaoMudou(filter: $filter, apos: $apos) { operacao id solicitacao { pessoaId } }
}"""


def all_numbered(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        return not connection.execute("SELECT FROM change WHERE seq IS NULL LIMIT 1").fetchall()


def told(database_url: str, after: int, condition: str = "true") -> list[int]:
    """The numbers of the changes in the database, in order."""
    text = f"SELECT seq FROM change WHERE seq > %s AND {condition} ORDER BY seq"
    with psycopg.connect(database_url) as connection:
        return [seq for (seq,) in connection.execute(text.encode(), (after,))]


class Returning:
    """A client that leaves at random moments and comes back with the cursor of the last event that it has."""

    def __init__(self, live: LiveGateway, query: str, **variables: Any) -> None:
        self._live, self._query, self._variables = live, query, variables
        self.seqs: list[int] = []
        self.returns = 0
        self._client: Client | None = None
        self.cursor = ""

    async def begin(self) -> int:
        """Returns the number after which it has everything."""
        self._client = await self._live.open(self._query, **self._variables)
        assert self._client.handle
        self.cursor = self._client.handle.cursor
        return int(self.cursor.rsplit(":", 1)[1])

    async def come_back(self) -> None:
        if self._client:
            self.leave()
        self._client = await self._live.open(self._query, apos=self.cursor, **self._variables)
        self.returns += 1

    def leave(self) -> None:
        """Half of the times it goes on from the last event, as after a crash, else from the heartbeat."""
        assert self._client
        assert self._client.handle
        self.seqs += self._client.seqs
        last = self._client.cursors[-1:] if random.random() < 0.5 else [self._client.handle.cursor]
        self.cursor = (last or [self.cursor])[0]
        self._client.handle.close()
        self._client = None

    @property
    def all_seqs(self) -> list[int]:
        return self.seqs + (self._client.seqs if self._client else [])


async def returning_until(clients: list[Returning], writing: asyncio.Task[None]) -> None:
    while not writing.done() or sum(one.returns for one in clients) < RECONNECTS:
        for one in random.sample(clients, 5):
            await one.come_back()
        await asyncio.sleep(random.random() * 0.02)
    await writing


async def test_a_thousand_returns_under_writes_lose_and_repeat_nothing(
    services: Services, live: LiveGateway, database_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "SENDS_PER_TURN", 1)  # clients come back while an event is on its way to others
    url = database_urls["pessoas"]
    rows = [(await builders.pessoa(services))["id"] for _ in range(10)]
    clients = [Returning(live, PESSOA) for _ in range(CLIENTS)]
    begins = [await one.begin() for one in clients]

    async def write() -> None:
        for n in range(300):
            await services.pessoas.put(f"/api/pessoas/{rows[n % 10]}/", json={"nome_pessoa": f"Ana {n}"})
            if n % 60 == 0:  # a burst, which is more than one batch
                await asyncio.to_thread(builders.insert_pessoas, url, [f"Rui {n} {m}" for m in range(250)])

    await returning_until(clients, asyncio.create_task(write()))
    await until(lambda: all_numbered(url), "all are numbered")
    for one in clients:
        await one.come_back()
    last = told(url, 0)[-1]
    await until(lambda: all(one.all_seqs[-1:] == [last] for one in clients), "all have the last change")

    assert sum(one.returns for one in clients) >= RECONNECTS
    for one, begin in zip(clients, begins, strict=True):
        assert one.all_seqs == told(url, begin)


async def test_who_has_missed_more_than_the_service_tells_at_once_gets_all_of_it(
    services: Services, live: LiveGateway, database_urls: dict[str, str]
) -> None:
    url = database_urls["pessoas"]
    staying, away = await live.open(PESSOA), Returning(live, PESSOA)
    begin = await away.begin()
    away.leave()

    builders.insert_pessoas(url, [f"Rui {n}" for n in range(2500)])
    await until(lambda: len(staying.events) == 2500, "the others have it")
    await away.come_back()
    await until(lambda: len(away.all_seqs) >= 2500, "he has it too")

    assert away.all_seqs == staying.seqs == told(url, begin)


async def test_with_a_filter_too_exactly_what_it_lets_pass_is_told(
    services: Services, live: LiveGateway, database_urls: dict[str, str]
) -> None:
    url = database_urls["solicitacoes"]
    clients = [Returning(live, FILTERED, filter={"pessoaId": {"eq": "1"}}) for _ in range(CLIENTS)]
    begins = [await one.begin() for one in clients]

    async def write() -> None:
        for n in range(100):
            await asyncio.to_thread(builders.insert_solicitacoes, url, [(1, 1 + m % 3, 1) for m in range(n % 10)])
            await asyncio.sleep(0.01)

    await returning_until(clients, asyncio.create_task(write()))
    await asyncio.to_thread(builders.insert_solicitacoes, url, [(1, 1, 1)])
    passes = "entity IN (SELECT id FROM solicitacao WHERE pessoa_id = 1)"
    await until(lambda: all_numbered(url), "all are numbered")
    for one in clients:
        await one.come_back()
    await until(lambda: all(one.all_seqs[-1:] == told(url, 0, passes)[-1:] for one in clients), "all have the last")

    for one, begin in zip(clients, begins, strict=True):
        assert one.all_seqs == told(url, begin, passes)
