"""Attacks on the feed of changes: positions that are none, and followers that are many, that never leave or that do not
read."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

from tests.attacks.attack import Attack, Target, http, request
from tests.chassis.peers import Peer

PATH = "/api/changes/"
STREAM = "Accept: text/event-stream"
BAD = "422 INVALID"
EPOCH = "7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11"
CROWD, SHARE = 450, 200
"""The followers of one address that try, and those that may wait: half of MAX_FOLLOWERS."""
BURST = 20
READ = http("GET", "/api/pessoas/2/")
DEAF, DEAF_SECONDS = SHARE, 14


def follow(name: str, parameters: str, expected: str, *headers: str) -> Attack:
    return request(name, http("GET", f"{PATH}?{parameters}", *headers), expected, "pessoas")


async def last(target: Target) -> int:
    peer = await target.peer("pessoas")
    peer.send(http("GET", PATH))
    body = (await peer.answer()).body
    peer.hang_up()
    return int(body.partition(b'"last":')[2].partition(b",")[0].rstrip(b"}"))


async def crowd(target: Target, *headers: str) -> str:
    """Waits from two addresses with far more followers than may wait, and asks from another one meanwhile. In the end
    all of them hang up, and somebody else may follow."""
    after = await last(target)
    asked = http("GET", f"{PATH}?after={after}&wait=30", *headers)
    addresses = [f"127.0.3.{n}" for n in (1, 2) for _ in range(CROWD)]
    peers = [await target.peer("pessoas", address) for address in addresses]
    try:
        for n, peer in enumerate(peers):
            peer.send(asked)
            if n % BURST == 0:  # more at once would meet the bound of requests at work, before they wait
                await asyncio.sleep(0.2)
        begun = [asyncio.create_task(_begun(peer)) for peer in peers]
        done, waiting = await asyncio.wait(begun, timeout=3)
        found = Counter(one.result() for one in done)
        found["wait"] += len(waiting)
        for one in waiting:
            one.cancel()
        others = await target.ask("pessoas", READ)
    finally:
        for peer in peers:
            peer.hang_up()
    await asyncio.sleep(0.5)
    later = await target.ask("pessoas", http("GET", f"{PATH}?after={after}&wait=0.1"))
    seen = ", ".join(f"{count} {what}" for what, count in sorted(found.items()))
    return f"{seen}; others {others}; later {later}"


async def _begun(peer: Peer) -> str:
    """What the peer is told: the code of its refusal, or that a stream has begun, which waits."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    return "wait" if head.startswith(b"HTTP/1.1 200") else head[9:12].decode()


async def polls(target: Target) -> str:
    return await crowd(target)


async def streams(target: Target) -> str:
    return await crowd(target, STREAM)


async def deaf(target: Target) -> str:
    """Reads nothing of many streams that begin with all changes. The operating system holds 0.7 MB for each of them, so
    they stay open until they end by themselves; a stream that leaves more unread than that is cut off
    (tests/feed/test_stream.py)."""
    asked = http("GET", f"{PATH}?after=0", STREAM)
    mutes = [socket.socket() for _ in range(DEAF)]
    loop = asyncio.get_running_loop()
    try:
        for mute in mutes:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            mute.bind((target.address, 0))
            mute.setblocking(False)
            await loop.sock_connect(mute, ("127.0.0.1", target.port("solicitacoes")))
            await loop.sock_sendall(mute, asked)
        await asyncio.sleep(DEAF_SECONDS)
        others = await target.ask("solicitacoes", http("GET", f"{PATH}?after=0&limit=1"), "127.0.3.1")
    finally:
        for mute in mutes:
            mute.close()
    return f"others {others}"


SERVED = f"{2 * (CROWD - SHARE)} 503, {2 * SHARE} wait; others 200; later 200"

ATTACKS: list[Attack] = [
    follow("a wait without end", "after=0&wait=1e308", f"{BAD} wait:OUT_OF_RANGE"),
    follow("an infinite wait", "after=0&wait=Infinity", f"{BAD} wait:INVALID"),
    follow("a wait that is no number", "after=0&wait=NaN", f"{BAD} wait:INVALID"),
    follow("a wait into the past", "after=0&wait=-1", f"{BAD} wait:OUT_OF_RANGE"),
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
    Attack("900 followers who never leave, of two addresses", SERVED, polls, slow=True),
    Attack("900 streams of two addresses", SERVED, streams, slow=True),
    Attack("200 streams that nobody reads", "others 200", deaf, slow=True),
]
