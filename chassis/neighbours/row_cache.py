"""Rows of neighbours that are kept in memory, and dropped when the neighbours' changes say that they have changed.

A row is never older here than what this process knows of the changes:

- It is kept only if nothing has dropped it since the read that brought it was sent. Otherwise the answer may be older
  than a change that has already been told, and nothing would drop the row any more.
- It is served only while the follower knows that it has missed nothing for `CACHE_STALENESS`. While the neighbour's
  breaker is open, it is served all the same, for a while, and the answer says so.
- When changes may have been missed, all rows of that neighbour are dropped.

That an id has no row is kept like a row. A write of this process drops the row before it is sent and after it has
ended, whatever came of it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from chassis.errors import Refusal
from chassis.neighbours import metrics
from chassis.neighbours.dialect import DialectClient
from chassis.neighbours.follower import FeedPosition, Follower, RowChange
from chassis.neighbours.remote import Remote
from chassis.neighbours.transport import Answer
from chassis.request import deadline
from chassis.settings import NeighbourSettings

log = logging.getLogger("cache")

ROW_BYTES = 600
"""The memory of a row besides its content."""
CONTENT_FACTOR = 2
"""The memory of a row's content, in bytes for each byte of the answer that it came in."""
MAX_DROPS = 10_000
"""How many drops of each kind of row are remembered. A read that was sent before the first of them is not kept."""
STALE_SECONDS = 600.0
"""How old a row may be that is served while its owner's breaker is open."""
AUDITED = 1000
"""One of so many rows that are served is read again, and compared."""
AUDIT_SECONDS = 5.0

Shows = Mapping[str, Callable[[Any], int]]
"""The rows of other kinds that a row shows: for each such kind, how to get the id from a row."""
ShownRow = tuple[str, int]
"""The kind and the id of a row that others show."""


class CachedRow:
    """A row in memory."""

    __slots__ = ("row", "size")

    def __init__(self, row: Any, size: int) -> None:
        self.row = row
        """None: the id has no row."""
        self.size = size


class Generation:
    """Some of the rows of one kind."""

    def __init__(self) -> None:
        self.rows: dict[int, CachedRow] = {}
        self.showing: dict[ShownRow, set[int]] = {}
        """For each row that others show: the ids of those. Some of them may be in the younger generation now."""


class CacheMemory:
    """The memory that all kinds of rows share: at most `max_bytes`.

    Rows are in one of two generations. One that is served or stored is in the young one. When that has half of the
    bytes, it becomes the old one, and what was still in the old one is dropped. So the rows that were used least
    recently go first, and to use one costs hardly anything.
    """

    def __init__(self, max_bytes: int) -> None:
        self._half = max_bytes // 2
        self.young = self.old = 0
        """The bytes of each generation."""
        self.kinds: list[RowCache] = []

    def add(self, size: int) -> None:
        """Makes room for a row in the young generation."""
        if self.young + size > self._half:
            for cache in self.kinds:
                cache.grow_old()
            self.old, self.young = self.young, 0
        self.young += size


class Served(NamedTuple):
    """What is served from memory: the rows, with None for an id that has none, and the ids that must be read."""

    rows: Mapping[int, CachedRow]
    missing: Collection[int]
    stale: bool = False
    """Whether the rows may be older than `CACHE_STALENESS`, since their owner cannot be asked."""


