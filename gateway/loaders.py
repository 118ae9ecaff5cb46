"""One set of loaders per request: the ids of one tick become one bulk read, and no id is read twice.

Two faces over the same reads. The reference executor asks for one id at a time and gets a future (`aiodataloader`); a
plan asks for a whole set at once (`KeySetLoader`). A loader answers in key order, `None` for what does not exist.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from aiodataloader import DataLoader

from chassis.neighbours.remote import Remote
from chassis.neighbours.shared_read import PendingRead
from chassis.query.pagination import MAX_IDS, MAX_PARENTS
from chassis.request import context
from chassis.request.caller import ANYBODY
from gateway import metrics
from gateway.resources import AnyResource, Resource, ServiceQuery, matching_ids
from gateway.rows import Ids, Items, Page, Row

R = TypeVar("R", bound=Row)
T = TypeVar("T")
Fetch = Callable[[list[int]], Awaitable[Mapping[int, Any]]]
"""Reads many keys at once; what has no answer is simply missing."""


class KeyLoader(DataLoader[int, Any]):
    """The reference executor's face of a fetch."""

    def __init__(self, fetch: Fetch, most: int) -> None:
        super().__init__(max_batch_size=most)
        self._fetch = fetch

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        found = await self._fetch(keys)
        return [found.get(key) for key in keys]


@dataclass(slots=True)
class FoundRows:
    """What a set of keys has: rows by key, absent where there is none; and why some keys could not be read."""

    rows: Mapping[int, Any]
    failed: Mapping[int, Exception]


@dataclass(slots=True)
class Rows:
    """The rows that there are of those asked for; and why some could not be read."""

    items: Sequence[Any]
    failed: Mapping[int, Exception]


@dataclass(slots=True)
class Batch:
    """One read, from its first key to its end."""

    keys: set[int]
    done: "asyncio.Future[Mapping[int, Any]]"


class KeySetLoader:
    """A plan's face of a fetch: whole sets of keys, those of one tick read together, `most` at a time."""

    def __init__(self, fetch: Fetch, most: int) -> None:
        self._fetch, self._most = fetch, most
        self._batches: list[Batch] = []
        self._open: Batch | None = None

    async def get(self, keys: Iterable[int]) -> FoundRows:
        """What just these keys have. Keys that were read before, or are being read, are not read again."""
        asked = set(keys)
        wanted, batches = asked, list[Batch]()
        for batch in self._batches:
            if not wanted.isdisjoint(batch.keys):
                batches.append(batch)
                wanted = wanted - batch.keys
        mine: list[Batch] = []
        while wanted:
            batch = self._open
            if batch is None or len(batch.keys) >= self._most:
                batch = self._open = Batch(set(), asyncio.get_running_loop().create_future())
                self._batches.append(batch)
                mine.append(batch)
            if batch not in batches:
                batches.append(batch)
            room = self._most - len(batch.keys)
            now = wanted if len(wanted) <= room else set(list(wanted)[:room])
            batch.keys |= now
            wanted = wanted - now
        if mine:
            await asyncio.sleep(0)  # whoever is ready in this tick may still add keys
            self._open = None
            await (self._read(mine[0]) if len(mine) == 1 else asyncio.gather(*map(self._read, mine)))
        return await _found(asked, batches)

    async def _read(self, batch: Batch) -> None:
        """Whoever began a batch reads it, for all."""
        try:
            batch.done.set_result(await self._fetch(sorted(batch.keys)))
        except Exception as failure:
            batch.done.set_exception(failure)
        except BaseException:
            batch.done.cancel()
            raise


class RefusedRead:
    """What cannot be asked for: awaited, it raises why."""

    def __init__(self, why: Exception) -> None:
        self._why = why

    def __await__(self) -> Generator[Any, None, Rows]:
        raise self._why
        yield


async def _found(asked: set[int], batches: list[Batch]) -> FoundRows:
    """What the batches have of what was asked."""
    if len(batches) > 1:
        await asyncio.wait([batch.done for batch in batches])
    rows: dict[int, Any] = {}
    failed: dict[int, Exception] = {}
    for batch in batches:
        try:
            found = await batch.done
        except Exception as failure:
            failed |= dict.fromkeys(asked & batch.keys, failure)
            continue
        if asked == batch.keys:  # nobody else added any: the common case
            return FoundRows(found, failed)
        rows |= {key: row for key, row in found.items() if key in asked}
    return FoundRows(rows, failed)


