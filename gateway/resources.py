"""The five resources the gateway reads and writes: which service owns each, where, and how its answers are decoded.

Decoding one also checks that it answers what was asked: no other rows than these, each once, and no more than so many.
It raises ValueError for anything else, which `chassis.neighbours.remote` takes for no answer.
"""

# Without it the annotations of the functions made here, one for each answer, would be evaluated each time.
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from chassis.query.pagination import DEFAULT_SIZE, MAX_IDS
from gateway import rows
from gateway.rows import Groups, Ids, Items, Page, Row

R = TypeVar("R", bound=Row)
ServiceQuery = Mapping[str, Any]
"""A rich read of the services."""


@dataclass(frozen=True)
class Resource(Generic[R]):
    """One collection of one service."""

    service: str
    path: str
    row: type[R]

    @cached_property
    def query_path(self) -> str:
        """Where the richer read is."""
        return self.path + "query/"

    def written(self, id: int | None) -> Callable[[bytes], R]:
        """Decodes the answer to a write to the row `id`; None: to a new one."""
        decode = self._row

        def decoded(content: bytes) -> R:
            row = decode(content)
            if id is not None:
                _refuse_others([row.id], [id])
            return row

        return decoded

    def bulk(self, ids: list[int]) -> Callable[[bytes], Items[R]]:
        """Decodes the answer to a read of these ids, of which some may be absent."""
        decode = self._items

        def decoded(content: bytes) -> Items[R]:
            found = decode(content)
            there = [row.id for row in found.items]
            if there != ids:  # both are in order: where nothing is absent, this is all
                _refuse_others(there, ids)
            return found

        return decoded

    def page(self, query: ServiceQuery) -> Callable[[bytes], Page[R]]:
        """Decodes the answer to `query`. Nobody knows which rows it must have; to look for one that comes twice would
        cost 2 % of a query for a thousand."""
        decode, most, counts = self._page, _most(query), query.get("count", False)

        def decoded(content: bytes) -> Page[R]:
            page = decode(content)
            if len(page.items) > most or (counts and page.count is None):
                raise ValueError("more rows than were asked for, or no count")
            return page

        return decoded

    def groups(self, field: str, parents: list[int], query: ServiceQuery) -> Callable[[bytes], Mapping[int, Page[R]]]:
        """Decodes the answer to `query` for each of these parents, whose ids the rows have as `field`."""
        decode, most, counts, parent_of = self._groups, _most(query), query.get("count", False), attrgetter(field)

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

    # What they are decoded by, each made once: making one costs more than a short answer.

    @cached_property
    def _row(self) -> Callable[[bytes], R]:
        return msgspec.json.Decoder(self.row).decode

    @cached_property
    def _items(self) -> Callable[[bytes], Items[R]]:
        return msgspec.json.Decoder(Items[self.row]).decode

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


def _most(query: ServiceQuery) -> int:
    """Rows that a page may have."""
    return query.get("first", query.get("last", DEFAULT_SIZE))


IDS = msgspec.json.Decoder(Ids)


def matching_ids(content: bytes) -> Ids:
    """Decodes the ids that match a filter."""
    found = IDS.decode(content)
    if len(found.ids) > MAX_IDS or len(set(found.ids)) < len(found.ids):
        raise ValueError("more ids than there may be, or ids that come twice")
    return found


CATEGORIAS = Resource("catalogo", "/api/categorias/", rows.Categoria)
PRODUTOS = Resource("catalogo", "/api/produtos/", rows.Produto)
PESSOAS = Resource("pessoas", "/api/pessoas/", rows.Pessoa)
SERVICOS = Resource("servicos", "/api/servicos/", rows.Servico)
SOLICITACOES = Resource("solicitacoes", "/api/solicitacoes/", rows.Solicitacao)

AnyResource = Resource[Any]
