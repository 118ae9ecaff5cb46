"""Relay cursor connections over keyset pages, for all five types, at the root and below a parent."""

from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Generic, TypeVar, cast

import strawberry
from graphql import GraphQLResolveInfo
from strawberry import UNSET

from chassis.errors import invalid, over_limit
from chassis.query.models import MAX_FILTER_TERMS
from chassis.query.pagination import DEFAULT_SIZE, MAX_SIZE, cursor
from gateway.context import Info
from gateway.declarations import ConnectionOf
from gateway.execution.selection import selected_fields
from gateway.loaders import Loaders
from gateway.resources import AnyResource
from gateway.rows import Page
from gateway.schema.filters import rest_filter
from gateway.schema.scalars import python_arguments

N = TypeVar("N")
LONGEST_CURSOR = 2000
"""How many characters a cursor may have. A longer one is invalid."""

First = Annotated[
    int | None,
    strawberry.argument(description=f"Quantos itens, a partir do início (padrão {DEFAULT_SIZE}, máximo {MAX_SIZE})."),
]
After = Annotated[str | None, strawberry.argument(description="Cursor: só o que vem depois dele.")]
Last = Annotated[int | None, strawberry.argument(description=f"Quantos itens, a partir do fim (máximo {MAX_SIZE}).")]
Before = Annotated[str | None, strawberry.argument(description="Cursor: só o que vem antes dele.")]


@dataclass
class ConnectionSource:
    """The object that a connection's fields are resolved from."""

    page: Page[Any]
    ordered_by: str

    def cursor(self, row: Any) -> str:
        return cursor(self.ordered_by, getattr(row, self.ordered_by), row.id)

    @property
    def edges(self) -> "list[EdgeSource]":
        return [EdgeSource(self, row) for row in self.page.items]

    @property
    def nodes(self) -> list[Any]:
        return self.page.items

    @property
    def page_info(self) -> "ConnectionSource":
        return self

    @property
    def total_count(self) -> int | None:
        return self.page.count

    @property
    def has_next_page(self) -> bool:
        return self.page.has_next

    @property
    def has_previous_page(self) -> bool:
        return self.page.has_previous

    @property
    def start_cursor(self) -> str | None:
        return self.cursor(self.page.items[0]) if self.page.items else None

    @property
    def end_cursor(self) -> str | None:
        return self.cursor(self.page.items[-1]) if self.page.items else None


@dataclass(slots=True)
class EdgeSource:
    """The object that an edge's fields are resolved from."""

    source: ConnectionSource
    node: Any

    @property
    def cursor(self) -> str:
        return self.source.cursor(self.node)


@strawberry.type(description="Onde a página está dentro da lista inteira.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Se há mais itens depois desta página.")
    has_previous_page: bool = strawberry.field(description="Se há mais itens antes desta página.")
    start_cursor: str | None = strawberry.field(description="O cursor do primeiro item.")
    end_cursor: str | None = strawberry.field(description="O cursor do último item.")


@strawberry.type(description="Um item da página e o seu lugar na lista.")
class Edge(Generic[N]):
    cursor: str = strawberry.field(description="O lugar deste item nesta ordem.")
    node: N = strawberry.field(description="O item.")


@strawberry.type(description="Uma página de uma lista.")
class Connection(Generic[N]):
    edges: list[Edge[N]] = strawberry.field(description="Os itens, cada um com seu cursor.")
    nodes: list[N] = strawberry.field(description="Os itens, sem cursores.")
    page_info: PageInfo = strawberry.field(description="Onde a página está na lista.")
    total_count: int = strawberry.field(description="Quantos itens há na lista inteira, com o mesmo filtro.")


def ordering(order: str, description: str) -> Any:
    """A value of an enum of orders. `order` is the services' name for it: a field, with `-` for descending order."""
    return strawberry.enum_value(order, description=description)


