"""Attacks on the fair shares, with RATE_LIMIT and tokens: a caller who goes on after its share is used up, and ways to
be taken for another caller.

Each attack is many requests, and its verdict is made of all their answers; afterwards a caller at another address must
be served.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import count

from tests.attacks.attack import Attack, Target, graphql, http, post
from tests.attacks.identity import ALL
from tests.issuer import mint

SHARE = 100
SETTINGS = {"RATE_LIMIT": str(SHARE), "API_RATE_LIMIT": str(SHARE)}
CROWD = 3 * SHARE
ADDRESSES = (f"127.0.1.{n}" for n in count(1))
NUMBERS = count(1)
FULL, FULL_GATEWAY = "429 RATE_LIMITED", "429 RATE_LIMITED RATE_LIMIT"
CHEAP = "{ __typename }"


def token(subject: str) -> str:
    return "Authorization: Bearer " + mint(*ALL, sub=subject, exp=int(time.time()) + 600)


def crowd(name: str, each: Callable[[int], bytes], expected: str, process: str = "gateway") -> Attack:
    """`each` makes the request with the given number; all requests of an attack come from one address, which no other
    attack uses."""

    async def play(target: Target) -> str:
        address, found = next(ADDRESSES), set[str]()
        for start in range(0, CROWD, 10):
            asked = (target.ask(process, each(n), address) for n in range(start, start + 10))
            found |= set(await asyncio.gather(*asked))
        other = graphql("{ pessoa(id: 2) { id } }", token(f"somebody {next(NUMBERS)}"))
        return f"{', '.join(sorted(found))}; others {await target.ask('gateway', other, next(ADDRESSES))}"

    return Attack(name, f"{expected}; others 200", play, slow=True)


def as_one(subject: str) -> Iterator[str]:
    """Request heads of one subject, each with a new token."""
    while True:
        yield "Authorization: Bearer " + mint(*ALL, sub=subject, exp=int(time.time()) + 600 + next(NUMBERS))


GREEDY, MANY, READER = as_one("greedy"), as_one("many"), as_one("reader")

ATTACKS = [
    crowd("many small queries", lambda _: graphql(CHEAP, next(GREEDY)), f"200, {FULL_GATEWAY}"),
    crowd(
        "many documents that are refused",
        lambda n: graphql(f"{{ nada{n} }}", next(MANY)),
        f"400 BAD_USER_INPUT, {FULL_GATEWAY}",
    ),
    crowd(
        "many guessed tokens",
        lambda n: graphql(CHEAP, f"Authorization: Bearer guess-{n}"),
        f"401 UNAUTHENTICATED the token is not valid, {FULL_GATEWAY}",
    ),
    crowd("no token at all", lambda _: graphql(CHEAP), f"401 UNAUTHENTICATED, {FULL_GATEWAY}"),
    crowd(
        "each as if for somebody else",
        lambda n: graphql(CHEAP, f"X-Forwarded-For: 198.51.100.{n % 250}", f"Forwarded: for=198.51.100.{n % 250}"),
        f"401 UNAUTHENTICATED, {FULL_GATEWAY}",
    ),
    crowd(
        "bodies that are no JSON",
        lambda _: post("/graphql", b"{", "Accept: application/graphql-response+json"),
        f"401 UNAUTHENTICATED, {FULL_GATEWAY}",
    ),
    crowd("many reads of a service", lambda _: http("GET", "/api/pessoas/2/", next(READER)), f"200, {FULL}", "pessoas"),
    crowd(
        "many guessed tokens at a service",
        lambda n: http("GET", "/api/pessoas/2/", f"Authorization: Bearer guess-{n}"),
        f"401 UNAUTHENTICATED the token is not valid, {FULL}",
        "pessoas",
    ),
]
