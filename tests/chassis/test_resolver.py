"""How host names are looked up: each in a thread of its own, one look-up of a name at a time, and without waiting once
an address is known."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from chassis.neighbours import resolver
from chassis.neighbours.default_transport import SILENT_SECONDS, DefaultTransport
from chassis.neighbours.resolver import ResolvedName, ResolvingLoop
from chassis.neighbours.transport import AnswerMemory, AnswerTimeout, ConnectFailed, OutgoingRequest
from deploy.postgres import Cluster
from tests.chassis.peers import until, with_more_addresses

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
KEPT = OK.replace(b"connection: close\r\n", b"")
MUTE = "mute.test"
MANY = 50
"""Of so many requests, each to either of two addresses, some go to each."""


class NameServer:
    """Takes the place of `socket.getaddrinfo`: answers with `addresses`, but for one name only after `heard` is set."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = Counter[str]()
        self.heard = threading.Event()

    def look_up(self, host: str, port: int, *_: int) -> list[resolver.Address]:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked[name] += 1
        if name == MUTE:
            self.heard.wait(60)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, int(port))) for one in self.addresses]

    def run(self, test: Callable[[], Awaitable[None]]) -> None:
        """`test` on a loop that looks names up here."""

        async def bounded() -> None:
            async with asyncio.timeout(60):
                await test()

        try:
            with asyncio.Runner(loop_factory=lambda: ResolvingLoop(self.look_up)) as runner:
                runner.run(bounded())
        finally:
            self.heard.set()


