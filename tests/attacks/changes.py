"""Attacks on the feed of changes: positions that are none, and followers that are many, that never leave or that do not
read."""

from __future__ import annotations

import asyncio
import re
import socket

from tests.attacks.attack import Attack, Target, http, request
from tests.chassis.peers import Peer

PATH = "/api/changes/"
STREAM = "Accept: text/event-stream"
BAD = "422 INVALID"
EPOCH = "7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11"
FOLLOWERS, ADDRESSES, ROOM = 3000, 8, 400
"""The followers that try, from how many addresses, and how many may wait (MAX_FOLLOWERS)."""
BURST = 50
READ, READ_SOLICITACAO = http("GET", "/api/pessoas/2/"), http("GET", "/api/solicitacoes/?page_size=1")
MUTE, MUTE_SECONDS = 200, 50
"""The streams that nobody reads: half of MAX_FOLLOWERS. All of them must have ended after so many seconds."""


def follow(name: str, parameters: str, expected: str, *headers: str) -> Attack:
    return request(name, http("GET", f"{PATH}?{parameters}", *headers), expected, "pessoas")


async def last(target: Target) -> int:
    peer = await target.peer("pessoas")
    peer.send(http("GET", PATH))
    body = (await peer.answer()).body
    peer.hang_up()
    return int(body.partition(b'"last":')[2].partition(b",")[0].rstrip(b"}"))


async def crowd(target: Target, *headers: str) -> str:
    """Thousands of followers from several addresses try to wait, and somebody else asks meanwhile. In the end all of
    them hang up, and somebody else may follow."""
    after = await last(target)
    asked = http("GET", f"{PATH}?after={after}&wait=30", *headers)
    peers = list[Peer]()
    try:
        for n in range(FOLLOWERS):
            peers.append(await target.peer("pessoas", f"127.0.3.{n * ADDRESSES // FOLLOWERS + 1}"))
            peers[-1].send(asked)
            if n % BURST == 0:  # more at once would meet the bound of requests at work, before they wait
                await asyncio.sleep(0.1)
        waiting = await followed(target, "pessoas", ROOM)
        begun = [asyncio.create_task(_begun(peer)) for peer in peers]
        done, unanswered = await asyncio.wait(begun, timeout=3)
        for one in unanswered:
            one.cancel()
        rest = sorted({one.result() for one in done} - {"wait"})
        others = await target.ask("pessoas", READ)
    finally:
        for peer in peers:
            peer.hang_up()
    await asyncio.sleep(0.5)
    later = await target.ask("pessoas", http("GET", f"{PATH}?after={after}&wait=0.1"))
    return f"{waiting} wait, the rest is {', '.join(rest)}; others {others}; later {later}"


async def _begun(peer: Peer) -> str:
    """Whether a stream has begun, which waits until it must make room for another address, or the peer is refused, and
    its connection perhaps closed."""
    try:
        head = await peer.reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return "refused"
    return {b"200": "wait", b"503": "refused"}.get(head[9:12], head[:100].decode(errors="replace"))


async def polls(target: Target) -> str:
    return await crowd(target)


async def streams(target: Target) -> str:
    return await crowd(target, STREAM)


async def mute(target: Target) -> str:
    """Reads nothing of many streams that begin with all changes. That is less than the operating system takes, so it
    does not wait in our process; it is the kernel that ends them."""
    asked, began = http("GET", f"{PATH}?after=0", STREAM), 0
    mutes = [socket.socket() for _ in range(MUTE)]
    loop = asyncio.get_running_loop()
    try:
        for n, one in enumerate(mutes):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.bind((target.address, 0))
            one.setblocking(False)
            await loop.sock_connect(one, ("127.0.0.1", target.port("solicitacoes")))
            await loop.sock_sendall(one, asked)
            if (n + 1) % BURST == 0:
                began = await followed(target, "solicitacoes", n + 1)
        others = await target.ask("solicitacoes", READ_SOLICITACAO, "127.0.3.1")
        left = await followed(target, "solicitacoes", 0)
    finally:
        for one in mutes:
            one.close()
    return f"{began} begin, {left} are left; others {others}"


