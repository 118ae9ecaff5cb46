"""A request hands its socket over to a WebSocket, which is bounded like every other connection."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from websockets.frames import Opcode

from chassis.observe.metrics import Requests
from chassis.process.long_connection import BEAT_SECONDS
from chassis.process.websocket import MAX_FRAMES_PER_SECOND, WebSocket, WebSocketResponse
from chassis.web.middleware import RequestMiddleware
from tests.chassis.peers import Peer, ServedApplication, serving, until
from tests.websocket import KEY, WebSocketPeer, frame

MAX_MESSAGE = 5000


class Echo(WebSocket):
    """Sends every message back."""

    def received(self, text: str) -> None:
        self.send(text.encode())


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await WebSocketResponse(Request(scope), Echo(MAX_MESSAGE), ["second", "first"])(scope, receive, send)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[ServedApplication]:
    middleware = RequestMiddleware(application, 10_000, 60, Requests([]), ["http://known.example"])
    async with serving(middleware, max_connections=20, max_body_bytes=10_000, max_arriving_bytes=12_000) as served:
        yield served


async def dial(served: ServedApplication, address: str = "127.0.0.1") -> WebSocketPeer:
    """A connection on which nothing was sent."""
    peer = await served.peer(address)
    return WebSocketPeer(peer.reader, peer.writer)


async def open_socket(served: ServedApplication, address: str = "127.0.0.1") -> WebSocketPeer:
    peer = await dial(served, address)
    status, _ = await peer.shake_hands()
    assert status == 101
    return peer


async def test_a_handshake_opens_a_socket_without_compression_and_with_a_subprotocol_that_we_speak(
    served: ServedApplication,
) -> None:
    peer = await dial(served)

    status, head = await peer.shake_hands(
        "/", "Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: first, other"
    )

    assert status == 101
    lines = head.lower().split("\r\n")
    assert "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in lines
    assert "sec-websocket-protocol: first" in lines
    assert not [line for line in lines if line.startswith(("sec-websocket-extensions", "transfer-", "content-"))]
    assert [line for line in lines if line.startswith("x-request-id")]


async def test_a_message_arrives_whole_whether_in_one_frame_or_in_many(served: ServedApplication) -> None:
    peer = await open_socket(served)

    peer.send(frame("olá "))
    assert (await peer.message()).decode() == "olá "
    peer.send(frame("um, ", fin=False), frame(b"", Opcode.PING), frame("dois", Opcode.CONT))

    assert (await peer.frame()).opcode is Opcode.PONG
    assert (await peer.message()).decode() == "um, dois"
    assert served.state.arriving_bytes == 0


@pytest.mark.parametrize(
    "headers",
    [
        ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
        ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8", KEY],
        ["Connection: close", "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY],
    ],
)
async def test_a_request_that_is_no_handshake_is_refused(served: ServedApplication, headers: list[str]) -> None:
    peer: Peer = await served.peer()

    peer.get("/", *headers)

    answer = await peer.answer()
    assert (answer.status, answer.headers["sec-websocket-version"]) == (400, "13")


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost", 101), ("http://known.example", 101), ("http://other.example", 403), ("null", 403)],
)
async def test_a_page_of_a_foreign_origin_opens_no_socket(served: ServedApplication, origin: str, status: int) -> None:
    peer = await dial(served)

    answered, _ = await peer.shake_hands("/", f"Origin: {origin}")

    assert answered == status


async def test_a_foreign_host_opens_no_socket(served: ServedApplication) -> None:
    peer = await dial(served)

    status, _ = await peer.shake_hands(host="evil.example")

    assert status == 421


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xc1\x80\0\0\0\0", 1002),  # compressed, although nothing was negotiated
        (b"\x81\x02ab", 1002),  # not masked
        (b"\x83\x80\0\0\0\0", 1002),  # an opcode that does not exist
        (b"\x89\xfe\0\x7e\0\0\0\0" + b"x" * 126, 1002),  # a ping may have 125 bytes
        (frame("x", Opcode.CONT), 1002),
        (frame("x", fin=False) + frame("x"), 1002),
        (frame(b"\xff"), 1007),
        (frame(b"x", Opcode.BINARY), 1003),
        (frame("x" * (MAX_MESSAGE + 1)), 1009),
        (b"\x81\xff" + (2**40).to_bytes(8), 1009),
        (frame("x" * 3000, fin=False) + frame("x" * 3000, Opcode.CONT), 1009),
    ],
    # Each frame has a mask at random, which may be no part of a test's name: all processes must know the same names.
    ids=[
        *("compressed", "not masked", "an unknown opcode", "a long ping", "continued from nothing"),
        *("a text begun in another", "no UTF-8", "binary", "too long", "far too long", "too long in parts"),
    ],
)
async def test_a_wrong_frame_closes_the_socket_with_its_code(served: ServedApplication, data: bytes, code: int) -> None:
    bad, good = await open_socket(served), await open_socket(served)

    bad.send(data)

    assert (await bad.closed())[0] == code
    good.send(frame("still here"))
    assert await good.message() == b"still here"
    assert served.state.arriving_bytes == 0


async def test_a_close_is_answered_and_ends_the_connection(served: ServedApplication) -> None:
    peer = await open_socket(served)

    peer.send(frame((1000).to_bytes(2) + b"bye", Opcode.CLOSE))

    assert await peer.closed() == (1000, "bye")
    assert await peer.reader.read() == b""
    await until(lambda: not served.connections, "the server forgets it")


async def test_a_message_that_does_not_end_is_given_up(served: ServedApplication) -> None:
    peer = await open_socket(served)

    peer.send(frame("x" * 100)[:50])
    await until(lambda: served.state.arriving_bytes == 50, "half of a frame has arrived")
    served.pass_time(9)
    assert len(served.connections) == 1
    served.pass_time(11)

    assert (await peer.closed())[0] == 1008
    served.pass_time(25)
    await until(lambda: not served.connections, "who does not answer our close is cut off")
    assert served.state.arriving_bytes == 0


async def test_a_peer_that_answers_no_ping_is_cut_off_and_one_that_answers_is_kept(served: ServedApplication) -> None:
    mute, alive = await open_socket(served), await open_socket(served)

    served.pass_time(BEAT_SECONDS + 1)
    assert (await mute.frame()).opcode is Opcode.PING
    assert (await alive.frame()).opcode is Opcode.PING
    alive.send(frame(b"", Opcode.PONG), frame("x"))
    assert await alive.message() == b"x"
    served.pass_time(2 * BEAT_SECONDS + 2)

    await until(lambda: len(served.connections) == 1, "one is cut off")
    assert (await alive.frame()).opcode is Opcode.PING


async def test_a_flood_of_frames_closes_the_socket(served: ServedApplication) -> None:
    peer = await open_socket(served)

    peer.send(frame(b"", Opcode.PING) * (MAX_FRAMES_PER_SECOND + 2000))

    assert (await peer.closed())[0] == 1008


async def test_messages_that_are_arriving_share_the_memory_for_bodies(served: ServedApplication) -> None:
    large = [await open_socket(served) for _ in range(3)]

    for peer in large:
        peer.send(frame("x" * MAX_MESSAGE)[:-1])

    await until(lambda: len(served.connections) == 2, "the third is one too many")
    assert served.state.arriving_bytes <= 12_000


async def test_a_peer_that_does_not_read_is_asked_for_no_more_and_is_cut_off(served: ServedApplication) -> None:
    peer = await open_socket(served)
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # a StreamReader reads by itself

    async def flood() -> None:
        while True:
            peer.send(frame("x" * MAX_MESSAGE) * 20)
            await peer.writer.drain()

    flooding = asyncio.create_task(flood())
    await until(lambda: any(one.unread_bytes for one in served.connections), "our answers wait")
    served.pass_time(11)
    await until(lambda: not served.connections, "it is cut off")
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)


async def test_a_drain_says_goodbye(served: ServedApplication) -> None:
    peer = await open_socket(served)

    served.server.should_exit = True

    code, _ = await peer.closed()
    assert code == 1001
    peer.send(frame(b"\x03\xe9", Opcode.CLOSE))
    assert await peer.reader.read() == b""


async def test_nothing_of_the_request_stays_in_memory(served: ServedApplication) -> None:
    peer = await dial(served)
    old = weakref.ref(served.connections[0])

    await peer.shake_hands()
    await until(lambda: old() is None, "the first connection's object is freed, without the garbage collector")

    assert len(served.connections) == 1
    assert next(iter(served.state.peers.values())).connections == 1
    assert served.state.active_requests == 0