class RowCache:
    """The rows of one kind. `shows` says which rows of other kinds are part of them."""

    def __init__(self, owner: "ServiceCache", memory: CacheMemory, kind: str, shows: Shows) -> None:
        self.owner, self.kind = owner, kind
        self.shared = True
        """Whether rows are kept at all. Not if the service has said that an answer is private."""
        self._memory, self._shows = memory, shows
        self._young, self._old = Generation(), Generation()
        self._dropped: dict[int, int] = {}
        """The last drops, oldest first: for each id, the tick of its drop."""
        self._forgotten = 0
        """The tick of the last drop that is no longer in `_dropped`."""
        self._until_audit = AUDITED
        self._audit: asyncio.Task[None] | None = None
        self.meters = metrics.CacheMeters(owner.name, kind, self.__len__)
        memory.kinds.append(self)

    def __len__(self) -> int:
        return len(self._young.rows) + len(self._old.rows)

    def serve(self, ids: Collection[int], read_after: FeedPosition | None, *, stale_too: bool = False) -> Served:
        """What may be served to somebody who has to see what is at `read_after`. With `stale_too` he also takes rows
        that are older, as long as their owner cannot be asked."""
        stale, meters = False, self.meters
        if not self.owner.serves(read_after):
            stale = stale_too and self.owner.serves_stale(read_after)
            if not stale:
                meters.bypassed.value += len(ids)
                return Served({}, ids)
        found, missing = self._find(ids)
        (meters.stale if stale else meters.hits).value += len(found)
        meters.misses.value += len(missing)
        return Served(found, missing, stale)

    def _find(self, ids: Collection[int]) -> tuple[dict[int, CachedRow], list[int]]:
        found: dict[int, CachedRow] = {}
        missing: list[int] = []
        young = self._young.rows
        for id in ids:
            cached = young.get(id) or self._rejuvenated(id)
            if cached is None:
                missing.append(id)
            else:
                found[id] = cached
        return found, missing

    def _rejuvenated(self, id: int) -> CachedRow | None:
        """The row from the old generation, which is moved to the young one."""
        cached = self._old.rows.pop(id, None)
        if cached is not None:
            self._memory.old -= cached.size
            self._put(id, cached)
        return cached

    def _put(self, id: int, cached: CachedRow) -> None:
        self._memory.add(cached.size)
        generation = self._young
        generation.rows[id] = cached
        for shown in self._shown_by(cached.row):
            generation.showing.setdefault(shown, set()).add(id)

    def _shown_by(self, row: Any) -> Collection[ShownRow]:
        """The rows of other kinds that are part of `row`, which may be None."""
        if row is None or not self._shows:
            return ()
        return [(kind, id_of(row)) for kind, id_of in self._shows.items()]

    def store(self, ticket: int, asked: Iterable[int], rows: Mapping[int, Any], answer: Answer) -> None:
        """Keeps the rows that `answer` has brought for the ids that were `asked`. `ticket` is what `owner.ticket` was
        when the read was sent."""
        if "private" in answer.header("cache-control").lower():
            self.shared = False
            self.clear()
        if not self.shared or not self.owner.follows or ticket < self._forgotten:
            return
        size = ROW_BYTES + CONTENT_FACTOR * len(answer.content) // max(1, len(rows))
        something_dropped = ticket != self.owner.ticket
        for id in asked:
            row = rows.get(id)
            if something_dropped and self._changed(id, row, ticket):
                continue
            self._remove(id)
            self._put(id, CachedRow(row, size))

    def _changed(self, id: int, row: Any, ticket: int) -> bool:
        """Whether the row, or one that it shows, was dropped after `ticket`."""
        if self._dropped.get(id, 0) > ticket:
            return True
        return any(self.owner.kinds[kind].dropped_after(ticket, id) for kind, id in self._shown_by(row))

    def dropped_after(self, ticket: int, id: int) -> bool:
        return ticket < self._forgotten or self._dropped.get(id, 0) > ticket

    def drop(self, id: int, tick: int) -> None:
        self._dropped.pop(id, None)
        self._dropped[id] = tick
        if len(self._dropped) > MAX_DROPS:
            self._forgotten = self._dropped.pop(next(iter(self._dropped)))
        self._remove(id)

    def drop_showing(self, kind: str, id: int) -> None:
        """Drops the rows that show the row `id` of `kind`."""
        if kind in self._shows:
            for generation in (self._young, self._old):
                for showing in generation.showing.pop((kind, id), ()):
                    self._remove(showing)

    def _remove(self, id: int) -> None:
        generation = self._young
        if cached := generation.rows.pop(id, None):
            self._memory.young -= cached.size
        else:
            generation = self._old
            if cached := generation.rows.pop(id, None):
                self._memory.old -= cached.size
        # A generation whose rows are dropped again and again never becomes old, and must not remember all of them.
        for shown in self._shown_by(cached.row) if cached else ():
            if showing := generation.showing.get(shown):
                showing.discard(id)
                if not showing:
                    del generation.showing[shown]

    def grow_old(self) -> None:
        """The young generation becomes the old one."""
        self.meters.evicted.value += len(self._old.rows)
        self._old, self._young = self._young, Generation()

    def clear(self) -> None:
        """Drops all rows. Reads that are under way are not kept either."""
        self._memory.young -= sum(cached.size for cached in self._young.rows.values())
        self._memory.old -= sum(cached.size for cached in self._old.rows.values())
        self._young, self._old = Generation(), Generation()
        self._dropped.clear()
        self._forgotten = self.owner.next_tick()

    # -- auditing ----------------------------------------------------------------------------------------------

    def audit(self, served: Mapping[int, CachedRow], read: Callable[[int], Awaitable[Any]]) -> None:
        """Counts rows that were served; one of `AUDITED` is read again by `read`, and compared."""
        self._until_audit -= len(served)
        if self._until_audit <= 0 and self._audit is None:
            self._until_audit = AUDITED
            id, cached = next(iter(served.items()))
            self._audit = asyncio.create_task(self._compare(id, cached, read), name=f"audit {self.kind}")

    async def _compare(self, id: int, cached: CachedRow, read: Callable[[int], Awaitable[Any]]) -> None:
        """Reads the row, and waits until all changes from before are told. If it is still kept then, it is equal."""
        started = deadline.begin(AUDIT_SECONDS)
        try:
            async with asyncio.timeout(AUDIT_SECONDS):
                row = await read(id)
                arrived = time.monotonic()
                while time.monotonic() - self.owner.age() < arrived:  # noqa: ASYNC110 # there is no event to wait for
                    await asyncio.sleep(0.05)
        except (Refusal, TimeoutError):
            return
        finally:
            deadline.end(started)
            self._audit = None
        self.meters.audits.value += 1
        is_kept = self._young.rows.get(id) is cached or self._old.rows.get(id) is cached
        if is_kept and cached.row != row:
            self.meters.inconsistencies.value += 1
            log.error("cached row differs", extra={"service": self.owner.name, "kind": self.kind, "id": id})
            self._remove(id)

    def stop(self) -> None:
        if self._audit:
            self._audit.cancel()


