"""Unix sockets: a process listens at a path too, and a neighbour on the same machine calls it there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from chassis.errors import Unavailable
from chassis.neighbours.remote import Remote
from chassis.neighbours.spans import described
from chassis.process.server import Server, bind
from chassis.settings import NeighbourSettings, ServerSettings
from deploy.postgres import free_ports
from tests.chassis.peers import LoopbackServer, until


async def host(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the request's Host, as JSON."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    body = b'"%b"' % dict(scope["headers"])[b"host"]
    fields = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(listening: list[socket.socket], settings: ServerSettings) -> AsyncGenerator[Server]:
    server = LoopbackServer(lambda: host, settings)
    running = asyncio.create_task(server.serve(sockets=listening))
    await until(lambda: server.started or running.done(), "the server starts")
    try:
        yield server
    finally:
        server.should_exit = True
        await running


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(host="127.0.0.1", port=free_ports(), unix_socket=tmp_path / "socket")


async def test_a_process_answers_at_its_path_and_at_its_port(settings: ServerSettings) -> None:
    by_path, by_port = f"unix:{settings.unix_socket}", f"http://127.0.0.1:{settings.port}"
    async with (
        serving(bind(settings), settings),
        Remote("pessoas", by_path) as near,
        Remote("pessoas", by_port) as far,
    ):
        answers = [await near.read("/", bytes), await near.read("/", bytes), await far.read("/", bytes)]

    assert answers == [b'"127.0.0.1"', b'"127.0.0.1"', b'"127.0.0.1:%d"' % settings.port]


async def test_a_proxy_and_http_2_are_not_for_a_socket(settings: ServerSettings) -> None:
    asked = NeighbourSettings(neighbour_proxy="http://127.0.0.1:9", neighbour_http="2", auth_mode="off")
    async with (
        serving(bind(settings), settings),
        Remote("pessoas", f"unix:{settings.unix_socket}", asked) as near,
    ):
        assert await near.read("/", bytes) == b'"127.0.0.1"'


async def test_who_calls_by_the_socket_is_one_peer_with_half_of_the_connections(settings: ServerSettings) -> None:
    few = settings.model_copy(update={"max_connections": 2})
    async with serving(bind(few), few) as server:
        writers = [(await asyncio.open_unix_connection(str(few.unix_socket)))[1] for _ in range(2)]
        await until(lambda: len(server.server_state.connections) == 1, "the second connection is refused")
        for writer in writers:
            writer.transport.abort()


async def test_a_socket_that_nobody_serves_is_a_neighbour_that_is_away(tmp_path: Path) -> None:
    async with Remote("pessoas", f"unix:{tmp_path / 'nobody'}") as away:
        with pytest.raises(Unavailable):
            await away.read("/", bytes)


async def test_a_process_that_ends_leaves_the_path_to_the_next_one_on_the_same_socket(settings: ServerSettings) -> None:
    listening = bind(settings)
    kept = [one.dup() for one in listening]
    async with Remote("pessoas", f"unix:{settings.unix_socket}") as near, serving(kept, settings):
        async with serving(listening, settings):
            pass
        assert await near.read("/", bytes) == b'"127.0.0.1"'


def test_a_socket_that_a_killed_process_has_left_is_replaced(settings: ServerSettings) -> None:
    for one in bind(settings):
        one.close()
    assert settings.unix_socket
    assert settings.unix_socket.is_socket()

    for one in bind(settings):
        one.close()


def test_a_path_that_is_in_use_is_refused(settings: ServerSettings) -> None:
    assert settings.unix_socket
    in_use = bind(settings)
    other = settings.model_copy(update={"port": free_ports()})

    with pytest.raises(SystemExit, match=f"{settings.unix_socket} cannot be listened on: Address already in use"):
        bind(other)

    for one in in_use:
        one.close()
    settings.unix_socket.unlink()
    settings.unix_socket.write_text("a file")
    with pytest.raises(SystemExit, match="cannot be listened on: Address already in use"):
        bind(other)
    assert settings.unix_socket.read_text() == "a file"


def test_a_call_by_a_socket_is_described_by_its_path() -> None:
    assert described("pessoas", "unix:/run/pessoas")["server.address"] == "/run/pessoas"
