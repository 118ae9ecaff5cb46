"""Attacks on the reads by id that the gateway joins: many callers ask at the same moment. Each must get the rows of its
own ids and no others, whoever else asks, hangs up, or has little time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.attacks.attack import Attack, Target, graphql, verdict
from tests.attacks.identity import ALL, READ
from tests.chassis.peers import Answer, Peer
from tests.issuer import mint

CALLERS, MANY_IDS = 120, 45
"""Together they ask for more ids than one bulk read may have, and are fewer than one address may have at work."""
NEW_IDS = count(10**9)
"""Ids that nobody has asked for, so that no process remembers that they have no row."""
LATE = {"504 TIMEOUT", "200 TIMEOUT"}
"""What some callers may be told where the machine is busy."""
OWN, OTHERS = "own rows", "other rows"
HURRIED = "X-Timeout-Ms: 1"

Headers = Callable[[int], list[str]]
"""The headers of the caller with this number."""


def nothing(_number: int) -> list[str]:
    return []


def bearer(*scopes: str, subject: str = "eve") -> str:
    return f"Authorization: Bearer {mint(*scopes, sub=subject)}"


def everyone_may(number: int) -> list[str]:
    """Each caller has a token of its own."""
    return [bearer(*ALL, subject=f"caller {number}")]


def every_second_may(number: int) -> list[str]:
    return [bearer(READ if number % 2 else "catalogo:read")]


def every_second_in_a_hurry(number: int) -> list[str]:
    return [] if number % 2 else [HURRIED]


async def answered(peer: Peer, sent: bytes) -> Answer:
    """The answer to `sent`, which is sent again while others of this address have all of its places at work."""
    while (answer := await peer.answer()).status == 503:
        await asyncio.sleep(0.05)
        peer.send(sent)
    return answer


async def rows(target: Target, headers: list[str]) -> list[dict[str, str]]:
    """Some rows that exist."""
    peer, sent = await target.peer(), graphql("{ pessoas(first: 100) { nodes { id nomePessoa } } }", *headers)
    peer.send(sent)
    answer: Any = json.loads((await answered(peer, sent)).body)
    peer.hang_up()
    return answer["data"]["pessoas"]["nodes"]


def asking(row: dict[str, str], ids: int, headers: list[str]) -> bytes:
    """A request for one row that exists and for `ids` that do not. All such requests have the same text."""
    variables = {"v0": row["id"], **{f"v{n}": str(next(NEW_IDS)) for n in range(1, ids + 1)}}
    fields = " ".join(f"a{n}: pessoa(id: $v{n}) {{ id nomePessoa }}" for n in range(ids + 1))
    declared = ", ".join(f"${name}: ID!" for name in variables)
    return graphql(f"query ({declared}) {{ {fields} }}", *headers, variables=variables)


def judged(answer: Answer, row: dict[str, str], sent: bytes) -> str:
    if answer.status == 200:
        body: Any = json.loads(answer.body)
        found = {name: value for name, value in body["data"].items() if value}
        if found and found != {"a0": row}:
            return OTHERS
        if found and "errors" not in body:
            return OWN
    return verdict(answer, sent)


def together(
    name: str, expected: str, headers: Headers = nothing, *, ids: int = 5, some_hang_up: bool = False
) -> Attack:
    """All callers ask at once. The verdict is made of the answers to those who wait for them and have time."""

    async def play(target: Target) -> str:
        known = await rows(target, headers(1))
        peers = [await target.peer() for _ in range(CALLERS)]

        async def ask(number: int, peer: Peer) -> str | None:
            row, sent = known[number % len(known)], headers(number)
            request = asking(row, ids, sent)
            peer.send(request)
            try:
                if some_hang_up and number % 2 == 0:
                    await asyncio.sleep(number / 1000)  # some hang up before the read is sent, some later
                    return None
                said = judged(await answered(peer, request), row, request)
            except (asyncio.IncompleteReadError, ConnectionError):
                said = "cut off"
            finally:
                peer.hang_up()
            return None if HURRIED in sent and said != OTHERS else said

        found = {said for said in await asyncio.gather(*map(ask, range(CALLERS), peers)) if said}
        return ", ".join(sorted(found - LATE or found))

    return Attack(name, expected, play)


ATTACKS = [
    together(f"{CALLERS} callers at once, with {CALLERS * MANY_IDS:,} ids", OWN, ids=MANY_IDS),
    together("many callers at once, and every second hangs up", OWN, some_hang_up=True),
    together("many callers at once, and every second has 1 ms", OWN, every_second_in_a_hurry),
]
WITH_TOKENS = [
    together("many callers at once, each with a token of its own", OWN, everyone_may),
    together("many callers at once, and every second may not read", f"200 FORBIDDEN, {OWN}", every_second_may),
]
