"""The loaders of one request. They collect the ids of one event-loop tick into one bulk read, and read no id twice.

There are two interfaces to the same reads. A resolver asks for one id at a time and gets a future (`KeyLoader`, with
aiodataloader). A plan asks for a whole set of ids at once (`KeySetLoader`). The first asks the second, so that what one
of them has read is not read again by the other.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from aiodataloader import DataLoader

from chassis.errors import over_limit
from chassis.neighbours.dialect import OnValue
from chassis.neighbours.follower import FeedPosition
from chassis.neighbours.joint_read import JointRows
from chassis.neighbours.remote import Remote
from chassis.neighbours.row_cache import Caches, RowCache
from chassis.neighbours.shared_read import PendingRead
from chassis.neighbours.transport import Answer
from chassis.query.pagination import MAX_IDS, MAX_PARENTS
from chassis.request import context
from chassis.request.caller import ANYBODY
from gateway import metrics
from gateway.resources import AnyResource, Resource, ServiceQuery, matching_ids
from gateway.rows import BulkAnswer, Ids, Page, Row, int_id
from gateway.settings import LARGEST_COUNT

R = TypeVar("R", bound=Row)
T = TypeVar("T")
Fetch = Callable[[list[int]], Awaitable[Mapping[int, Any]]]
"""Reads many keys at once. A key without a row is missing in the result."""


NO_POSITIONS: Mapping[str, FeedPosition] = {}


class KeyLoader(DataLoader[int, Any]):
    """Loads one key at a time, for resolvers. The result is None for a key without a row."""

    def __init__(self, get: Callable[[list[int]], Awaitable["RowsByKey"]]) -> None:
        super().__init__()
        self._get = get

    def load(self, key: int) -> "asyncio.Future[Any]":
        """A future of its own for each caller: who cancels one of them does not cancel the read of the others."""
        return asyncio.shield(super().load(key))

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        found = await self._get(keys)
        return [found.failed[key] if key in found.failed else found.rows.get(key) for key in keys]


@dataclass(slots=True)
class RowsByKey:
    """The rows by key, without the keys that have no row; and for each key that could not be read, the reason."""

    rows: Mapping[int, Any]
    failed: Mapping[int, Exception]


@dataclass(slots=True)
class RowList:
    """The rows that exist among those asked for; and for each key that could not be read, the reason."""

    items: Sequence[Any]
    failed: Mapping[int, Exception]


@dataclass(slots=True)
class Batch:
    """One bulk read: the keys collected for it, and its result."""

    keys: set[int]
    done: "asyncio.Future[Mapping[int, Any]]"


class PartlyFailed(Exception):
    """Some rows of a bulk read were found, and some could not be read."""

    def __init__(self, found: RowList) -> None:
        super().__init__()
        self.found = found


class KeySetLoader:
    """Loads whole sets of keys for a plan. The keys of one tick are read together, at most `batch_size` at a time."""

    def __init__(self, fetch: Fetch, batch_size: int) -> None:
        self._fetch, self._batch_size = fetch, batch_size
        self._batches: list[Batch] = []
        self._open: Batch | None = None

    async def get(self, keys: Iterable[int]) -> RowsByKey:
        """The rows of these keys. Keys that have been read or are being read are not read again."""
        asked = set(keys)
        wanted, batches = asked, list[Batch]()
        for batch in self._batches:
            if not wanted.isdisjoint(batch.keys):
                batches.append(batch)
                wanted = wanted - batch.keys
        started: list[Batch] = []
        while wanted:  # adds the other keys to the open batch, and opens another one whenever that is full
            batch = self._open
            if batch is None or len(batch.keys) >= self._batch_size:
                batch = self._open = Batch(set(), asyncio.get_running_loop().create_future())
                self._batches.append(batch)
                started.append(batch)
            if batch not in batches:
                batches.append(batch)
            room = self._batch_size - len(batch.keys)
            added = wanted if len(wanted) <= room else set(list(wanted)[:room])
            batch.keys |= added
            wanted = wanted - added
        if started:
            await asyncio.sleep(0)  # other tasks that are ready in this tick may add keys to the open batch
            self._open = None
            await (self._read(started[0]) if len(started) == 1 else asyncio.gather(*map(self._read, started)))
        return await _collected(asked, batches)

    async def _read(self, batch: Batch) -> None:
        """Reads a batch. The call of `get` that started the batch does this, for all that added keys."""
        try:
            batch.done.set_result(await self._fetch(sorted(batch.keys)))
        except Exception as failure:
            batch.done.set_exception(failure)
        except BaseException:
            batch.done.cancel()
            raise


class KeptRows:
    """Rows that were in memory."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def __await__(self) -> Generator[Any, None, RowList]:
        return RowList(self._rows, {})
        yield  # makes this a generator, which `__await__` must be

    def cancel(self) -> None:
        """There is nothing to cancel."""


