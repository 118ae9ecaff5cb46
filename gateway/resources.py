"""A resource that the gateway reads and writes: its service, its path, and the decoders of the answers.

A decoder also checks that an answer contains what was asked for: only the requested rows, each once, and not too many.
Otherwise it raises ValueError, which `chassis.neighbours.remote` treats as an invalid answer of the service.
"""

# The methods below define a function for each answer. Without this import, its annotations are evaluated each time.
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from chassis.neighbours.row_cache import Shows
from chassis.query.pagination import DEFAULT_SIZE, MAX_IDS
from gateway.rows import BulkAnswer, Groups, Ids, Page, Row

R = TypeVar("R", bound=Row)
ServiceQuery = Mapping[str, Any]
"""The body of a `POST …/query/` to a service: the filter, order, page and count that are asked for."""


@dataclass(frozen=True)
class Resource(Generic[R]):
    """One collection of one service."""

    service: str
    path: str
    row: type[R]
    kind: str = ""
    """What the service's changes call a row."""
    shows: Shows = field(default_factory=dict[str, Callable[[Any], int]], compare=False)
    """The rows of other kinds that are part of a row."""

    @cached_property
    def query_path(self) -> str:
        """Where queries with a body are sent."""
        return self.path + "query/"

    def write_decoder(self, id: int | None) -> Callable[[bytes], R]:
        """The decoder for the answer to a write of the row `id`, or of a new row if `id` is None."""
        decode = self._row

        def decoded(content: bytes) -> R:
            row = decode(content)
            if id is not None:
                _refuse_others([row.id], [id])
            return row

        return decoded

    def bulk_decoder(self, ids: list[int]) -> Callable[[bytes], BulkAnswer[R]]:
        """The decoder for the answer to a bulk read of these ids, in ascending order. Some rows may not exist."""
        decode = self._items

        def decoded(content: bytes) -> BulkAnswer[R]:
            found = decode(content)
            found_ids = [row.id for row in found.items]
            if found_ids != ids:  # both are in ascending order, so they are equal if all rows exist
                _refuse_others(found_ids, ids)
            return found

        return decoded

    def page_decoder(self, query: ServiceQuery) -> Callable[[bytes], Page[R]]:
        """The decoder for the answer to `query`.

        It does not check the ids. We cannot know which rows match, and a search for repeated rows would take 2 % of a
        query for a thousand rows.
        """
        decode, most, counts = self._page, _max_rows(query), query.get("count", False)

        def decoded(content: bytes) -> Page[R]:
            page = decode(content)
            if len(page.items) > most or (counts and page.count is None):
                raise ValueError("more rows than were asked for, or no count")
            return page

        return decoded

    def groups_decoder(
        self, field: str, parents: list[int], query: ServiceQuery
    ) -> Callable[[bytes], Mapping[int, Page[R]]]:
        """The decoder for the answer to `query` for each of these parents, whose ids are in the rows' `field`."""
        decode, most, counts, parent_of = self._groups, _max_rows(query), query.get("count", False), attrgetter(field)

        def decoded(content: bytes) -> Mapping[int, Page[R]]:
            groups = decode(content).groups
            found = {group.id: group for group in groups}
            if len(groups) != len(parents) or found.keys() != set(parents):
                raise ValueError("not the parents that were asked for")
            for group in groups:
                if len(group.items) > most or (counts and group.count is None):
                    raise ValueError("more rows than were asked for, or no count")
                if [*map(parent_of, group.items)].count(group.id) < len(group.items):
                    raise ValueError("rows of other parents")
            return found

        return decoded

    # Each decoder is made once, because making one takes longer than decoding a short answer.

    @cached_property
    def _row(self) -> Callable[[bytes], R]:
        return msgspec.json.Decoder(self.row).decode

    @cached_property
    def _items(self) -> Callable[[bytes], BulkAnswer[R]]:
        return msgspec.json.Decoder(BulkAnswer[self.row]).decode

    @cached_property
    def _page(self) -> Callable[[bytes], Page[R]]:
        return msgspec.json.Decoder(Page[self.row]).decode

    @cached_property
    def _groups(self) -> Callable[[bytes], Groups[R]]:
        return msgspec.json.Decoder(Groups[self.row]).decode


def _refuse_others(found: list[int], asked: list[int]) -> None:
    """Raises ValueError for an id that was not asked for, or that comes twice."""
    distinct = set(found)
    if len(distinct) < len(found) or not distinct.issubset(asked):
        raise ValueError("ids that were not asked for, or that come twice")


def _max_rows(query: ServiceQuery) -> int:
    """How many rows a page may have."""
    return query.get("first", query.get("last", DEFAULT_SIZE))


IDS = msgspec.json.Decoder(Ids)


def matching_ids(content: bytes) -> Ids:
    """Decodes the answer to a query for the ids that match a filter."""
    found = IDS.decode(content)
    if len(found.ids) > MAX_IDS or len(set(found.ids)) < len(found.ids):
        raise ValueError("more ids than there may be, or ids that come twice")
    return found


AnyResource = Resource[Any]