class Loaders:
    """Everything one request reads, for the caller who is current then. `remotes` are the services by name; a filter
    on what another service owns may match `filter_max_ids` there."""

    def __init__(self, remotes: Mapping[str, Remote], filter_max_ids: int = MAX_IDS) -> None:
        self._remotes = remotes
        self._caller = context.current().caller
        self.filter_max_ids = filter_max_ids
        self._known: dict[tuple[str, ...], Any] = {}
        self._reading: set[asyncio.Future[Any] | PendingRead[Any]] = set()
        self._over = False

    def one(self, resource: Resource[R], id: int) -> "asyncio.Future[R | None]":
        """The row `id`, or None; a future, so that a plain resolver can return it."""
        make = lambda: KeyLoader(self._kept(self._by_id(resource)), MAX_IDS)  # noqa: E731
        return self._once(("one", resource.path), make).load(id)

    def rows(self, resource: AnyResource, keys: set[int], *, batched: bool) -> "Awaitable[Rows | Items[Any]]":
        """Begins to read these rows; awaited, it raises what none of them could be read for. Who asks `alone` for rows
        of this resource need not wait for others that may want some too: the request is on its way on return."""
        if batched or len(keys) > MAX_IDS:
            reading = asyncio.ensure_future(self._put_together(resource, keys))
        else:
            try:
                reading = self._begin(resource, keys)
            except Exception as failure:  # a caller who may not; a key that no request can carry
                return RefusedRead(failure)
        self._reading.add(reading)
        return reading

    async def _put_together(self, resource: AnyResource, keys: set[int]) -> Rows:
        found = await self._once(("many", resource.path), lambda: KeySetLoader(self._by_id(resource), MAX_IDS)).get(
            keys
        )
        return Rows(list(found.rows.values()), found.failed)

    def children(
        self, resource: Resource[R], field: str, parent: int, query: ServiceQuery
    ) -> "asyncio.Future[Page[R]]":
        """The page of rows whose `field` is `parent`."""
        key = ("children", resource.path, field, json.dumps(query, sort_keys=True))
        return self._once(
            key, lambda: KeyLoader(self._kept(self._per_parent(resource, field, query)), MAX_PARENTS)
        ).load(parent)

    def pages(self, resource: AnyResource, field: str, query: ServiceQuery) -> KeySetLoader:
        """The pages of whole sets of parents."""
        key = ("pages", resource.path, field, json.dumps(query, sort_keys=True))
        return self._once(key, lambda: KeySetLoader(self._per_parent(resource, field, query), MAX_PARENTS))

    async def page(self, resource: Resource[R], query: ServiceQuery) -> Page[R]:
        """One page of a collection."""
        search = "filter" in query or bool(query.get("count"))
        return await self.remote(resource).read(resource.query_path, resource.page(query), query, search=search)

    async def ids(self, resource: AnyResource, filter: ServiceQuery) -> Ids:
        """The ids that match a filter, at most `MAX_IDS`; asked once, however many fields filter alike."""
        body = {"select": "ids", "filter": filter}
        ask = lambda: asyncio.ensure_future(  # noqa: E731
            self.remote(resource).read(resource.query_path, matching_ids, body, search=True)
        )
        asked = self._once(("ids", resource.path, json.dumps(filter, sort_keys=True)), ask)
        self._reading.add(asked)
        return await asked

    def remote(self, resource: AnyResource, right: Literal["read", "write"] = "read") -> Remote:
        """The owner of `resource`, through which every read and write of it passes. Raises Forbidden for a caller who
        may not: nothing is asked then."""
        if self._caller is not ANYBODY:
            self._caller.require(f"{resource.service}:{right}")
        return self._remotes[resource.service]

    def forget(self) -> None:
        """Before a write and after it, however it ends: what was read before may no longer be true."""
        self._known.clear()

    def give_up(self) -> None:
        """The request has ended: nobody waits for its reads any more. They have tasks of their own, which its end
        leaves be; and they refer to these loaders, a circle that would keep all rows until the garbage collector comes.
        """
        self._over = True
        for task in self._reading:
            task.cancel()
        self._reading.clear()
        self._known.clear()

    def _kept(self, fetch: Fetch) -> Fetch:
        """`fetch`, in a task that `give_up` finds."""

        async def kept(keys: list[int]) -> Mapping[int, Any]:
            task = asyncio.current_task()
            if task is None or self._over:
                raise asyncio.CancelledError
            self._reading.add(task)
            try:
                return await fetch(keys)
            finally:
                self._reading.discard(task)

        return kept

    def _once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _by_id(self, resource: AnyResource) -> Fetch:
        async def fetch(keys: list[int]) -> Mapping[int, Any]:
            reading = self._begin(resource, keys)
            try:
                return {row.id: row for row in (await reading).items}
            except asyncio.CancelledError:
                reading.cancel()
                raise

        return fetch

    def _begin(self, resource: Resource[R], keys: Iterable[int]) -> PendingRead[Items[R]]:
        """Begins to read these rows. Raises Forbidden."""
        ids = sorted(keys)
        remote = self.remote(resource)
        metrics.BATCH_KEYS.labels(resource.service).observe(len(ids))
        return remote.begin(resource.query_path, resource.bulk(ids), {"ids": ids})

    def _per_parent(self, resource: AnyResource, field: str, query: ServiceQuery) -> Fetch:
        async def fetch(keys: list[int]) -> Mapping[int, Any]:
            metrics.BATCH_KEYS.labels(resource.service).observe(len(keys))
            body = {**query, "per": {"field": field, "ids": keys}}
            decode, search = resource.groups(field, keys, query), "filter" in query
            return await self.remote(resource).read(resource.query_path, decode, body, search=search)

        return fetch
