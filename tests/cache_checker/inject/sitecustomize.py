"""Builds one fault into every process that is started with this folder on PYTHONPATH: `BUG=fill|lost|bypass|key`.

The checker must find each of them. Python imports this module by itself when it starts.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from chassis.neighbours import row_cache
from chassis.neighbours.follower import FeedPosition, RowChange
from chassis.neighbours.row_cache import RowCache, ServiceCache
from chassis.neighbours.transport import Answer


def fill() -> None:
    """A row is kept although it was dropped while its read was under way."""
    store = RowCache.store

    def stores(self: RowCache, ticket: int, asked: Iterable[int], rows: Mapping[int, Any], answer: Answer) -> None:
        store(self, self.owner.ticket, asked, rows, answer)

    RowCache.store = stores


def lost() -> None:
    """One of seven changes is not told."""
    numbers = itertools.count(1)
    changed = ServiceCache.changed

    def forgets(self: ServiceCache, changes: Sequence[RowChange], position: FeedPosition) -> None:
        told = [change for change in changes if next(numbers) % 7]
        if told or not changes:
            changed(self, told, position)

    ServiceCache.changed = forgets


def bypass() -> None:
    """Rows are served however long ago the changes were known."""

    def serves(self: ServiceCache, read_after: FeedPosition | None) -> bool:
        before(self, read_after)
        return self._is_past(read_after)  # pyright: ignore[reportPrivateUsage]

    before, ServiceCache.serves = ServiceCache.serves, serves


def key() -> None:
    """Two rows share a place in memory."""
    serve, store, drop = RowCache.serve, RowCache.store, RowCache.drop

    def place(id: int) -> int:
        return id // 2 * 2

    def serves(self: RowCache, ids: Collection[int], *arguments: Any, **more: Any) -> row_cache.Served:
        found = serve(self, [*{place(id) for id in ids}], *arguments, **more)
        rows = {id: found.rows[place(id)] for id in ids if place(id) in found.rows}
        return row_cache.Served(rows, [id for id in ids if id not in rows], found.stale)

    def stores(self: RowCache, ticket: int, asked: Iterable[int], rows: Mapping[int, Any], answer: Answer) -> None:
        store(self, ticket, [place(id) for id in asked], {place(id): row for id, row in rows.items()}, answer)

    RowCache.serve, RowCache.store = serves, stores
    RowCache.drop = lambda self, id, tick: drop(self, place(id), tick)


FAULTS = {"fill": fill, "lost": lost, "bypass": bypass, "key": key}

if bug := os.environ.get("BUG"):
    FAULTS[bug]()