@asynccontextmanager
async def listening(address: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[int]:
    """A server that answers anything with a good answer and the end of the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(OK)
        writer.close()

    async with await asyncio.start_server(serve, address, port) as server:
        yield server.sockets[0].getsockname()[1]


async def ask(transport: DefaultTransport, seconds: float = 30) -> int:
    return (await transport.send(OutgoingRequest("GET", "/"), "", seconds=seconds, repeatable=True)).status


async def outcome(asking: Awaitable[int]) -> int | Exception:
    try:
        return await asking
    except Exception as failure:
        return failure


def transport_to(name: str, port: int) -> DefaultTransport:
    return DefaultTransport(f"http://{name}:{port}", AnswerMemory(10**6))


def test_a_name_that_is_not_answered_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.neighbours.default_transport.CONNECT_SECONDS", 5.0)
    names = NameServer("127.0.0.1")

    async def test() -> None:
        async with listening() as port:
            mute, good = transport_to(MUTE, port), transport_to("good.test", port)
            given_up = await asyncio.gather(*(ask(mute) for _ in range(16)), return_exceptions=True)
            assert {type(one) for one in given_up} == {ConnectFailed}
            assert [await ask(good) for _ in range(16)] == [200] * 16

    names.run(test)
    assert names.asked[MUTE] == 1, "though sixteen asked, and all gave up waiting"


def test_who_waits_for_the_same_look_up_gets_what_it_finds() -> None:
    names = NameServer("127.0.0.1")

    async def test() -> None:
        async with listening() as port:
            on = asyncio.get_running_loop()
            waiting = [asyncio.create_task(on.getaddrinfo(MUTE, port, type=socket.SOCK_STREAM)) for _ in range(3)]
            await until(lambda: names.asked[MUTE] == 1, "the look-up is under way")
            waiting.pop().cancel()
            names.heard.set()
            found = await asyncio.gather(*waiting)
            assert [one[0][4] for one in found] == [("127.0.0.1", port)] * 2

    names.run(test)
    assert names.asked[MUTE] == 1


def test_known_addresses_are_used_while_the_name_server_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resolver, "FRESH_SECONDS", 0.0)
    names = NameServer("127.0.0.1")

    async def test() -> None:
        async with listening() as port:
            on = transport_to("good.test", port)
            await ask(on)
            names.addresses.clear()
            asked = names.asked["good.test"]
            for n in range(3):
                while names.asked["good.test"] <= asked + n:  # it is looked up again, unless that is under way still
                    assert await ask(on) == 200

    with caplog.at_level(logging.INFO):
        names.run(test)
    assert [one.name for one in caplog.records if one.name == "resolver"] == ["resolver"], "one line for the outage"
    assert not any("never retrieved" in one.message for one in caplog.records)


def test_known_addresses_are_used_while_the_name_server_is_mute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "FRESH_SECONDS", 0.0)
    names = NameServer("127.0.0.1")
    names.heard.set()

    async def test() -> None:
        async with listening() as port:
            on = transport_to(MUTE, port)
            await ask(on)
            names.heard.clear()
            assert [await ask(on) for _ in range(8)] == [200] * 8

    names.run(test)
    assert names.asked[MUTE] == 2, "one look-up is under way, and nobody waits for it"


@with_more_addresses
def test_addresses_that_change_are_found() -> None:
    names = NameServer("127.0.0.2")

    async def test() -> None:
        async with listening("127.0.0.2") as port:
            on = transport_to("good.test", port)
            assert await ask(on) == 200
        async with listening("127.0.0.3", port):
            names.addresses[:] = ["127.0.0.3"]
            refused = 0
            while True:
                try:
                    assert await ask(on) == 200
                    break
                except ConnectFailed:
                    refused += 1
                    await asyncio.sleep(0.05)
            assert refused, "the old address was tried"

    names.run(test)


@with_more_addresses
@pytest.mark.parametrize("dead", ["refuses", "is mute"])
def test_the_next_address_is_tried_where_one_takes_no_connection_and_comes_first_then(
    dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "CONNECT_SECONDS", 4.0)
    names = NameServer("127.0.0.2", "127.0.0.1")

    async def test() -> None:
        async with listening() as port:
            if dead == "is mute":
                full = socket.socket()
                full.bind(("127.0.0.2", port))
                full.listen(0)
                filling = [socket.socket() for _ in range(4)]  # beyond its backlog the kernel drops what comes
                for one in filling:
                    one.setblocking(False)
                    one.connect_ex(("127.0.0.2", port))
            for _ in range(MANY):
                assert await ask(transport_to("good.test", port)) == 200
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo("good.test", port, type=socket.SOCK_STREAM)
            assert [one[4][0] for one in found] == ["127.0.0.1", "127.0.0.2"]

    names.run(test)


@with_more_addresses
def test_a_process_that_takes_connections_and_does_not_answer_costs_one_request_and_no_more() -> None:
    names = NameServer("127.0.0.2", "127.0.0.1")

    async def test() -> None:
        async with listening() as port:
            with socket.create_server(("127.0.0.2", port)):  # nobody accepts, as when the process is frozen
                on = transport_to("good.test", port)
                asking = [ask(on, 3 * SILENT_SECONDS) for _ in range(MANY)]
                failed = [one for one in [await one for one in map(outcome, asking)] if one != 200]
                assert [type(one) for one in failed] == [AnswerTimeout]

    names.run(test)


def test_idle_connections_to_a_process_that_does_not_answer_any_more_are_not_used_again() -> None:
    names, asked = NameServer("127.0.0.1"), list[int]()

    async def freezes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the first request of each connection, and no more."""
        connection = len(asked)
        asked.append(0)
        while await reader.read(65536):
            asked[connection] += 1
            if asked[connection] == 1:
                writer.write(KEPT)
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(freezes, "127.0.0.1", 0) as server:
            on = transport_to("good.test", server.sockets[0].getsockname()[1])
            assert await asyncio.gather(ask(on), ask(on)) == [200, 200]
            with pytest.raises(AnswerTimeout):
                await ask(on, 3 * SILENT_SECONDS)
            assert await ask(on) == 200
            await on.close()

    names.run(test)
    assert sorted(asked) == [1, 1, 2], "one more connection, and nothing on the other idle one"


@with_more_addresses
def test_a_process_that_freezes_gets_no_more_requests_than_one_while_others_answer() -> None:
    """Those that come before the first has timed out, too."""
    names, asked = NameServer("127.0.0.1", "127.0.0.2"), Counter[str]()
    frozen = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        while await reader.read(65536):
            asked[address] += 1
            if not (frozen.is_set() and address == "127.0.0.2"):
                await asyncio.sleep(0.01)
                writer.write(KEPT)
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as one:
            port = one.sockets[0].getsockname()[1]
            async with await asyncio.start_server(serve, "127.0.0.2", port):
                on = transport_to("good.test", port)
                await ask(on)
                await asyncio.gather(ask(on), ask(on))
                assert len(asked) == 2, "who finds one address busy connects to the other"
                frozen.set()
                asked.clear()
                asking: list[asyncio.Task[int]] = []
                for n in range(10):
                    asking.append(asyncio.create_task(ask(on)))
                    await until(lambda n=n: asked.total() > n, "the request has arrived")
                    await until(lambda n=n: sum(one.done() for one in asking) >= n, "all but one are answered")
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)
                await on.close()

    names.run(test)
    assert asked == {"127.0.0.1": 9, "127.0.0.2": 1}


