"""What many clients ask of the system through the edge: GraphQL and REST, reads and writes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import httpx2

PESSOAS = "query Pessoas { pessoas(first: 20) { totalCount nodes { id nomePessoa } } }"
CRIAR = "mutation Criar($nome: String!) { criarPessoa(input: {nomePessoa: $nome}) { pessoa { id } errors { code } } }"


@dataclass
class Load:
    """Requests that many clients send at a time, and what came of them."""

    client: httpx2.AsyncClient
    sent: int = 0
    failures: list[str] = field(default_factory=list[str])
    acknowledged: list[str] = field(default_factory=list[str])
    """Names of the pessoas whose creation was acknowledged."""

    async def run_while(self, work: Awaitable[Any], at_least: int, clients: int = 12) -> None:
        """Sends until `work` is done and `at_least` requests have been sent."""
        task = asyncio.ensure_future(work)

        async def send_on() -> None:
            while not (task.done() and self.sent >= at_least):
                self.sent += 1
                await self._send(self.sent)

        await asyncio.gather(task, *(send_on() for _ in range(clients)))

    async def _send(self, number: int) -> None:
        new, writes = f"Pessoa {uuid.uuid4()}", False
        try:
            match number % 4:
                case 0:
                    answer = await self.client.post("/graphql", json={"query": PESSOAS})
                case 1:
                    writes = True
                    answer = await self.client.post("/graphql", json={"query": CRIAR, "variables": {"nome": new}})
                case 2:
                    answer = await self.client.get("/api/pessoas/?page_size=10")
                case _:
                    writes = True
                    answer = await self.client.post("/api/pessoas/", json={"nome_pessoa": new})
        except httpx2.HTTPError as failure:
            self.failures.append(repr(failure))
            return
        if answer.status_code >= 300 or '"errors":[{' in answer.text.replace(" ", ""):
            self.failures.append(f"{answer.status_code} {answer.text[:300]}")
        elif writes:
            self.acknowledged.append(new)
