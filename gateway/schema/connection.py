"""Relay cursor connections over keyset pages, for all resources, at the root and below a parent."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, cast

import strawberry
from graphql import GraphQLResolveInfo
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from chassis.errors import invalid, over_limit
from chassis.query.models import MAX_FILTER_TERMS
from chassis.query.pagination import DEFAULT_SIZE, MAX_SIZE, cursor
from gateway.context import Info
from gateway.declarations import ConnectionOf
from gateway.execution.selection import selected_fields
from gateway.loaders import Loaders
from gateway.names import snake
from gateway.rows import Page
from gateway.schema.fields import collection_of, fields_of, resource_of, target_of, value_type
from gateway.schema.filters import filter_of, rest_filter
from gateway.schema.links import row_by_id
from gateway.schema.scalars import Instante, python_arguments
from gateway.schema.words import Words, sentence, words

N = TypeVar("N")
LONGEST_CURSOR = 2000
"""How many characters a cursor may have. A longer one is invalid."""

FIRST = f"Quantos itens, a partir do início (padrão {DEFAULT_SIZE}, máximo {MAX_SIZE})."
LAST = f"Quantos itens, a partir do fim (máximo {MAX_SIZE})."
PAGE_ARGUMENTS: dict[str, Any] = {
    "first": Annotated[int | None, strawberry.argument(description=FIRST)],
    "after": Annotated[str | None, strawberry.argument(description="Cursor: só o que vem depois dele.")],
    "last": Annotated[int | None, strawberry.argument(description=LAST)],
    "before": Annotated[str | None, strawberry.argument(description="Cursor: só o que vem antes dele.")],
}
FILTER = strawberry.argument(description=f"Só os itens que satisfazem isto: no máximo {MAX_FILTER_TERMS} condições.")
ORDER = strawberry.argument(description="A ordem; empates, pelo id.")


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


def child_connection(key: str, description: str, **options: Any) -> Any:
    """A connection over the rows whose `key` is the parent's id. A page of parents shares one call.

    `options` are those of a Strawberry field, such as `permission_classes`.
    """
    return _connection_field(key, description, **options)


def _connection_field(key: str | None, description: str, **options: Any) -> Any:
    declared = ConnectionOf(lambda: resource_of(target_of(made)), _build_query, python_arguments, key)

    async def resolve(root: Any, info: Info, **arguments: Any) -> Any:
        # Strawberry has no public name for what graphql-core tells a resolver.
        selected = selected_fields(cast("GraphQLResolveInfo[Any]", getattr(info, "_raw_info")))  # noqa: B009
        loaders, resource = info.context.loaders, declared.resource
        query = await _build_query(loaders, selected, **arguments)
        if key is None:
            page = await loaders.page(resource, query)
        else:
            page = await loaders.child_page(resource, key, root.id, query)
        return ConnectionSource(page, query["ordering"].removeprefix("-"))

    resolver = StrawberryResolver(resolve)
    made = ConnectionField(
        base_resolver=resolver, description=description, metadata={"declaration": declared}, **options
    )
    return made


class ConnectionField(StrawberryField):
    """The Strawberry field of a connection. The types of its filter and its order follow from the type of its rows,
    which may be defined after the field. So its arguments are made when the schema is built."""

    @property
    def arguments(self) -> list[StrawberryArgument]:
        if self._arguments is None:
            rows = target_of(self)
            orders = order_of(rows)
            types = {"filter": Annotated[filter_of(rows) | None, FILTER], "order_by": Annotated[orders, ORDER]}
            defaults = {"order_by": next(iter(orders))}
            self._arguments = [
                StrawberryArgument(name, None, StrawberryAnnotation(kind), default=defaults.get(name, UNSET))
                for name, kind in (PAGE_ARGUMENTS | types).items()
            ]
        return self._arguments

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        self._arguments = value


@cache
def order_of(kind: type) -> type[Enum]:
    """The orders of a list of these rows: `NOME_PESSOA_ASC` and so on. Each value is the service's name for it."""
    orders: dict[str, Any] = {}
    for one in fields_of(kind):
        name, declared = one.python_name, one.metadata.get("row")
        if name == "id" or (declared and declared.order):
            noun = words(declared.noun if declared else "o id")
            ascending, descending = _directions(*value_type(one), noun)
            by = sentence(noun.by_the)[:-1]
            orders[f"{name.upper()}_ASC"] = strawberry.enum_value(name, description=f"{by}, {ascending}.")
            orders[f"{name.upper()}_DESC"] = strawberry.enum_value(f"-{name}", description=f"{by}, {descending}.")
    made = cast("type[Enum]", Enum(f"{kind.__name__}Order", orders))
    _, many = collection_of(kind).many.split(" ", 1)
    return strawberry.enum(made, description=f"A ordem de uma lista de {many}.")


def _directions(kind: Any, nullable: bool, noun: Words) -> tuple[str, str]:
    """What an ascending and a descending order of such values is called. null is the last value."""
    if kind is bool:
        ascending, descending = "primeiro os falsos", "primeiro os verdadeiros"
    elif kind in (Instante, date):
        ascending, descending = noun.oldest_first, noun.newest_first
    elif kind in (strawberry.ID, int, Decimal):
        ascending, descending = noun.ascending, noun.descending
    else:
        ascending, descending = "de A a Z", "de Z a A"
    return (f"{ascending}; nulos no fim", f"{descending}; nulos no início") if nullable else (ascending, descending)


@cache
def queries(kind: type) -> Mapping[str, tuple[Any, Any]]:
    """The fields of `Query` for a resource: one row, and the connection over all."""
    declared = collection_of(kind)
    plural, pages = declared.path.split("/")[-2], _connection_field(None, sentence(f"{declared.many}, em páginas"))
    return {
        snake(kind.__name__): (cast("Any", kind) | None, row_by_id(kind)),
        plural: (Connection[cast("Any", kind)] | None, pages),
    }


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
