"""Two clients beside the load: one who renames rows and reads them, and one who reaches the old primary only."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import httpx2

from deploy.postgres import HOST
from tests.cache_checker.history import History, Read
from tests.faults.journal import PESSOA, Journal, Write
from tests.faults.load import PATIENCE
from tests.faults.stage import SERVICES
from tests.faults.verdict import Answer, Fault, Verdict

FAULT = Fault(hurts=frozenset(SERVICES))
"""While there is no primary every service may fail, in the promised form."""
ROWS = 5
WRITE_PAUSE, READ_PAUSE, RETRY_PAUSE = 0.5, 0.1, 0.5
"""Seconds between two writes of a row, two reads of all rows, and two attempts of one write."""
STALENESS = 1.0
"""CACHE_STALENESS: how old, in seconds, a row may be that the gateway shows from its memory."""
STRAGGLER_RATE = 5
"""Writes a second."""


class RenamedRows:
    """Pessoas that are renamed again and again and read meanwhile, through the gateway and from their service. An
    answer may not show a name that had been replaced when it was asked for, wherever it comes from."""

    def __init__(self, journal: Journal, service: int, gateway: int) -> None:
        self._journal = journal
        self._service, self._gateway = f"http://{HOST}:{service}", f"http://{HOST}:{gateway}/graphql"
        self._history = History(STALENESS)
        self._wrong: list[str] = []

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncGenerator[None]:
        """They are renamed and read until this context ends."""
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            created = [self._journal.create(PESSOA, "") for _ in range(ROWS)]
            for write in created:
                await self._acknowledged(client, write)
            ids = [write.row.id for write in created if write.row.id]
            async with working(*(self._rename(client, write) for write in created), self._read(client, ids)):
                yield

    async def _rename(self, client: httpx2.AsyncClient, write: Write) -> None:
        for n in itertools.count(1):
            name = f"Renomeada {write.row.id} {n}"
            write.row.may_be.add((name,))
            path = f"{PESSOA.path}{write.row.id}/"
            await self._acknowledged(client, Write(write.row, "pessoas", "PATCH", path, {"nome_pessoa": name}, (name,)))
            await asyncio.sleep(WRITE_PAUSE)

    async def _acknowledged(self, client: httpx2.AsyncClient, write: Write) -> None:
        """Sends the write until it is acknowledged, and notes when it took effect."""
        assert write.becomes
        noted = None
        while not write.acknowledged:
            if write.row.id and not noted:
                noted = self._history.write(("pessoa", write.row.id), write.becomes[0], time.monotonic())
            self._wrong += (await send(client, self._service, write)).wrong
            if not write.acknowledged:
                await asyncio.sleep(RETRY_PAUSE)
        if noted:
            noted.ended = time.monotonic()
        else:
            assert write.row.id
            self._history.begin(("pessoa", write.row.id), write.becomes[0])

    async def _read(self, client: httpx2.AsyncClient, ids: list[int]) -> None:
        fields = " ".join(f'pessoa{id}: pessoa(id: "{id}") {{ nomePessoa }}' for id in ids)
        for id in itertools.cycle(ids):
            began = time.monotonic()
            answer = (await client.post(self._gateway, json={"query": f"{{ {fields} }}"})).json()
            failed = {error["path"][0] for error in answer.get("errors", ())}
            stale = "pessoas" in answer.get("extensions", {}).get("stale", {})
            for one in ids:
                if f"pessoa{one}" not in failed:
                    found = answer["data"][f"pessoa{one}"]
                    self._note(one, found and found["nomePessoa"], began, "gateway", stale=stale)
            began = time.monotonic()
            found = await client.get(f"{self._service}{PESSOA.path}{id}/")
            if found.status_code == 200:
                self._note(id, found.json()["nome_pessoa"], began, "pessoas", direct=True)
            await asyncio.sleep(READ_PAUSE)

    def _note(self, id: int, name: str | None, began: float, where: str, **how: bool) -> None:
        self._history.reads.append(Read(("pessoa", id), name, began, time.monotonic(), where, **how))

    @property
    def read(self) -> int:
        """How many reads of a row have been judged."""
        return self._history.judged

    def wrong(self) -> list[str]:
        return [*self._wrong, *self._history.judge()]


class Straggler:
    """Writes again and again to a process that knows the old primary only, each once."""

    def __init__(self, journal: Journal, port: int) -> None:
        self._journal, self._url = journal, f"http://{HOST}:{port}"
        self.acknowledged_at: list[float] = []

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncGenerator[None]:
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client, working(self._write(client)):
            yield

    async def _write(self, client: httpx2.AsyncClient) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._once(client, self._journal.create(PESSOA, "")))
                await asyncio.sleep(1 / STRAGGLER_RATE)

    async def _once(self, client: httpx2.AsyncClient, write: Write) -> None:
        await send(client, self._url, write)
        if write.acknowledged:
            self.acknowledged_at.append(time.monotonic())


async def send(client: httpx2.AsyncClient, url: str, write: Write) -> Verdict:
    """Sends it once, with its key."""
    headers = {"Idempotency-Key": write.key, "Prefer": "return=representation"}
    try:
        found = await client.request(write.method, f"{url}{write.path}", json=write.body, headers=headers)
        answer = Answer(found.status_code, found.content)
    except httpx2.TransportError as failure:
        answer = Answer(None, b"", repr(failure))
    return write.judge(answer, FAULT)


@contextlib.asynccontextmanager
async def working(*work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Each works until this context ends; what one of them raised is raised then."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
