"""Estimates an operation's cost before it runs: the requests that it sends to services, plus the rows that it reads.

A cost function is made once for an operation, from the declarations of the schema's fields, as a plan is. It is then
called with the variables of each request, since these may hold page sizes. It gives the most that the plan can cause:

    solicitacoes(first: N) ..... 1 request  + N rows
      pessoa ................... 1 request  + N rows at most, for each 5,000 parents
    pessoas(first: N) .......... 1 request  + N rows
      solicitacoes(first: M) ... 1 request  for each 1,000 parents, + N*M rows
    filter: {pessoa: …} ........ 1 request
    {nomePessoa: {contains: …}}  1,000 rows, which its owner may have to look through
    criarPessoa ................ 1 request
    a resolver of its own ...... 1 request  for each 5,000 parents, + a row for each value that it returns
    pessoaMudou ................ 1 request  + 1 row, for each event

A row counts once for each ten values that are selected of it, rounded up. No type has more than ten fields, but aliases
can repeat a field. The values of a page itself (`pageInfo`, `totalCount`) count in the same way, but rounded down.
Below a parent, a page counts as one row at least. The values that a filter lists count, and so do its long texts, each
time that a variable with them is used, because each use is read and sent again.

What a resolver reads is not known before it runs. So a list that it returns counts as `first` or `last` says, and as
100 items without them; and an operation may send at most as many requests as its cost (`Loaders.requests_left`).

Introspection reads no service; `gateway.execution.introspection_cost` estimates its cost.
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
    is_abstract_type,
)

from chassis.query.pagination import DEFAULT_SIZE, MAX_IDS, MAX_PARENTS, MAX_SIZE
from gateway.declarations import ChangesOf, ConnectionOf, LinkByKey, RowById, declaration_of, is_resolved
from gateway.execution.collect import Collector, selection_sets
from gateway.execution.introspection_cost import IntrospectionCost

VALUES_PER_ROW = 10
SEARCH_COST = 1000
"""The cost of a search for a text: as much as the largest page, although the table may have more rows."""
CHARACTERS_PER_UNIT = 100
"""How many characters of a text in a filter cost 1."""
SIZES_REMEMBERED = 64
"""For each operation, the cost is remembered for so many combinations of page sizes."""

VariableMap = Mapping[str, Any]
"""The coerced values of the request's variables, by name."""
CostFunction = Callable[[VariableMap], int]
CostPart = Callable[[int, VariableMap], int]
"""The cost of a field below a number of parents, for these variables."""


def cost_function(schema: GraphQLSchema, collector: Collector, operation: OperationDefinitionNode) -> CostFunction:
    """The operation's cost function, for one combination of outcomes of its `@include` and `@skip`."""
    return CostEstimator(schema, collector).cost_function(operation)


