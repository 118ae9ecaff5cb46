"""One set of loaders per request: the ids of one tick become one bulk read, and no id is read twice.

Two faces over the same reads. The reference executor asks for one id at a time and gets a future (`aiodataloader`); a
plan asks for a whole set at once (`Sets`). A loader answers in key order, `None` for what does not exist.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from aiodataloader import DataLoader

from chassis import identity
from chassis.errors import Unavailable
from chassis.pagination import MAX_IDS, MAX_PARENTS
from chassis.remote import Remote
from gateway.resources import AnyResource, Resource
from gateway.rows import Group, Groups, Ids, Items, Page

R = TypeVar("R")
Query = Mapping[str, Any]
Fetch = Callable[[list[int]], Awaitable[dict[int, Any]]]
"""Reads many keys at once; what has no answer is simply missing."""


class OneByOne(DataLoader[int, Any]):
    """The reference executor's face of a fetch."""

    def __init__(self, fetch: Fetch, most: int) -> None:
        super().__init__(max_batch_size=most)
        self._fetch = fetch

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        found = await self._fetch(keys)
        return [found.get(key) for key in keys]


class Sets:
    """A plan's face of a fetch: whole sets of keys, those of one tick read together, `most` at a time."""

    def __init__(self, fetch: Fetch, most: int) -> None:
        self._fetch, self._most = fetch, most
        self._batch_of: dict[int, asyncio.Future[dict[int, Any]]] = {}
        self._open: tuple[list[int], asyncio.Future[dict[int, Any]]] | None = None

    async def get(self, keys: Iterable[int]) -> tuple[dict[int, Any], dict[int, Exception]]:
        """What each key has, None without any; and for those that could not be read, why."""
        batches = {key: self._batch_of.get(key) or self._join(key) for key in keys}
        if unfinished := {batch for batch in batches.values() if not batch.done()}:
            await asyncio.wait(unfinished)
        found: dict[int, Any] = {}
        failed: dict[int, Exception] = {}
        for key, batch in batches.items():
            if failure := batch.exception():
                if not isinstance(failure, Exception):
                    raise failure
                failed[key] = failure
            else:
                found[key] = batch.result().get(key)
        return found, failed

    def _join(self, key: int) -> "asyncio.Future[dict[int, Any]]":
        if self._open is None or len(self._open[0]) >= self._most:
            loop = asyncio.get_running_loop()
            self._open = ([], loop.create_future())
            loop.call_soon(self._send, *self._open)
        keys, batch = self._open
        keys.append(key)
        self._batch_of[key] = batch
        return batch

    def _send(self, keys: list[int], batch: "asyncio.Future[dict[int, Any]]") -> None:
        if self._open and self._open[1] is batch:
            self._open = None
        sending = asyncio.ensure_future(self._fetch(keys))
        sending.add_done_callback(lambda sent: _settle(sent, batch))


def _settle(sent: "asyncio.Future[dict[int, Any]]", batch: "asyncio.Future[dict[int, Any]]") -> None:
    if batch.cancelled():
        return
    if sent.cancelled():
        batch.cancel()
    elif failure := sent.exception():
        batch.set_exception(failure)
    else:
        batch.set_result(sent.result())


class Loaders:
    """Everything one request reads, for the caller who is current then. `remotes` are the services by name."""

    def __init__(self, remotes: Mapping[str, Remote]) -> None:
        self._remotes = remotes
        self._caller = identity.current()
        self._known: dict[tuple[str, ...], Any] = {}

    def one(self, resource: Resource[R], id: int) -> "asyncio.Future[R | None]":
        """The row `id`, or None; a future, so that a plain resolver can return it."""
        make = lambda: OneByOne(self._by_id(resource), MAX_IDS)  # noqa: E731
        return self._once(("one", resource.path), make).load(id)

    def many(self, resource: AnyResource) -> Sets:
        """Rows by whole sets of ids."""
        return self._once(("many", resource.path), lambda: Sets(self._by_id(resource), MAX_IDS))

    def children(self, resource: Resource[R], field: str, parent: int, query: Query) -> "asyncio.Future[Page[R]]":
        """The page of rows whose `field` is `parent`."""
        key = ("children", resource.path, field, json.dumps(query, sort_keys=True))
        return self._once(key, lambda: OneByOne(self._per_parent(resource, field, query), MAX_PARENTS)).load(parent)

    def pages(self, resource: AnyResource, field: str, query: Query) -> Sets:
        """The pages of whole sets of parents."""
        key = ("pages", resource.path, field, json.dumps(query, sort_keys=True))
        return self._once(key, lambda: Sets(self._per_parent(resource, field, query), MAX_PARENTS))

    async def page(self, resource: Resource[R], query: Query) -> Page[R]:
        """One page of a collection."""
        decode = msgspec.json.Decoder(Page[resource.row]).decode
        page = await self.remote(resource).read("POST", resource.path + "query/", decode, query)
        return self._counted(resource, query, page)

    async def ids(self, resource: AnyResource, filter: Query) -> Ids:
        """The ids that match a filter, at most `MAX_IDS`; asked once, however many fields filter alike."""
        body = {"select": "ids", "filter": filter}
        decode = msgspec.json.Decoder(Ids).decode
        ask = lambda: asyncio.ensure_future(  # noqa: E731
            self.remote(resource).read("POST", resource.path + "query/", decode, body)
        )
        return await self._once(("ids", resource.path, json.dumps(filter, sort_keys=True)), ask)

    def remote(self, resource: AnyResource, right: Literal["read", "write"] = "read") -> Remote:
        """The owner of `resource`, through which every read and write of it passes. Raises Forbidden for a caller who
        may not: nothing is asked then."""
        self._caller.require(f"{resource.service}:{right}")
        return self._remotes[resource.service]

    def forget(self) -> None:
        """After a write: what was read before may no longer be true."""
        self._known.clear()

    def _once(self, key: tuple[str, ...], make: Callable[[], R]) -> R:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _by_id(self, resource: AnyResource) -> Fetch:
        decode = msgspec.json.Decoder(Items[resource.row]).decode

        async def fetch(keys: list[int]) -> dict[int, Any]:
            found = await self.remote(resource).read("POST", resource.path + "query/", decode, {"ids": keys})
            return {row.id: row for row in found.items}

        return fetch

    def _per_parent(self, resource: AnyResource, field: str, query: Query) -> Fetch:
        decode = msgspec.json.Decoder(Groups[resource.row]).decode

        async def fetch(keys: list[int]) -> dict[int, Any]:
            body = {**query, "per": {"field": field, "ids": keys}}
            found = await self.remote(resource).read("POST", resource.path + "query/", decode, body)
            groups: dict[int, Group[Any]] = {group.id: group for group in found.groups}
            return {key: self._counted(resource, query, groups.get(key)) for key in keys}

        return fetch

    def _counted(self, resource: AnyResource, query: Query, page: Page[R] | None) -> Page[R]:
        """The page, if it is one and has the count that was asked for."""
        if page is None or (query.get("count") and page.count is None):
            refusal = Unavailable(f"{resource.service} deu uma resposta inválida")
            refusal.service = resource.service
            raise refusal
        return page