class PartlyKeptRows:
    """Rows that were in memory, and a read of the others."""

    def __init__(
        self, rows: Sequence[Any], missing: Iterable[int], reading: PendingRead[BulkAnswer[Any]] | JointRows
    ) -> None:
        self._rows, self._missing, self._reading = rows, missing, reading

    def __await__(self) -> Generator[Any, None, RowList]:
        try:
            found = yield from self._reading.__await__()
        except Exception as failure:
            return RowList(self._rows, dict.fromkeys(self._missing, failure))
        return RowList([*self._rows, *found.items], {})

    def cancel(self) -> None:
        self._reading.cancel()


BulkRead = PendingRead[BulkAnswer[R]] | JointRows | KeptRows | PartlyKeptRows


class RefusedRead:
    """A read that cannot be sent. Awaiting it raises the reason."""

    def __init__(self, reason: Exception) -> None:
        self._reason = reason

    def __await__(self) -> Generator[Any, None, RowList]:
        raise self._reason
        yield  # makes this a generator, which `__await__` must be


async def _collected(asked: set[int], batches: list[Batch]) -> RowsByKey:
    """The rows of the keys `asked`, from the batches that contain them."""
    if len(batches) > 1:
        await asyncio.wait([batch.done for batch in batches])
    rows: dict[int, Any] = {}
    failed: dict[int, Exception] = {}
    for batch in batches:
        try:
            found = await batch.done
        except PartlyFailed as partly:
            rows |= {row.id: row for row in partly.found.items if row.id in asked}
            failed |= {key: failure for key, failure in partly.found.failed.items() if key in asked}
            continue
        except Exception as failure:
            failed |= dict.fromkeys(asked & batch.keys, failure)
            continue
        if asked == batch.keys:  # the common case: nobody else added keys
            return RowsByKey(found, failed)
        rows |= {key: row for key, row in found.items() if key in asked}
    return RowsByKey(rows, failed)