class CostEstimator:
    """Makes the cost function of one operation."""

    def __init__(self, schema: GraphQLSchema, collector: Collector) -> None:
        self._schema, self._collect = schema, collector.collect
        self._introspection = IntrospectionCost(schema, collector)
        self._size_variables: dict[str, None] = {}
        """The variables that page sizes depend on; the values of this dict mean nothing."""
        self._filter_variables: dict[str, tuple[str, GraphQLNamedType]] = {}
        """The variables in filters, each with the type that it has there. The key names both, as `$name: Type` does."""

    def cost_function(self, operation: OperationDefinitionNode) -> CostFunction:
        writes = operation.operation is OperationType.MUTATION
        kind = cast("GraphQLObjectType", self._schema.get_root_type(operation.operation))
        _, parts = self._object_cost(kind, [operation.selection_set])
        asked = self._collect(kind, [operation.selection_set]).values()
        requests = sum(nodes[0].name.value in kind.fields for nodes in asked) if writes else 0

        def total(given: VariableMap) -> int:
            return requests + sum(part(1, given) for part in parts)

        if self._filter_variables:

            def total_with_filters(given: VariableMap) -> int:
                # The cost of each variable is computed once, however often the variable is used.
                filters = {
                    key: _filter_cost(kind, given.get(name)) for key, (name, kind) in self._filter_variables.items()
                }
                return total({**given, **filters})

            return total_with_filters
        names = tuple(self._size_variables)

        @lru_cache(SIZES_REMEMBERED)
        def cost_of_sizes(*sizes: int | None) -> int:
            return total(dict(zip(names, sizes, strict=True)))

        return lambda given: cost_of_sizes(*map(given.get, names))

    def _object_cost(self, kind: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> tuple[int, list[CostPart]]:
        """How many values of its own row an object shows, and the cost parts of what it reads besides."""
        values, parts = 0, list[CostPart]()
        for nodes in self._collect(kind, sets).values():
            definition = kind.fields.get(nodes[0].name.value)
            if definition is None:
                values += 1
                shown = self._introspection.cost(nodes)
                parts.append(lambda parents, _given, shown=shown: parents * shown)
                continue
            below, declared = _named_type(definition), declaration_of(definition)
            if declared is None and is_resolved(definition):
                values += 1
                parts.append(self._resolved_cost(definition, nodes))
                continue
            if isinstance(declared, ConnectionOf):
                page = cast("GraphQLObjectType", below)
                parts.append(self._connection_cost(definition, page, nodes, 1 if declared.field else 0))
                continue
            own_values, nested = self._selected_cost(below, nodes)
            if isinstance(declared, ChangesOf):
                filters = self._filters_cost(definition, nodes[0])
                parts.append(lambda _parents, given, filters=filters: filters(given))
            if isinstance(declared, RowById | LinkByKey | ChangesOf):
                parts.append(_rows_cost(MAX_IDS, own_values, nested))
            else:  # a value, or an object that is part of its parent's row
                values += own_values
                parts += nested
        return values, parts

    def _selected_cost(self, kind: GraphQLNamedType, nodes: Sequence[FieldNode]) -> tuple[int, list[CostPart]]:
        """The same as `_object_cost`, for what these nodes select of any type.

        An object of an interface or of a union may be of any of its types, so what is below each of them counts.
        """
        costs = [self._object_cost(one, selection_sets(nodes)) for one in self._object_types(kind)]
        return max((values for values, _ in costs), default=1), [part for _, parts in costs for part in parts]

    def _resolved_cost(self, definition: GraphQLField, nodes: Sequence[FieldNode]) -> CostPart:
        """The cost of a field with a resolver of its own, which is called once for each parent."""
        values, parts = self._selected_cost(_named_type(definition), nodes)
        rows = _rows_cost(MAX_IDS, values, parts, requests=False)
        size = self._page_size(nodes[0], definition) if self._has_lists(definition, nodes) else _one

        def cost(parents: int, given: VariableMap) -> int:
            return ceil(parents / MAX_IDS) + rows(parents * max(1, size(given)), given)

        return cost

    def _has_lists(self, definition: GraphQLField, nodes: Sequence[FieldNode]) -> bool:
        """Whether the field's value is a list, or an object with lists, such as a connection."""
        if "[" in str(cast("Any", definition).type):
            return True
        for kind in self._object_types(_named_type(definition)):
            for below in self._collect(kind, selection_sets(nodes)).values():
                found = kind.fields.get(below[0].name.value)
                if found and not declaration_of(found) and not is_resolved(found) and self._has_lists(found, below):
                    return True
        return False

    def _object_types(self, kind: GraphQLNamedType) -> Sequence[GraphQLObjectType]:
        """The types that an object of the type `kind` may have; none for a scalar or an enum."""
        if is_abstract_type(kind):
            return self._schema.get_possible_types(kind)
        return [kind] if isinstance(kind, GraphQLObjectType) else []

    def _connection_cost(
        self, definition: GraphQLField, kind: GraphQLObjectType, nodes: Sequence[FieldNode], least: int
    ) -> CostPart:
        """The cost of a page for each parent. Each page counts as at least `least` rows."""
        values, page_values, reads_rows = 0, 0, False
        parts, page_parts = list[CostPart](), list[CostPart]()
        for members in self._collect(kind, selection_sets(nodes)).values():
            name = members[0].name.value
            reads_rows |= name != "totalCount"  # if only the count is selected, no rows are read
            found = kind.fields.get(name)
            if found and is_resolved(found):
                page_parts.append(self._resolved_cost(found, members))
                continue
            own_values, nested = 1, list[CostPart]()
            if found and isinstance(below := _named_type(found), GraphQLObjectType):
                own_values, nested = self._object_cost(below, selection_sets(members))
            if found and "[" in str(found.type):  # `edges` or `nodes`, whose values are there for each row
                values += own_values
                parts += nested
            else:
                page_values += own_values
        size, filters = self._page_size(nodes[0], definition), self._filters_cost(definition, nodes[0])
        rows = _rows_cost(MAX_IDS, values, parts, requests=False)

        def cost(parents: int, given: VariableMap) -> int:
            pages = parents * (page_values // VALUES_PER_ROW) + (
                rows(parents * size(given), given) if reads_rows else 0
            )
            besides = sum(part(parents, given) for part in page_parts)
            return filters(given) + ceil(parents / MAX_PARENTS) + max(pages, parents * least) + besides

        return cost

    def _page_size(self, node: FieldNode, definition: GraphQLField) -> Callable[[VariableMap], int]:
        """The page's size. A size that is not allowed counts as the nearest one that is; the field refuses it later."""
        arguments = {one.name.value: one.value for one in node.arguments or ()}
        defaults = [getattr(definition.args.get(name), "default_value", None) for name in ("first", "last")]
        asked = [arguments[name] for name in ("first", "last") if name in arguments]
        fixed = [_bounded(int(one.value)) for one in asked if isinstance(one, IntValueNode)]
        names = [one.name.value for one in asked if isinstance(one, VariableNode)]
        fixed += [_bounded(one) for one in defaults if isinstance(one, int)]
        otherwise = fixed[0] if fixed else DEFAULT_SIZE
        if not names:
            return lambda _given: otherwise
        self._size_variables.update(dict.fromkeys(names))

        def size(given: VariableMap) -> int:
            return next((_bounded(one) for name in names if (one := given.get(name)) is not None), otherwise)

        return size

    def _filters_cost(self, definition: GraphQLField, node: FieldNode) -> CostFunction:
        """The cost of a filter: a request for each condition on what another service owns, and what its searches,
        lists and long texts cost."""
        fixed, varying = 0, list[str]()

        def visit(kind: GraphQLNamedType, value: Any) -> None:
            nonlocal fixed
            match value:
                case VariableNode():
                    key = f"{value.name.value}: {kind.name}"  # cannot be the name of a variable, because of the colon
                    self._filter_variables[key] = value.name.value, kind
                    varying.append(key)
                case ListValueNode():
                    fixed += 0 if isinstance(kind, GraphQLInputObjectType) else len(value.values)
                    for one in value.values:
                        visit(kind, one)
                case ObjectValueNode() if isinstance(kind, GraphQLInputObjectType):
                    for one in value.fields:
                        found = kind.fields[one.name.value]
                        fixed += _condition_cost(found)
                        visit(_named_type(found), one.value)
                case StringValueNode():
                    fixed += len(value.value) // CHARACTERS_PER_UNIT
                case _:
                    pass

        for argument in node.arguments or ():
            if argument.name.value == "filter":
                visit(_named_type(definition.args["filter"]), argument.value)
        if not varying:
            return lambda _given: fixed
        return lambda given: fixed + sum(given[key] for key in varying)


def _rows_cost(batch_size: int, values: int, parts: Sequence[CostPart], requests: bool = True) -> CostPart:
    """The cost of rows that show `values` values each and have `parts` below them.

    With `requests`, the requests that read them count too, one for each `batch_size` rows.
    """
    each = max(1, ceil(values / VALUES_PER_ROW))

    def cost(count: int, given: VariableMap) -> int:
        rows = count * each + (ceil(count / batch_size) if requests else 0)
        return rows + sum(part(count, given) for part in parts)

    return cost


def _one(_given: VariableMap) -> int:
    return 1


def _bounded(size: int) -> int:
    return min(max(size, 0), MAX_SIZE)


def _filter_cost(kind: GraphQLNamedType, value: Any) -> int:
    """The same as `CostEstimator._filters_cost`, for a filter or a part of one that came in a variable."""
    if isinstance(value, str):
        return len(value) // CHARACTERS_PER_UNIT
    if isinstance(value, list):
        items = cast("list[Any]", value)
        listed = 0 if isinstance(kind, GraphQLInputObjectType) else len(items)
        return listed + sum(_filter_cost(kind, one) for one in items)
    if not isinstance(kind, GraphQLInputObjectType) or not isinstance(value, dict):
        return 0
    members = cast("dict[str, Any]", value)
    return sum(
        _condition_cost(kind.fields[name]) + _filter_cost(_named_type(kind.fields[name]), one)
        for name, one in members.items()
    )


def _condition_cost(field: Any) -> int:
    """The cost of one member of a filter: a request if another service resolves it, a search if a text is searched."""
    metadata = field.extensions["strawberry-definition"].metadata
    return ("nested" in metadata) + SEARCH_COST * ("search" in metadata)


def _named_type(field: Any) -> GraphQLNamedType:
    """The type of a field or argument, without its `[]` and `!`."""
    return cast("GraphQLNamedType", get_named_type(field.type))
