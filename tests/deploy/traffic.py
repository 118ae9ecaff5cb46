"""Open-loop traffic over keep-alive connections from clients that never retry, so that every failure is seen.

A client follows RFC 9112: it opens a new connection if the server announced that the old one will close, or closed it
while it was idle. A request that was sent and not answered with a success is a failure.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from deploy import topology
from deploy.postgres import HOST

PAINEL = """{ solicitacoes(first: 20, orderBy: DATA_SOLICITACAO_DESC) { totalCount nodes {
  id pessoa { nomePessoa } servico { nomeServico } produto { nomeProduto categoria { nomeCategoria } } } } }"""
CRIAR = "mutation ($nome: String!) { criarPessoa(input: {nomePessoa: $nome}) { pessoa { id } errors { code } } }"


@dataclass(frozen=True)
class Request:
    process: str
    method: str
    path: str
    body: Any = None
    writes: str = ""
    """The name of the pessoa that it creates."""


class Client:
    """One keep-alive connection to one process; it is opened again when needed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: Request) -> tuple[int, bytes]:
        """Status and body. OSError or EOFError when the connection breaks."""
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection(HOST, self.port)
        reader, writer = self._streams
        body = b"" if request.body is None else json.dumps(request.body).encode()
        head = f"{request.method} {request.path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        if request.writes:
            head += f"Idempotency-Key: {request.writes}\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        content = await reader.readexactly(int(answered.split("content-length: ")[1].split("\r\n")[0]))
        if "connection: close" in answered:
            self.close()
        return int(answered.split(" ")[1]), content

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


@dataclass
class Traffic:
    """The requests that were sent, and their results."""

    offset: int
    sent: int = 0
    failures: list[str] = field(default_factory=list[str])
    acknowledged: list[str] = field(default_factory=list[str])
    """Names of the pessoas whose creation was acknowledged."""
    _clients: dict[str, asyncio.Queue[Client]] = field(default_factory=dict[str, "asyncio.Queue[Client]"])

    def _next(self) -> Request:
        new = f"Pessoa-{uuid.uuid4()}"
        kinds = [
            Request("gateway", "POST", "/graphql", {"query": PAINEL}),
            Request("gateway", "POST", "/graphql", {"query": CRIAR, "variables": {"nome": new}}, writes=new),
            Request("catalogo", "GET", "/api/produtos/?page_size=10"),
            Request("pessoas", "POST", "/api/pessoas/", {"nome_pessoa": new}, writes=new),
            Request("servicos", "GET", "/api/servicos/1/"),
            Request("solicitacoes", "GET", "/api/solicitacoes/1/"),
        ]
        return kinds[self.sent % len(kinds)]

    async def _one(self, request: Request) -> None:
        idle = self._clients.setdefault(request.process, asyncio.Queue())
        client = Client(topology.by_name(request.process).port + self.offset) if idle.empty() else idle.get_nowait()
        try:
            async with asyncio.timeout(15):
                status, content = await client.send(request)
        except (OSError, EOFError, TimeoutError) as failure:
            client.close()
            self.failures.append(f"{request.process} {request.method} {request.path}: {failure!r}")
            return
        idle.put_nowait(client)
        answer = json.loads(content)
        # The gateway answers 200 with `errors` for a part that failed, the coordinator with `indisponiveis`.
        if status >= 300 or "errors" in answer or "indisponiveis" in answer:
            self.failures.append(f"{request.process} {request.method} {request.path}: {status} {content[:300]!r}")
        elif request.writes:
            self.acknowledged.append(request.writes)

    async def run_while(self, work: Awaitable[Any], per_second: float, at_least: int = 0) -> None:
        """Sends `per_second` requests a second, each at its due time and not only when others are answered, until
        `work` is done and `at_least` requests are sent."""
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        due, under_way = loop.time(), set[asyncio.Task[None]]()
        while not task.done() or self.sent < at_least:
            under_way.add(asyncio.create_task(self._one(self._next())))
            self.sent += 1
            due += 1 / per_second
            await asyncio.sleep(max(0.0, due - loop.time()))
        await task
        await asyncio.gather(*under_way)
        for clients in self._clients.values():
            while not clients.empty():
                clients.get_nowait().close()


async def restart_under_traffic(
    offset: int, restart: Callable[[], Awaitable[Any]], per_second: float = 60, at_least: int = 0
) -> Traffic:
    """Restarts the system again and again under traffic until `at_least` requests are sent; returns their results."""
    traffic = Traffic(offset)

    async def restarts() -> None:
        await restart()
        while traffic.sent < at_least:
            await restart()

    await traffic.run_while(restarts(), per_second)
    return traffic
