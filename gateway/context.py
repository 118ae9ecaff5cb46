"""The context of a request, for its resolvers: its loaders, and the idempotency keys of its writes."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import strawberry
from graphql import strip_ignored_characters
from msgspec import Struct

from chassis.errors import Conflict, Invalid, NotFound, PreconditionFailed, Refusal
from chassis.neighbours.follower import FeedPosition, Follower
from chassis.neighbours.read_after import add_position, position_of_write
from chassis.neighbours.remote import Remote
from chassis.neighbours.transport import Answer
from chassis.request import deadline
from chassis.request.caller import ANYBODY
from chassis.request.context import current
from gateway.loaders import Loaders
from gateway.positions import positions_text

T = TypeVar("T")
CORRECTABLE = (Invalid, NotFound, Conflict, PreconditionFailed)
"""Refusals of a write that the caller can correct. Such a write has changed nothing."""


class Claim:
    """Claims a client's `Idempotency-Key` for one operation, at one of the services, before its first write.

    If another operation comes with the same key, it is refused. The key alone decides which service is asked, so that
    both operations ask the same one, whatever they write to. If that service is unavailable, the operation writes
    without a claim, since a claim only tells a client of its own mistake.
    """

    def __init__(
        self, remotes: Mapping[str, Remote], key: str, text: str, name: str | None, variables: Mapping[str, Any] | None
    ) -> None:
        self._headers = {"Idempotency-Key": _derived_key(key, 0)}
        self._request = (text, name, variables)
        chosen = int(self._headers["Idempotency-Key"], 16) % len(remotes)
        self._service = remotes[sorted(remotes)[chosen]]
        self._path: str | None = None
        self._reused: Refusal | None = None

    async def make(self) -> None:
        """Claims the key at the first call. Raises Invalid if another operation has claimed it."""
        if self._path is None:
            self._path = f"/operations/{self._fingerprint()}/"
            try:
                await self._send("PUT", self._path)
            except Refusal as refusal:
                self._reused = refusal if refusal.code == "IDEMPOTENCY_KEY_REUSED" else None
        if self._reused:
            raise self._reused

    async def release(self) -> None:
        """Releases the key, if it was claimed, so that the client may use it again after a failure."""
        if self._path is not None and self._reused is None:
            try:
                await self._send("DELETE", self._path)
            except Refusal:  # the claim stays for a day, although its operation has changed nothing
                return

    async def _send(self, method: str, path: str) -> None:
        # The time of one attempt is enough for a retry too, and leaves time for the write itself.
        before = deadline.begin(min(deadline.remaining(), self._service.timeout))
        try:
            await self._service.write(method, path, bytes, None, self._headers)
        finally:
            deadline.end(before)

    def _fingerprint(self) -> str:
        """A hash of the operation: its text without white space and comments, its name, and its variables."""
        text, name, variables = self._request
        canonical = json.dumps([strip_ignored_characters(text), name, variables or {}], sort_keys=True)
        return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


class Context(Struct):
    """What the resolvers of one request share."""

    loaders: Loaders
    idempotency_key: str | None = None
    """The client's key. If there is none, we generate one, so that a write whose answer was lost can be sent again."""
    claim: Claim | None = None
    """The claim on the client's key; None without such a key."""
    writes: int = 0
    """The number of writes so far. Each has a key of its own, derived from `idempotency_key` and this number."""
    possibly_done: int = 0
    """How many of the writes were done or may have been done."""
    followers: Mapping[str, Follower] | None = None
    """Who follows the changes of each service."""
    position: str | Refusal = ""
    """How much of the changes was known before the operation read anything, if it asks for that; or why not."""
    positions: dict[str, FeedPosition] | None = None
    """For each service, how far its changes go with the writes that were done. None where there were none, or where no
    rows are kept."""

    def next_key(self) -> str:
        """The key for the next write of this operation. It is the same when the client retries the operation."""
        self.writes += 1
        self.idempotency_key = self.idempotency_key or secrets.token_hex(16)
        return _derived_key(self.idempotency_key, self.writes)

    async def read_position(self) -> None:
        """Reads the position in the feed of each service that the caller may read. A service that cannot be asked is
        left out, so that its trouble does not keep the rest from being read."""
        caller, followers = current().caller, self.followers or {}
        names = [name for name in followers if caller is ANYBODY or f"{name}:read" in caller.scopes]
        found = await asyncio.gather(*[followers[name].current() for name in names], return_exceptions=True)
        known, failed = dict[str, FeedPosition](), list[Refusal]()
        for name, one in zip(names, found, strict=True):
            if isinstance(one, FeedPosition):
                known[name] = one
            elif isinstance(one, Refusal):
                failed.append(one)
            else:
                raise one
        self.position = failed[0] if failed and not known else positions_text(known)

    async def write(
        self, remote: Remote, method: str, path: str, decode: Callable[[bytes], T], body: Any, headers: dict[str, str]
    ) -> T:
        """Claims the client's key, then writes. Raises like `Claim.make` and `Remote.write`."""
        if self.claim:
            await self.claim.make()
        self.possibly_done += 1
        if self.loaders.caches is not None:
            headers["Prefer"] += ", read-after"
        try:
            return await remote.write(method, path, decode, body, headers, self._add_position(remote.name))
        except CORRECTABLE as refusal:
            if refusal.code != "IN_PROGRESS":  # with this code, a duplicate of this request is doing the write now
                self.possibly_done -= 1
            raise

    def _add_position(self, service: str) -> Callable[[object, Answer], None]:
        def add(_value: object, answer: Answer) -> None:
            if position := position_of_write(answer):
                self.positions = self.positions or {}
                add_position(self.positions, service, position)

        return add

    async def release_unused_claim(self) -> None:
        """Releases the claim at the end of an operation all of whose writes were refused."""
        if self.claim and not self.possibly_done:
            await self.claim.release()


def _derived_key(key: str, number: int) -> str:
    return hashlib.blake2b(f"{key}#{number}".encode(), digest_size=16).hexdigest()


Info = strawberry.Info[Context, None]
