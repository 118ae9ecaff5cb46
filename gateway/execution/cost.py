"""What an operation will cost: the requests it causes downstream, plus the rows that it reads, before any is sent.

A price is made once for an operation and then evaluated with each request's variables, which may hold page sizes. It
comes from the declarations that the schema's fields carry, as a plan does, and predicts the most that a plan can cause:

    solicitacoes(first: N) ..... 1 request  + N rows
      pessoa ................... 1 request  + N rows at most, for each 5,000 parents
    pessoas(first: N) .......... 1 request  + N rows
      solicitacoes(first: M) ... 1 request  for each 1,000 parents, + N*M rows
    filter: {pessoa: …} ........ 1 request
    {nomePessoa: {contains: …}}  1,000 rows, which its owner may have to look through
    criarPessoa ................ 1 request

A row counts once for each ten values that are selected of it: no type has more, but an alias can repeat a field. A page
counts likewise for what is selected of itself, and below parents as a row for each of them at least. What a filter
lists, and its long texts, count too: each use of a variable is read and sent anew. Introspection reads no service: see
`gateway.execution.introspection_cost`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    get_named_type,
)

from chassis.query.pagination import DEFAULT_SIZE, MAX_IDS, MAX_PARENTS, MAX_SIZE
from gateway.declarations import ConnectionOf, Declaration, LinkByKey, RowById
from gateway.execution.collect import Collector, selections
from gateway.execution.introspection_cost import Introspection

VALUES_OF_A_ROW = 10
SEARCH = 1000
"""What it counts to look for a text: as much as the longest page, although a table may be longer."""
LETTERS = 100
"""Of a text in a filter, that count one."""
SIZES = 64
"""Combinations of page sizes whose price is remembered, for each operation."""

Given = Mapping[str, Any]
"""The values of the request's variables, as coerced."""
Price = Callable[[Given], int]
CostPart = Callable[[int, Given], int]
"""What a field costs below so many parents."""


def price(schema: GraphQLSchema, collector: Collector, operation: OperationDefinitionNode) -> Price:
    """The operation's price, for one outcome of its `@include` and `@skip`."""
    return Pricer(schema, collector).price(operation)