async def followed(target: Target, service: str, expected: int) -> int:
    """How many follow the service, by its metrics: returns when as many do as expected, or when time is over. The
    gateway, which keeps rows, may be one more."""
    until = asyncio.get_running_loop().time() + MUTE_SECONDS
    while True:
        peer = await target.peer(service, "127.0.3.250")
        peer.send(http("GET", "/metrics"))
        body = (await peer.answer()).body.decode()
        peer.hang_up()
        [value] = re.findall(r"^feed_followers(?:\{.*\})? (\d+)", body, re.M)
        if expected <= int(value) <= expected + 1:
            return expected
        if asyncio.get_running_loop().time() > until:
            return int(value)
        await asyncio.sleep(0.2)


SERVED = f"{ROOM} wait, the rest is refused; others 200; later 200"

ATTACKS: list[Attack] = [
    follow("a wait without end", "after=0&wait=1e308", f"{BAD} wait:OUT_OF_RANGE"),
    follow("an infinite wait", "after=0&wait=Infinity", f"{BAD} wait:INVALID"),
    follow("a wait that is no number", "after=0&wait=NaN", f"{BAD} wait:INVALID"),
    follow("a wait into the past", "after=0&wait=-1", f"{BAD} wait:OUT_OF_RANGE"),
    follow("a wait of half a minute and a bit", "after=0&wait=30.000001", f"{BAD} wait:OUT_OF_RANGE"),
    follow("a wait of 4,000 digits", "after=0&wait=" + "9" * 4_000, f"{BAD} wait:OUT_OF_RANGE"),
    follow("two waits", "after=0&wait=1&wait=30", f"{BAD} wait:REPEATED_PARAMETER"),
    follow("a limit of a million", "after=0&limit=1000000", f"{BAD} limit:OUT_OF_RANGE"),
    follow("a limit of nothing", "after=0&limit=0", f"{BAD} limit:OUT_OF_RANGE"),
    follow("a position beyond int8", "after=9223372036854775808", f"{BAD} after:OUT_OF_RANGE"),
    follow("a position of 4,000 digits", "after=" + "9" * 4_000, f"{BAD} after:OUT_OF_RANGE"),
    follow("a position before the first", "after=-1", f"{BAD} after:OUT_OF_RANGE"),
    follow("SQL as a position", "after=1%20OR%201=1", f"{BAD} after:NOT_AN_INTEGER"),
    follow("a position that is yet to come", "after=9223372036854775807&wait=30", "410 GONE"),
    follow("two positions", "after=1&after=2", f"{BAD} after:REPEATED_PARAMETER"),
    follow("an epoch that is SQL", "after=0&epoch=%27%20OR%201=1", f"{BAD} epoch:INVALID"),
    follow("the epoch of somebody else", f"after=0&epoch={EPOCH}", "410 GONE"),
    follow("an unknown parameter of the changes", "after=0&kind=pessoa", f"{BAD} kind:UNKNOWN_PARAMETER"),
    follow("an id of an event that is none", "", f"{BAD} Last-Event-ID:INVALID", STREAM, "Last-Event-ID: 4711"),
    follow("the event of another epoch", "", "410 GONE", STREAM, f"Last-Event-ID: {EPOCH}:1"),
    follow(
        "an id of an event of 4,000 digits",
        "",
        f"{BAD} Last-Event-ID:INVALID",
        STREAM,
        f"Last-Event-ID: {EPOCH}:{'9' * 4_000}",
    ),
    request("a change of one's own", http("POST", PATH, body=b"{}"), "405 METHOD_NOT_ALLOWED", "pessoas"),
    Attack("3,000 followers who never leave, of 8 addresses", SERVED, polls, slow=True),
    Attack("3,000 streams of 8 addresses", SERVED, streams, slow=True),
    Attack("200 streams that nobody reads", f"{MUTE} begin, 0 are left; others 200", mute, slow=True),
]