@pytest.mark.parametrize(
    ("under_way", "seconds_ago", "order"),
    [
        ((1, 0, 0), 5, "3 2 4"),
        ((0, 1, 0), 5, "2 3 4"),
        ((9, 8, 0), 5, "4 3 2"),
        ((9, 8, 0), 0, "3 2 4"),
        ((9, 8, 1), 5, "3 2 4"),
    ],
    ids=["the first is used", "the second is used", "both may be frozen", "it failed just now", "it is being tried"],
)
def test_the_least_used_address_is_tried_first_and_last_one_that_failed(
    monkeypatch: pytest.MonkeyPatch, under_way: tuple[int, int, int], seconds_ago: int, order: str
) -> None:
    names = NameServer("127.0.0.2", "127.0.0.3", "127.0.0.4")
    load = {(f"127.0.0.{n}", 80): count for n, count in enumerate(under_way, 2)}

    async def test() -> None:
        name = ResolvedName(lambda: names.look_up("good.test", 80), resolver.resolving_loop(), "good.test")
        with monkeypatch.context() as earlier:
            failed_at = time.monotonic() - seconds_ago
            earlier.setattr(resolver.time, "monotonic", lambda: failed_at)
            name.avoid(("127.0.0.4", 80))
        found = await name.addresses(lambda address: load[address])
        assert [one[4][0][-1] for one in found] == order.split()

    names.run(test)


def test_of_addresses_that_failed_the_one_that_failed_longer_ago_is_tried_first() -> None:
    names = NameServer("127.0.0.2", "127.0.0.3", "127.0.0.4")

    async def test() -> None:
        loop = resolver.resolving_loop()
        for failed in ("127.0.0.4", "127.0.0.3", "127.0.0.2"):
            loop.judge("good.test", 80, (failed, 80), False)
        loop.judge("good.test", 80, ("127.0.0.4", 80), True)
        found = await loop.getaddrinfo("good.test", 80, type=socket.SOCK_STREAM)
        assert [one[4][0] for one in found] == ["127.0.0.4", "127.0.0.3", "127.0.0.2"]

    names.run(test)


def test_an_address_is_not_looked_up() -> None:
    names = NameServer()

    async def test() -> None:
        async with listening() as port:
            assert await ask(transport_to("127.0.0.1", port)) == 200
            assert await asyncio.get_running_loop().getaddrinfo("::1", port, type=socket.SOCK_STREAM)

    names.run(test)
    assert not names.asked


def test_every_client_of_a_process_finds_names_this_way(cluster: Cluster) -> None:
    """psycopg, httpx2 and the store's client each have their own way to connect."""
    names = NameServer("127.0.0.1")
    database: dict[str, Any] = {**conninfo_to_dict(cluster.url("postgres")), "host": "database.test"}

    async def test() -> None:
        async with await psycopg.AsyncConnection.connect(**database) as connection:
            await connection.execute("SELECT 1")
        async with listening() as port:
            async with httpx2.AsyncClient(trust_env=False) as client:
                assert (await client.get(f"http://keys.test:{port}/")).status_code == 200
            store: Any = Valkey(host="store.test", port=port)
            with pytest.raises(ValkeyError, match=r"HTTP/1\.1 200 OK"):  # the server that answers is not a store
                await store.ping()
            await store.aclose()

    names.run(test)
    assert names.asked.keys() == {"database.test", "keys.test", "store.test"}
