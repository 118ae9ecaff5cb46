"""A gateway as it is deployed, over real sockets, with bad neighbours: one whose name is not found, or whose answers
are very large. Requests to the others are answered all the same."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psutil
import pytest

from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from deploy.topology import SERVICES, url_variable
from tests.deploy.processes import WAIT_SECONDS
from tests.faults.stage import until

NAME_SERVER = "127.0.0.153"
ROWS = [{"id": n, "nome_categoria": "x" * 500, "nome_pessoa": "Ana"} for n in range(1, 1001)]
PESSOA, CATEGORIA = "{ pessoa(id: 1) { nomePessoa } }", "{ categoria(id: 1) { nomeCategoria } }"


async def honest(request: bytes, writer: asyncio.StreamWriter, connection: str = "close") -> None:
    """Answers reads of pessoas and categorias. By default each read then needs a new connection."""
    body = orjson.dumps({"items": ROWS[:1] if b'"ids"' in request else ROWS, "has_next": False, "has_previous": False})
    head = f"HTTP/1.1 200 OK\r\nconnection: {connection}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


@asynccontextmanager
async def listening(
    serve: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]], address: str = HOST, port: int = 0
) -> AsyncGenerator[int]:
    """A neighbour that answers each request by `serve`."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client has closed it
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await serve(head + await reader.readexactly(int(length or 0)), writer)
        writer.close()

    async with await asyncio.start_server(connected, address, port) as server:
        yield server.sockets[0].getsockname()[1]


class Gateway:
    """The gateway's process, and a client for it."""

    def __init__(self, process: psutil.Popen, port: int, client: httpx2.AsyncClient) -> None:
        self.process, self._url, self._client = process, f"http://{HOST}:{port}", client

    async def is_ready(self) -> bool:
        try:
            return (await self._client.get(f"{self._url}/health/ready")).status_code == 200
        except httpx2.TransportError:
            return False

    def megabytes(self) -> int:
        return self.process.memory_info().rss // 1_000_000

    async def ask(self, query: str) -> tuple[Any, list[tuple[str, str]]]:
        """The data, and of each error its code and its service."""
        answer = (await self._client.post(f"{self._url}/graphql", json={"query": query})).json()
        failures = [error["extensions"] for error in answer.get("errors", ())]
        return answer["data"], [(one["code"], one["service"]) for one in failures]


@asynccontextmanager
async def gateway(urls: dict[str, str], *before: str, log: Path, **variables: str) -> AsyncGenerator[Gateway]:
    """A gateway that calls only these neighbours; `before` are words before its command."""
    port = free_ports()
    nobody = {url_variable(service.name): f"http://{HOST}:9" for service in SERVICES}
    given = {url_variable(name): url for name, url in urls.items()}
    with log.open("wb") as output:
        process = psutil.Popen(
            [*before, sys.executable, "-m", "chassis.serve", "gateway"],
            cwd=ROOT,
            env={**os.environ, **nobody, **given, **variables, "PORT": str(port)},
            stdout=output,
            stderr=output,
        )
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as client:
            running = Gateway(process, port, client)
            await until(running.is_ready, "the gateway is ready")
            yield running
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


class NameServer(asyncio.DatagramProtocol):
    """A name server that gives an address for every name, but does not answer for the names in `mute` (`*` means
    all)."""

    def __init__(self) -> None:
        self.address = HOST
        self.mute = {"pessoas"}
        self.ignored = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = data[12 : data.index(b"\0", 12) + 5]
        name = question[1 : 1 + question[0]].decode()
        if self.mute & {name, "*"}:
            self.ignored += 1
            return
        found = question[-3] == 1  # a query for the IPv4 address; there is no other
        head = data[:2] + bytes([0x81, 0x80, 0, 1, 0, found, 0, 0, 0, 0])
        record = bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, *map(int, self.address.split("."))])
        self._transport.sendto(head + question + record * found, addr)


def own_name_server(directory: Path) -> list[str]:
    """The words before a command that run it with our name server."""
    resolv = directory / "resolv.conf"
    resolv.write_text(f"nameserver {NAME_SERVER}\noptions timeout:2\n")
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(resolv)]


@pytest.fixture
def may_mount() -> None:
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("only root may give a process a name server of its own")


@pytest.fixture
async def name_server(may_mount: None) -> AsyncGenerator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, (NAME_SERVER, 53))
    yield server
    transport.close()


async def test_a_neighbour_whose_name_is_not_found_takes_no_other_down(name_server: NameServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with listening(honest) as port:
        urls = {name: f"http://{name}.test:{port}" for name in ("pessoas", "catalogo")}
        async with gateway(urls, *own_name_server(tmp_path), log=log) as asked:
            given_up = await asyncio.gather(*(asked.ask(f"{{ pessoa(id: {n}) {{ id }} }}") for n in range(1, 17)))
            assert {failures[0] for _, failures in given_up} == {("UNAVAILABLE", "pessoas")}
            assert name_server.ignored, "it was asked"
            for _ in range(16):
                data, failures = await asked.ask(CATEGORIA)
                assert (data["categoria"]["nomeCategoria"], failures) == ("x" * 500, []), (
                    "a name that is asked for late"
                )

            name_server.mute.add("*")
            for _ in range(16):
                await asyncio.sleep(0.1)
                assert (await asked.ask(CATEGORIA))[1] == [], "what was found last is used"

            async def answered() -> bool:
                return (await asked.ask(PESSOA))[1] == []

            name_server.mute.clear()
            await until(answered, "the probe finds the name, too")
    said = log.read_text()
    assert "never retrieved" not in said
    assert "Traceback" not in said


async def test_answers_that_are_huge_are_given_up_before_they_take_the_memory(tmp_path: Path) -> None:
    spaces = b" " * 18_000_000

    async def huge(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 19000000\r\n\r\n")
        writer.write(spaces)
        await gone.wait()  # the rest never comes

    gone = asyncio.Event()
    async with listening(huge) as hugely, listening(partial(honest, connection="keep-alive")) as port:
        urls = {"pessoas": f"http://{HOST}:{hugely}", "catalogo": f"http://{HOST}:{port}"}
        patience = {"NEIGHBOUR_TIMEOUT": "5", "OPERATION_TIMEOUT": "10", "RETRY_BUDGET": "0"}
        async with gateway(urls, log=tmp_path / "log", **patience) as asked:
            await asked.ask(CATEGORIA)  # opens a connection, which a busy machine may not do in time later
            before, most = asked.megabytes(), 0
            flood = [
                asyncio.create_task(asked.ask(f"{{ pessoas(first: {n}) {{ nodes {{ id }} }} }}")) for n in range(1, 25)
            ]
            while not all(one.done() for one in flood):
                data, failures = await asked.ask("{ categorias(first: 1000) { nodes { id } } }")
                assert (len(data["categorias"]["nodes"]), failures) == (1000, []), "the others have their part"
                most = max(most, asked.megabytes())
                await asyncio.sleep(0.05)
            after = asked.megabytes()
        gone.set()

    outcomes = {one.result()[1][0] for one in flood}
    assert outcomes == {("UNAVAILABLE", "pessoas"), ("TIMEOUT", "pessoas")}, "too much at a time; and never whole"
    assert most - before < 200, "of 432 that were sent"
    assert after - before < 100