class ServiceCache:
    """All rows of one service that are kept. It listens to the service's changes."""

    def __init__(self, follower: Follower, remote: DialectClient, staleness: float) -> None:
        self.name = follower.name
        self.kinds: dict[str, RowCache] = {}
        self.ticket = 0
        """How many drops there were. A read remembers it when it is sent."""
        self.age = follower.age
        self.follower, self._remote, self._staleness = follower, remote, staleness
        self._listens = False

    @property
    def follows(self) -> bool:
        return self.follower.position is not None

    def serves(self, read_after: FeedPosition | None) -> bool:
        """Whether rows may be served to somebody who has to see what is at `read_after`."""
        if not self._listens:
            self._listens = True
            self.follower.listen(self)
        return self.age() <= self._staleness and self._is_past(read_after)

    def serves_stale(self, read_after: FeedPosition | None) -> bool:
        """Whether rows may be served that are older, since the service cannot be asked."""
        return self._remote.breaker.open and self.age() < STALE_SECONDS and self._is_past(read_after)

    def _is_past(self, read_after: FeedPosition | None) -> bool:
        position = self.follower.position
        if position is None:
            return False
        return read_after is None or (read_after.epoch == position.epoch and read_after.seq <= position.seq)

    def next_tick(self) -> int:
        self.ticket += 1
        return self.ticket

    def drop(self, kind: str, id: int) -> None:
        """Drops the row, and all that show it."""
        cache = self.kinds.get(kind)
        if cache is None:  # nobody here knows what shows it
            self.lost()
            return
        cache.drop(id, self.next_tick())
        for other in self.kinds.values():
            other.drop_showing(kind, id)

    def changed(self, changes: Sequence[RowChange], position: FeedPosition) -> None:
        if not changes:  # the following begins here; what happened before is not known
            self.lost()
        for change in changes:
            self.drop(change.kind, change.id)

    def lost(self) -> None:
        for cache in self.kinds.values():
            cache.clear()

    def stop(self) -> None:
        for cache in self.kinds.values():
            cache.stop()


class KindOfRow(NamedTuple):
    """A kind of row: the service that owns it, what the service's changes call it, and the rows that it shows."""

    service: str
    kind: str
    shows: Shows = {}


class Caches:
    """The rows that this process keeps, of all services and kinds."""

    def __init__(
        self,
        kinds: Iterable[KindOfRow],
        remotes: Mapping[str, Remote],
        followers: Mapping[str, Follower],
        settings: NeighbourSettings,
    ) -> None:
        self.memory = CacheMemory(settings.cache_bytes)
        self.services = {
            name: ServiceCache(follower, remotes[name], settings.cache_staleness)
            for name, follower in followers.items()
        }
        for service, kind, shows in kinds:
            owner = self.services[service]
            owner.kinds[kind] = RowCache(owner, self.memory, kind, shows)
        metrics.KEPT_BYTES[:] = [lambda: self.memory.young + self.memory.old]

    def of(self, service: str, kind: str) -> RowCache:
        return self.services[service].kinds[kind]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        for service in self.services.values():
            service.stop()
