"""Rate limits: what one caller may ask for in a minute, counted in this process, or for all replicas in a Redis or
Valkey.

A caller is the subject of the token. Without a token it is the client's address; a whole IPv6 /64 counts as one
address, since it belongs to one customer. The window slides: what was charged in the previous window of a minute still
counts in part, and this part shrinks to nothing while the current window passes. Callers see their usage in the headers
of draft-ietf-httpapi-ratelimit-headers.

When the store does not answer in time, one request waits for it in vain. From then on each process counts for itself,
until a probe finds that the store works again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from math import ceil, floor
from typing import Any, NamedTuple, cast

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, SlidingWindowCounterSupport
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from valkey.asyncio import ConnectionPool
from valkey.exceptions import ValkeyError

from chassis.errors import RateLimited
from chassis.request import context, deadline
from chassis.request.addresses import network

log = logging.getLogger("rates")

WINDOW = 60
"""Seconds of a window."""
STORE_TIMEOUT = 0.05
"""The longest time, in seconds, that a request waits for the store."""
PROBE_INTERVAL, PROBE_TIMEOUT = 1.0, 1.0
SHARDS = 256
"""The library's in-memory storage looks through all of its keys at each charge; many small storages keep that cheap."""
KEYS_OF_A_SHARD = 128
"""A shard that has so many keys forgets all of them before the next charge. A caller has at most two keys. A client
with thousands of addresses can fill the shards, but gains nothing, since it could avoid the limit anyway."""
FAILURES = (ValkeyError, OSError, TimeoutError)


class Usage(NamedTuple):
    """What one caller was charged: in the `previous` window, which counts for `previous_expires` seconds more, and in
    the `current` one, which ends after `current_ends` seconds."""

    previous: int
    previous_expires: float
    current: int
    current_ends: float

    def remaining(self, limit: int) -> int:
        return max(0, limit - floor(self.previous * self.previous_expires / WINDOW) - self.current)

    def retry_after(self, limit: int, cost: int) -> int:
        """Seconds until there is room for `cost`, at least 1."""
        room = limit - cost
        if self.current <= room:  # only what was charged in the previous window is in the way
            seconds = self.previous_expires - WINDOW * (room - self.current) / max(1, self.previous)
        else:  # the current window must first become the previous one, and then count for less and less
            seconds = self.current_ends + WINDOW * (1 - room / self.current)
        return max(1, ceil(seconds))


class Counters:
    """Counts what callers are charged in one store."""

    def __init__(self, item: RateLimitItemPerMinute, storage: MemoryStorage | RedisStorage) -> None:
        self._item, self._storage = item, storage
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def charge(self, caller: str, cost: int) -> tuple[bool, Usage]:
        """Returns whether there was room for `cost`, and the caller's usage afterwards."""
        charged = await self._limiter.hit(self._item, caller, cost=cost)
        window = cast("SlidingWindowCounterSupport", self._storage)
        previous, previous_expires, current, ends = await window.get_sliding_window(self._item.key_for(caller), WINDOW)
        return charged, Usage(previous, previous_expires, current, max(0.0, ends - WINDOW))


class LocalCounters:
    """Counts what a bounded number of callers are charged, in this process only."""

    def __init__(self, item: RateLimitItemPerMinute) -> None:
        self._storages = [MemoryStorage() for _ in range(SHARDS)]
        self._counters = [Counters(item, storage) for storage in self._storages]

    def __len__(self) -> int:
        """How many counts are kept."""
        return sum(len(one.storage) for one in self._storages)

    async def charge(self, caller: str, cost: int) -> tuple[bool, Usage]:
        shard = hash(caller) % SHARDS
        if len(self._storages[shard].storage) >= KEYS_OF_A_SHARD:
            await self._storages[shard].reset()
        return await self._counters[shard].charge(caller, cost)


class RateLimit:
    """The limit of one application: `limit` units a minute for each caller."""

    def __init__(self, name: str, limit: int, url: str = "") -> None:
        self.limit = limit
        item = RateLimitItemPerMinute(limit, namespace=name)
        self._local = LocalCounters(item)
        self._pool: ConnectionPool | None = None
        self._shared: Counters | None = None
        self._probe: asyncio.Task[None] | None = None
        if url:
            store_url = url.replace("redis", "valkey", 1) if url.startswith("redis") else url
            untyped: Any = ConnectionPool
            self._pool = pool = untyped.from_url(store_url)
            self._shared = Counters(item, RedisStorage(f"async+{store_url}", connection_pool=pool))

    @property
    def counts_locally(self) -> bool:
        """Whether this process counts for itself now, since there is no store or it has failed."""
        return self._shared is None or self._probe is not None

    async def charge(self, scope: Scope, cost: int) -> dict[str, str]:
        """Charges the caller of this request. Returns the headers that show the caller's usage. Raises RateLimited, and
        then charges nothing."""
        charged, usage = await self._charge(_caller(scope), cost)
        if charged:
            return self._headers(usage, ceil(usage.current_ends))
        wait = usage.retry_after(self.limit, cost)
        detail = f"a cota é de {self.limit} por minuto; tente de novo em {wait} s"
        raise RateLimited(detail, retry_after=wait, headers=self._headers(usage, wait))

    async def _charge(self, caller: str, cost: int) -> tuple[bool, Usage]:
        if self._shared and not self.counts_locally:
            seconds = min(STORE_TIMEOUT, deadline.remaining())
            try:
                async with asyncio.timeout(seconds):
                    return await self._shared.charge(caller, cost)
            except FAILURES as failure:
                # a shorter time-out says nothing about the store
                if seconds == STORE_TIMEOUT or not isinstance(failure, TimeoutError):
                    self._store_failed(self._shared, failure)
        return await self._local.charge(caller, cost)

    def _headers(self, usage: Usage, seconds: int) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"default";q={self.limit};w={WINDOW}',
            "RateLimit": f'"default";r={usage.remaining(self.limit)};t={seconds}',
        }

    def _store_failed(self, shared: Counters, failure: Exception) -> None:
        if not self._probe:  # else another request has already noticed it
            log.warning("rate limit store lost: every process counts for itself", extra={"reason": repr(failure)})
            self._probe = asyncio.create_task(self._probe_store(shared), name="probe rate limit store")

    async def _probe_store(self, shared: Counters) -> None:
        while True:
            await asyncio.sleep(PROBE_INTERVAL)
            with contextlib.suppress(Exception):  # whatever went wrong, the store does not work
                async with asyncio.timeout(PROBE_TIMEOUT):
                    await shared.charge("probe", 1)  # a store that cannot write would still answer a ping
                    break
        log.info("rate limit store found again")
        self._probe = None

    async def close(self) -> None:
        """Ends the probe and the connections, at the end of the process."""
        if self._probe:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        if self._pool:
            await self._pool.aclose()


def _caller(scope: Scope) -> str:
    """The caller who is charged, as a key of bounded length."""
    subject = context.current().caller.subject
    address: str = (scope.get("client") or ("",))[0]
    who = f"address {network(address)}" if subject is None else f"subject {subject}"
    return hashlib.blake2b(who.encode(), digest_size=16).hexdigest()


class RateLimitMiddleware:
    """Charges each request to `/api` one unit, and adds the headers that show the caller's usage."""

    def __init__(self, app: ASGIApp, rates: RateLimit) -> None:
        self.app, self._rates = app, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api"):
            await self.app(scope, receive, send)
            return
        headers = await self._rates.charge(scope, 1)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)