class Pricer:
    """Makes the price of one operation."""

    def __init__(self, schema: GraphQLSchema, collector: Collector) -> None:
        self._schema, self._collect = schema, collector.collect
        self._introspection = Introspection(schema, collector)
        self._sizes: dict[str, None] = {}
        """Variables that sizes of pages depend on."""
        self._filters_given: dict[str, tuple[str, GraphQLNamedType]] = {}
        """Variables that filters are made of, and the types they have there, by both."""

    def price(self, operation: OperationDefinitionNode) -> Price:
        writes = operation.operation is OperationType.MUTATION
        kind = cast("GraphQLObjectType", self._schema.mutation_type if writes else self._schema.query_type)
        _, parts = self._object(kind, [operation.selection_set])
        asked = self._collect(kind, [operation.selection_set]).values()
        requests = sum(nodes[0].name.value in kind.fields for nodes in asked) if writes else 0

        def total(given: Given) -> int:
            return requests + sum(part(1, given) for part in parts)

        if self._filters_given:

            def with_filters(given: Given) -> int:
                # Each is weighed once, however often it is used.
                filters = {key: _of_filter(kind, given.get(name)) for key, (name, kind) in self._filters_given.items()}
                return total({**given, **filters})

            return with_filters
        names = tuple(self._sizes)

        @lru_cache(SIZES)
        def of_sizes(*sizes: int | None) -> int:
            return total(dict(zip(names, sizes, strict=True)))

        return lambda given: of_sizes(*map(given.get, names))

    def _object(self, kind: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> tuple[int, list[CostPart]]:
        """How many values of its own an object shows, and what else it reads."""
        values, parts = 0, list[CostPart]()
        for nodes in self._collect(kind, sets).values():
            definition = kind.fields.get(nodes[0].name.value)
            if definition is None:
                values += 1
                shown = self._introspection.cost(nodes)
                parts.append(lambda parents, _given, shown=shown: parents * shown)
                continue
            below = _named(definition)
            if not isinstance(below, GraphQLObjectType):
                values += 1
                continue
            of_it, in_it = self._object(below, selections(nodes))
            match _declared(definition):
                case RowById() | LinkByKey():
                    parts.append(_rows(MAX_IDS, of_it, in_it))
                case ConnectionOf() as declared:
                    parts.append(self._connection(definition, below, nodes, 1 if declared.field else 0))
                case _:  # it is part of what its parent was read with
                    values += of_it
                    parts += in_it
        return values, parts

    def _connection(
        self, definition: GraphQLField, kind: GraphQLObjectType, nodes: Sequence[FieldNode], least: int
    ) -> CostPart:
        """A page for each parent, which counts as `least` rows or more."""
        values, of_page, parts, shown = 0, 0, list[CostPart](), False
        for of in self._collect(kind, selections(nodes)).values():
            shown |= of[0].name.value != "totalCount"  # the count alone is read without rows
            found = kind.fields.get(of[0].name.value)
            of_it, in_it = 1, list[CostPart]()
            if found and isinstance(below := _named(found), GraphQLObjectType):
                of_it, in_it = self._object(below, selections(of))
            if found and "[" in str(found.type):  # edges or nodes; the others are once for the page
                values += of_it
                parts += in_it
            else:
                of_page += of_it
        size, filters = self._size(nodes[0]), self._filters(definition, nodes[0])
        rows = _rows(MAX_IDS, values, parts, requests=False)

        def cost(parents: int, given: Given) -> int:
            here = parents * (of_page // VALUES_OF_A_ROW) + (rows(parents * size(given), given) if shown else 0)
            return filters(given) + ceil(parents / MAX_PARENTS) + max(here, parents * least)

        return cost

    def _size(self, node: FieldNode) -> Callable[[Given], int]:
        """The page's size. One that is not allowed is refused at its field: here it counts as the nearest that is."""
        arguments = {one.name.value: one.value for one in node.arguments or ()}
        asked = [arguments[name] for name in ("first", "last") if name in arguments]
        fixed = [_bounded(int(one.value)) for one in asked if isinstance(one, IntValueNode)]
        names = [one.name.value for one in asked if isinstance(one, VariableNode)]
        otherwise = fixed[0] if fixed else DEFAULT_SIZE
        if not names:
            return lambda _given: otherwise
        self._sizes.update(dict.fromkeys(names))

        def size(given: Given) -> int:
            return next((_bounded(one) for name in names if (one := given.get(name)) is not None), otherwise)

        return size

    def _filters(self, definition: GraphQLField, node: FieldNode) -> Price:
        """The requests that a filter causes, one for each condition on what another service owns; and what it looks for
        and lists."""
        fixed, varying = 0, list[str]()

        def visit(kind: GraphQLNamedType, value: Any) -> None:
            nonlocal fixed
            match value:
                case VariableNode():
                    key = f"{value.name.value}: {kind.name}"  # no variable's name
                    self._filters_given[key] = value.name.value, kind
                    varying.append(key)
                case ListValueNode():
                    fixed += 0 if isinstance(kind, GraphQLInputObjectType) else len(value.values)
                    for one in value.values:
                        visit(kind, one)
                case ObjectValueNode() if isinstance(kind, GraphQLInputObjectType):
                    for one in value.fields:
                        found = kind.fields[one.name.value]
                        fixed += _of_condition(found)
                        visit(_named(found), one.value)
                case StringValueNode():
                    fixed += len(value.value) // LETTERS
                case _:
                    pass

        for argument in node.arguments or ():
            if argument.name.value == "filter":
                visit(_named(definition.args["filter"]), argument.value)
        if not varying:
            return lambda _given: fixed
        return lambda given: fixed + sum(given[key] for key in varying)


def _rows(most: int, values: int, parts: Sequence[CostPart], requests: bool = True) -> CostPart:
    """So many rows, read in requests of `most` at a time, and what is read below each."""
    each = max(1, ceil(values / VALUES_OF_A_ROW))

    def cost(count: int, given: Given) -> int:
        here = count * each + (ceil(count / most) if requests else 0)
        return here + sum(part(count, given) for part in parts)

    return cost


def _bounded(size: int) -> int:
    return min(max(size, 0), MAX_SIZE)


def _of_filter(kind: GraphQLNamedType, value: Any) -> int:
    """The same as `Pricer._filters` for a filter, or a part of one, that came in a variable."""
    if isinstance(value, str):
        return len(value) // LETTERS
    if isinstance(value, list):
        items = cast("list[Any]", value)
        listed = 0 if isinstance(kind, GraphQLInputObjectType) else len(items)
        return listed + sum(_of_filter(kind, one) for one in items)
    if not isinstance(kind, GraphQLInputObjectType) or not isinstance(value, dict):
        return 0
    members = cast("dict[str, Any]", value)
    return sum(
        _of_condition(kind.fields[name]) + _of_filter(_named(kind.fields[name]), one) for name, one in members.items()
    )


def _of_condition(field: Any) -> int:
    """What a member of a filter costs by itself: a request where another service resolves it, a search where rows must
    be looked for."""
    metadata = field.extensions["strawberry-definition"].metadata
    return ("nested" in metadata) + SEARCH * ("search" in metadata)


def _declared(definition: GraphQLField) -> Declaration | None:
    return definition.extensions["strawberry-definition"].metadata.get("plan")


def _named(field: Any) -> GraphQLNamedType:
    """The type of a field or argument, without its `[]` and `!`."""
    return cast("GraphQLNamedType", get_named_type(field.type))
