"""What a resolver can reach: the loaders of its request, and the key under which each of its writes may be retried."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import strawberry
from graphql import strip_ignored_characters

from chassis.errors import Conflict, Invalid, NotFound, PreconditionFailed, Refusal
from chassis.neighbours.remote import Remote
from chassis.request import deadline
from gateway.loaders import Loaders

T = TypeVar("T")
MENDABLE = (Invalid, NotFound, Conflict, PreconditionFailed)
"""What the caller can mend of a write that was refused: nothing was done."""
PATIENCE = 0.6
"""How much of a neighbour's time a claim may take: long enough to count for its breaker, and time is left to write."""


class Claim:
    """That a client's `Idempotency-Key` is one operation's: claimed at one of the services before the first write.

    Which one depends on the key alone, so that two operations meet there whatever they write to. While that service is
    away the writes go on without it: what it is there for is that a client hears of its own mistake.
    """

    def __init__(
        self, remotes: Mapping[str, Remote], key: str, text: str, name: str | None, variables: Mapping[str, Any] | None
    ) -> None:
        self._headers = {"Idempotency-Key": _derived(key, 0)}
        self._asked = (text, name, variables)
        chosen = int(self._headers["Idempotency-Key"], 16) % len(remotes)
        self._keeper = remotes[sorted(remotes)[chosen]]
        self._path: str | None = None
        self._reused: Refusal | None = None

    async def make(self) -> None:
        """Claims the key, at the first time. Raises Invalid when it is another operation's."""
        if self._path is None:
            self._path = f"/operations/{self._operation()}/"
            try:
                await self._send("PUT", self._path)
            except Refusal as refusal:
                self._reused = refusal if refusal.code == "IDEMPOTENCY_KEY_REUSED" else None
        if self._reused:
            raise self._reused

    async def release(self) -> None:
        """Gives the key back, if it was claimed: failures are not remembered."""
        if self._path is not None and self._reused is None:
            try:
                await self._send("DELETE", self._path)
            except Refusal:  # it stays claimed for a day, by an operation of which nothing was done
                return

    async def _send(self, method: str, path: str) -> None:
        until = deadline.begin(min(deadline.left(), PATIENCE * self._keeper.timeout))
        try:
            await self._keeper.write(method, path, bytes, None, self._headers)
        finally:
            deadline.end(until)

    def _operation(self) -> str:
        """What makes an operation another one: its text but for white space and comments, its name, its variables."""
        text, name, variables = self._asked
        asks = json.dumps([strip_ignored_characters(text), name, variables or {}], sort_keys=True)
        return hashlib.blake2b(asks.encode(), digest_size=16).hexdigest()


@dataclass
class Context:
    loaders: Loaders
    idempotency_key: str | None = None
    """The client's. Without one we make our own, so that a write whose answer was lost can be sent again by us."""
    claim: Claim | None = None
    """On the client's key."""
    writes: int = 0
    """How many writes this operation has come to: each has a key of its own, derived from the request's."""
    unrefused: int = 0
    """How many of them were done, or may have been."""

    def next_key(self) -> str:
        """The key for the next write of this operation, the same when the operation is retried."""
        self.writes += 1
        self.idempotency_key = self.idempotency_key or secrets.token_hex(16)
        return _derived(self.idempotency_key, self.writes)

    async def write(
        self, remote: Remote, method: str, path: str, decode: Callable[[bytes], T], body: Any, headers: dict[str, str]
    ) -> T:
        """One write, once the client's key is known to be this operation's. Raises like `Remote.write`."""
        if self.claim:
            await self.claim.make()
        self.unrefused += 1
        try:
            return await remote.write(method, path, decode, body, headers)
        except MENDABLE as refusal:
            if refusal.code != "IN_PROGRESS":  # a twin of this operation may be doing it
                self.unrefused -= 1
            raise

    async def settle(self) -> None:
        """The operation has ended: what was refused whole leaves no claim."""
        if self.claim and not self.unrefused:
            await self.claim.release()


def _derived(key: str, number: int) -> str:
    return hashlib.blake2b(f"{key}#{number}".encode(), digest_size=16).hexdigest()


Info = strawberry.Info[Context, None]
