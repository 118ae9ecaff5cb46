"""Attacks on live queries: sockets that break the protocols, floods, foreign pages, and clients that want too much."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from websockets.frames import Opcode

from tests.attacks.attack import Attack, Target, graphql, http, request
from tests.websocket import WebSocketPeer, frame

SUBSCRIPTION = "subscription { pessoaMudou { cursor id } }"
OURS = "Sec-WebSocket-Protocol: graphql-transport-ws"
INIT = frame('{"type":"connection_init"}')
OPERATIONS = 1000


def subscribe(name: str = "1", **payload: Any) -> bytes:
    return frame(json.dumps({"id": name, "type": "subscribe", "payload": {"query": SUBSCRIPTION, **payload}}))


async def opened(target: Target, *headers: str, host: str = "localhost") -> tuple[int, WebSocketPeer]:
    peer = await target.peer()
    socket = WebSocketPeer(peer.reader, peer.writer)
    status, _ = await socket.shake_hands("/graphql", *headers, host=host)
    return status, socket


async def ending(socket: WebSocketPeer) -> str:
    """How the server ends the socket."""
    try:
        code, _ = await socket.closed()
    except (asyncio.IncompleteReadError, ConnectionError):
        return "cut off"
    finally:
        socket.writer.transport.abort()
    return f"closed {code}"


def sends(name: str, expected: str, *frames: bytes, slow: bool = False) -> Attack:
    """A socket on which these bytes are sent at once."""

    async def play(target: Target) -> str:
        _, socket = await opened(target, OURS)
        socket.send(*frames)
        return await ending(socket)

    return Attack(name, expected, play, slow)


def shakes(name: str, expected: str, *headers: str, host: str = "localhost") -> Attack:
    """A handshake with these headers."""

    async def play(target: Target) -> str:
        status, socket = await opened(target, *headers, host=host)
        socket.writer.transport.abort()
        return str(status)

    return Attack(name, expected, play)


async def many_operations(target: Target) -> str:
    """A thousand subscriptions on one socket."""
    _, socket = await opened(target, OURS)
    socket.send(INIT)
    await socket.json()
    found = Counter[str]()
    for begin in range(0, OPERATIONS, 50):  # more at once would meet the bound of requests at work
        socket.send(*(subscribe(str(begin + n)) for n in range(50)))
        await asyncio.sleep(0.3)
    try:
        async with asyncio.timeout(2):
            while True:
                message = await socket.json()
                found[message["payload"][0]["extensions"]["code"]] += 1
    except TimeoutError:
        pass
    socket.writer.transport.abort()
    return ", ".join(f"{count} {code}" for code, count in sorted(found.items()))


async def unread_pings(target: Target) -> str:
    """Sends pings as fast as it can, and reads nothing."""
    _, socket = await opened(target, OURS)
    try:
        async with asyncio.timeout(20):
            while True:
                socket.send(frame(b"x" * 125, Opcode.PING) * 100)
                await socket.writer.drain()
                await asyncio.sleep(0)
    except ConnectionError:
        return "cut off"
    except TimeoutError:
        return "still there"
    finally:
        socket.writer.transport.abort()


async def mute_socket(target: Target) -> str:
    """Opens a socket and says nothing: neither who it is, nor that it has heard the close."""
    _, socket = await opened(target, OURS)
    code, _ = await socket.closed()
    async with asyncio.timeout(30):
        await socket.reader.read()
    socket.writer.transport.abort()
    return f"closed {code}, then cut off"


ATTACKS: list[Attack] = [
    shakes("a page of another origin opens a socket", "403", OURS, "Origin: https://evil.example"),
    shakes("a page without an origin opens a socket", "403", OURS, "Origin: null"),
    shakes("a socket to another host name", "421", OURS, host="evil.example"),
    shakes("two hosts in a handshake", "400", OURS, "Host: evil.example"),
    request(
        "a handshake without a key",
        http("GET", "/graphql", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        "400 BAD_USER_INPUT",
    ),
    request(
        "a handshake by POST",
        http("POST", "/graphql", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", body=b"{}"),
        "400 BAD_USER_INPUT",
    ),
    sends("an operation before the first message", "closed 4401", subscribe()),
    sends("two first messages", "closed 4429", INIT, INIT),
    sends("an id twice", "closed 4409", INIT, subscribe(), subscribe()),
    sends("an id of 100,000 characters", "closed 4400", INIT, subscribe("x" * 100_000)),
    sends("a message of an unknown type", "closed 4400", INIT, frame('{"type":"__proto__"}')),
    sends("a message that is nested deep", "closed 4400", INIT, frame("[" * 100_000)),
    sends("a message that is no JSON", "closed 4400", frame("\x00")),
    sends("a message of two megabytes", "closed 1009", INIT, frame("x" * 2_000_000)),
    sends("a frame that says it has an exabyte", "closed 1009", b"\x81\xff" + (2**60).to_bytes(8)),
    sends("a compressed frame", "closed 1002", b"\xc1\x82\0\0\0\0\x03\x00"),
    sends("a frame without a mask", "closed 1002", b"\x81\x02{}"),
    sends("a frame of an opcode that does not exist", "closed 1002", b"\x8f\x80\0\0\0\0"),
    sends("a ping that is too long", "closed 1002", b"\x89\xfe\x01\x00\0\0\0\0" + bytes(256)),
    sends("a continuation of nothing", "closed 1002", frame("x", Opcode.CONT)),
    sends("binary data", "closed 1003", INIT, frame(b"{}", Opcode.BINARY)),
    sends("a text that is not UTF-8", "closed 1007", frame(b"\xff\xfe")),
    sends(
        "a message in 100,000 pieces",
        "closed 1008",
        frame("[", fin=False) + frame("[", Opcode.CONT, fin=False) * 100_000,
    ),
    sends("a flood of pings", "closed 1008", frame(b"", Opcode.PING) * 20_000),
    sends("a message that does not end", "closed 1008", frame("x" * 100)[:50], slow=True),
    sends("HTTP on a socket", "closed 1002", http("GET", "/graphql")),
    Attack("a flood of pings whose answers nobody reads", "cut off", unread_pings, slow=True),
    Attack("a socket that says nothing", "closed 4408, then cut off", mute_socket, slow=True),
    Attack(
        f"{OPERATIONS:,} subscriptions on one socket", f"{OPERATIONS - 100} LIMIT_EXCEEDED", many_operations, slow=True
    ),
    request(
        "a subscription to a client that takes no events",
        graphql(SUBSCRIPTION),
        "400 BAD_USER_INPUT",
    ),
    request(
        "two root fields in a subscription",
        graphql("subscription { a: pessoaMudou { id } b: servicoMudou { id } }"),
        "400 BAD_USER_INPUT",
    ),
    request(
        "a position that is none",
        graphql(
            'subscription { pessoaMudou(apos: "\' OR 1=1") { id } }',
            "Accept: application/graphql-response+json, text/event-stream",
        ),
        "400 BAD_USER_INPUT apos",
    ),
]