class Loaders:
    """All reads of one request, on behalf of its caller, who is taken from the current request's context.

    `remotes` are the services by name. A nested filter may match at most `filter_max_ids` rows in the other service.
    `caches` are the rows that this process keeps in memory. A service in `read_after` is read as it is after that
    position of its changes.
    """

    stale: Mapping[str, int] = MappingProxyType({})
    """The services whose rows may be older than usual, since they cannot be asked; and how old, in seconds."""

    def __init__(
        self,
        remotes: Mapping[str, Remote],
        filter_max_ids: int = MAX_IDS,
        caches: Caches | None = None,
        read_after: Mapping[str, FeedPosition] = NO_POSITIONS,
    ) -> None:
        self._remotes, self.caches, self._read_after = remotes, caches, read_after
        self._caller = context.current().caller
        self.filter_max_ids = filter_max_ids
        self.requests_left = LARGEST_COUNT
        """How many more requests may be sent to the services. An operation's cost bounds it."""
        self._remembered: dict[tuple[str, ...], Any] = {}
        self._open_reads: set[asyncio.Future[Any] | BulkRead[Any]] = set()
        self._ended = False

    def row(self, resource: AnyResource, id: int | str) -> "asyncio.Future[Any]":
        """The row with this id, or None. It is a future, so that a resolver need not be a coroutine.

        Raises Invalid for a text that is no id.
        """
        make = lambda: KeyLoader(self._cancellable(self._row_sets(resource)))  # noqa: E731
        return self._remember(("one", resource.path), make).load(id if isinstance(id, int) else int_id(id, "id"))

    def rows(self, resource: AnyResource, keys: set[int], *, batched: bool) -> "Awaitable[RowList | BulkAnswer[Any]]":
        """Starts to read these rows. Awaiting the result raises the error if none of them could be read.

        With `batched`, the read waits a tick for other parts of the plan that want rows of the same resource. Without
        it, the request is on its way when this method returns.
        """
        if batched or len(keys) > MAX_IDS:
            reading = asyncio.ensure_future(self._batched_rows(resource, keys))
        else:
            try:
                reading = self._begin(resource, keys) if self.caches is None else self._begin_rows(resource, keys)
            except Exception as error:  # the caller lacks the right, or a key cannot be sent
                return RefusedRead(error)
        self._open_reads.add(reading)
        return reading

    async def _batched_rows(self, resource: AnyResource, keys: set[int]) -> RowList:
        found = await self._row_sets(resource).get(keys)
        return RowList(list(found.rows.values()), found.failed)

    def _row_sets(self, resource: AnyResource) -> KeySetLoader:
        """The loader of rows for whole sets of ids."""
        return self._remember(("many", resource.path), lambda: KeySetLoader(self._by_id(resource), MAX_IDS))

    def child_page(
        self, resource: Resource[R], field: str, parent: int | str, query: ServiceQuery
    ) -> "asyncio.Future[Page[R]]":
        """The page of the rows whose `field` is `parent`, as a future. Raises Invalid for a text that is no id."""
        key = ("children", resource.path, field, json.dumps(query, sort_keys=True))
        make = lambda: KeyLoader(self._cancellable(self.child_pages(resource, field, query)))  # noqa: E731
        return self._remember(key, make).load(parent if isinstance(parent, int) else int_id(parent, "id"))

    def child_pages(self, resource: AnyResource, field: str, query: ServiceQuery) -> KeySetLoader:
        """The loader of pages for whole sets of parents."""
        key = ("pages", resource.path, field, json.dumps(query, sort_keys=True))
        return self._remember(key, lambda: KeySetLoader(self._per_parent(resource, field, query), MAX_PARENTS))

    async def page(self, resource: Resource[R], query: ServiceQuery) -> Page[R]:
        """One page of a collection."""
        search = "filter" in query or bool(query.get("count"))
        decode, joins = resource.page_decoder(query), resource.service not in self._read_after
        return await self.remote(resource).read(resource.query_path, decode, query, search=search, joins=joins)

    async def ids(self, resource: AnyResource, filter: ServiceQuery) -> Ids:
        """The ids that match a filter, at most `MAX_IDS`. Equal filters in one request are asked once."""
        body, joins = {"select": "ids", "filter": filter}, resource.service not in self._read_after
        ask = lambda: asyncio.ensure_future(  # noqa: E731
            self.remote(resource).read(resource.query_path, matching_ids, body, search=True, joins=joins)
        )
        asked = self._remember(("ids", resource.path, json.dumps(filter, sort_keys=True)), ask)
        self._open_reads.add(asked)
        return await asyncio.shield(asked)  # others may wait for it too

    def remote(self, resource: AnyResource, right: Literal["read", "write"] = "read") -> Remote:
        """The service that owns `resource`. Every read and write of the resource gets it here.

        Raises Forbidden, before anything is sent, if the caller lacks the right, and Invalid if the operation has sent
        as many requests as its cost allows.
        """
        if self._caller is not ANYBODY:
            self._caller.require(f"{resource.service}:{right}")
        self.requests_left -= 1
        if self.requests_left < 0:
            raise over_limit(resource.service, "esta operação já fez todos os pedidos que o seu custo permite")
        return self._remotes[resource.service]

    def forget(self, resource: AnyResource, id: int | None) -> None:
        """Forgets all rows that this request has read, and the row `id` if it is kept in memory. To be called before
        and after a write, even one that fails, because the rows may have changed."""
        self._remembered.clear()
        if self.caches is not None and id is not None:
            self.caches.services[resource.service].drop(resource.kind, id)

    def cancel_reads(self) -> None:
        """Cancels the reads that are still open when the request ends.

        They run in tasks of their own, which do not end with the request. They also refer to these loaders, which
        makes a reference cycle that would keep all rows in memory until the garbage collector's next run.
        """
        self._ended = True
        for task in self._open_reads:
            task.cancel()
        self._open_reads.clear()
        self._remembered.clear()

    def cancel_at_end(self, task: asyncio.Future[Any]) -> None:
        """Cancels this task too when the request ends, if it has not ended by then."""
        self._open_reads.add(task)

    def _cancellable(self, loader: KeySetLoader) -> Callable[[list[int]], Awaitable[RowsByKey]]:
        """The loader's `get`, run so that `cancel_reads` can cancel its task."""

        async def cancellable(keys: list[int]) -> RowsByKey:
            task = asyncio.current_task()
            if task is None or self._ended:
                raise asyncio.CancelledError
            self._open_reads.add(task)
            try:
                return await loader.get(keys)
            finally:
                self._open_reads.discard(task)

        return cancellable

    def _remember(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        if key not in self._remembered:
            self._remembered[key] = make()
        return self._remembered[key]

    def _by_id(self, resource: AnyResource) -> Fetch:
        async def fetch(keys: list[int]) -> Mapping[int, Any]:
            reading = self._begin_rows(resource, keys)
            try:
                found = await reading
            except asyncio.CancelledError:
                reading.cancel()
                raise
            if found.failed:
                raise PartlyFailed(RowList(found.items, found.failed))
            return {row.id: row for row in found.items}

        return fetch

    def _begin_rows(self, resource: Resource[R], keys: Collection[int]) -> "BulkRead[R]":
        """Takes these rows from memory, and starts one bulk read of the others. Raises Forbidden."""
        if self.caches is None:
            return self._begin(resource, keys)
        if self._caller is not ANYBODY:  # before anything is looked up
            self._caller.require(f"{resource.service}:read")
        cache = self.caches.of(resource.service, resource.kind)
        served = cache.serve(keys, self._read_after.get(resource.service), stale_too=True)
        rows = [kept.row for kept in served.rows.values() if kept.row is not None]
        if served.rows:
            if served.stale:
                self.stale = {**self.stale, resource.service: math.ceil(cache.owner.age())}
            else:
                cache.audit(served.rows, self._audited(resource))
        if not served.missing:
            return KeptRows(rows)
        reading = self._begin(resource, served.missing, cache)
        return PartlyKeptRows(rows, served.missing, reading) if served.rows else reading

    def _begin(
        self, resource: Resource[R], keys: Iterable[int], cache: RowCache | None = None
    ) -> PendingRead[BulkAnswer[R]] | JointRows:
        """Starts one bulk read of these rows, which `cache` then keeps. Raises Forbidden."""
        ids = sorted(keys)
        remote = self.remote(resource)
        metrics.BATCH_KEYS.labels(resource.service).observe(len(ids))
        if cache is None:
            return remote.begin_rows(resource.query_path, ids, resource.bulk_decoder)
        kept_in = cache

        def keep_from_now(ids: list[int]) -> OnValue[BulkAnswer[R]]:
            ticket = kept_in.owner.ticket

            def keep(found: BulkAnswer[R], answer: Answer) -> None:
                kept_in.store(ticket, ids, {row.id: row for row in found.items}, answer)

            return keep

        return remote.begin_rows(resource.query_path, ids, resource.bulk_decoder, keep_from_now)

    def _audited(self, resource: AnyResource) -> Callable[[int], Awaitable[Any]]:
        """Reads one row as it is now, outside of the limits of this request."""
        remote = self._remotes[resource.service]

        async def read(id: int) -> Any:
            body = {"ids": [id]}
            found = await remote.begin(resource.query_path, resource.bulk_decoder([id]), body, joins=False)
            return found.items[0] if found.items else None

        return read

    def _per_parent(self, resource: AnyResource, field: str, query: ServiceQuery) -> Fetch:
        async def fetch(keys: list[int]) -> Mapping[int, Any]:
            metrics.BATCH_KEYS.labels(resource.service).observe(len(keys))
            body = {**query, "per": {"field": field, "ids": keys}}
            decode, search = resource.groups_decoder(field, keys, query), "filter" in query
            joins = resource.service not in self._read_after
            return await self.remote(resource).read(resource.query_path, decode, body, search=search, joins=joins)

        return fetch