def root_connection(resource: AnyResource, filters: type, orders: type[Enum], description: str) -> Any:
    """A connection over a whole collection, for the Query type."""

    async def resolve(_root: Any, loaders: Loaders, query: dict[str, Any]) -> Page[Any]:
        return await loaders.page(resource, query)

    return _connection_field(
        resolve, ConnectionOf(resource, _build_query, python_arguments), filters, orders, description
    )


def child_connection(field: str, resource: AnyResource, filters: type, orders: type[Enum], description: str) -> Any:
    """A connection over the rows of `resource` whose `field` is the parent's id. A page of parents shares one call."""

    async def resolve(root: Any, loaders: Loaders, query: dict[str, Any]) -> Page[Any]:
        return await loaders.child_page(resource, field, root.id, query)

    return _connection_field(
        resolve, ConnectionOf(resource, _build_query, python_arguments, field), filters, orders, description
    )


Resolve = Callable[[Any, Loaders, dict[str, Any]], Awaitable[Page[Any]]]


def _connection_field(
    resolve: Resolve, declared: ConnectionOf, filters: type, orders: type[Enum], description: str
) -> Any:
    """The Strawberry field of a connection. Connections differ only in the types of their filter and their order."""
    first_order = next(iter(orders))
    filter_text = f"Só os itens que satisfazem isto: no máximo {MAX_FILTER_TERMS} condições."
    filter_type = Annotated[filters | None, strawberry.argument(description=filter_text)]
    order_type = Annotated[orders, strawberry.argument(description="A ordem; empates, pelo id.")]

    async def resolver(
        root: Any,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter: Any = UNSET,
        order_by: Any = first_order,
    ) -> Any:
        # Strawberry has no public name for what graphql-core tells a resolver.
        selected = selected_fields(cast("GraphQLResolveInfo[Any]", getattr(info, "_raw_info")))  # noqa: B009
        loaders = info.context.loaders
        query = await _build_query(loaders, selected, first, after, last, before, filter, order_by)
        return ConnectionSource(await resolve(root, loaders, query), query["ordering"].removeprefix("-"))

    resolver.__annotations__ |= {"filter": filter_type, "order_by": order_type}
    return strawberry.field(resolver=resolver, description=description, metadata={"declaration": declared})


async def _build_query(
    loaders: Loaders,
    selected: Set[str],
    first: int | None = UNSET,
    after: str | None = UNSET,
    last: int | None = UNSET,
    before: str | None = UNSET,
    filter: Any = UNSET,
    order_by: Any = None,
) -> dict[str, Any]:
    """The services' query for a connection's arguments. A null argument counts as absent.

    Raises Invalid for arguments that Relay's specification forbids, or that exceed a limit.
    """
    forward, backward = isinstance(first, int), isinstance(last, int)
    if forward and backward:
        raise invalid("last", "CONTRADICTION", "first e last não se combinam")
    name, size = ("last", last) if backward else ("first", first if forward else DEFAULT_SIZE)
    assert isinstance(size, int)
    if size < 0:
        raise invalid(name, "OUT_OF_RANGE", "não pode ser negativo")
    if size > MAX_SIZE:
        raise over_limit(name, f"foram pedidos {size} itens; o máximo é {MAX_SIZE}")
    query: dict[str, Any] = {"ordering": order_by.value, name: size}
    for key, value in (("after", after), ("before", before)):
        if isinstance(value, str):
            if len(value) > LONGEST_CURSOR:  # the service would refuse it too, but once for each field that uses it
                raise invalid(key, "INVALID_CURSOR", "não é um cursor desta listagem e desta ordenação")
            query[key] = value
    if filter is not None and filter is not UNSET:
        query["filter"] = await rest_filter(filter, loaders)
    if "totalCount" in selected:
        query["count"] = True
        if not selected & {"nodes", "edges", "pageInfo"}:
            query[name] = 0  # only the count is selected, so no rows are read
    return query
