"""What introspection will show, counted by walking the schema itself: its lists are too different for an average.

`{ __type(name: "Query") { fields { args { … } } } }` shows forty times what the average type would. Each object of the
schema is counted once for each selection, so that the walk is short where the answer is long.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    SchemaMetaFieldDef,
    StringValueNode,
    TypeMetaFieldDef,
    get_named_type,
)

from gateway.execution.collect import Collector, selections
from gateway.settings import MOST

VALUE = 5
"""What one value counts: it takes the reference executor about as long as five rows take a plan."""
MOST_STEPS = 20_000
"""Of one walk, a few milliseconds; what is left then counts as `MOST`."""

Count = Callable[[Any], int]
"""How many values are shown of one object of the schema, and below it."""
ChildCount = tuple[Callable[[Any], Sequence[Any]], Count]
"""A field that shows objects: which ones, of its parent, and what each counts."""


class _TooFarError(Exception):
    """The walk is over."""


class Introspection:
    """Counts for one operation."""

    def __init__(self, schema: GraphQLSchema, collector: Collector) -> None:
        self._schema, self._collect = schema, collector.collect
        self._info = SimpleNamespace(schema=schema)
        self._steps = 0

    def cost(self, nodes: Sequence[FieldNode]) -> int:
        """Of a root field: 0 for `__typename`."""
        definition = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}.get(nodes[0].name.value)
        if definition is None:
            return 0
        count = self._count(_shown_by(definition), nodes)
        try:
            return VALUE * (
                1 + count(self._schema) if definition is SchemaMetaFieldDef else self._of_type(nodes[0], count)
            )
        except _TooFarError:
            return MOST

    def _of_type(self, node: FieldNode, count: Count) -> int:
        """Of the type that is named; where a variable names it, of the one that shows most."""
        [named] = [one.value for one in node.arguments or ()]
        if isinstance(named, StringValueNode):
            found = self._schema.type_map.get(named.value)
            return 1 + count(found) if found else 1
        return 1 + max(map(count, self._schema.type_map.values()))

    def _count(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Count:
        values, below = 0, list[ChildCount]()
        for of in self._collect(kind, selections(nodes)).values():
            values += 1
            definition = kind.fields.get(of[0].name.value)
            if definition and isinstance(inner := _shown_by(definition), GraphQLObjectType):
                below.append((self._all(definition), self._count(inner, of)))
        if not below:
            return lambda _one: values
        remembered: dict[int, int] = {}

        def count(one: Any) -> int:
            itself = _identity(one)
            if itself not in remembered:
                remembered[itself] = values + sum(self._sum(shown(one), each) for shown, each in below)
            return remembered[itself]

        return count

    def _all(self, definition: GraphQLField) -> Callable[[Any], Sequence[Any]]:
        """What a field shows of one object at most, by its own resolver."""
        resolve = cast("Callable[..., Any]", definition.resolve)
        whole = {"includeDeprecated": True} if "includeDeprecated" in definition.args else {}
        is_list = "[" in str(cast("Any", definition).type)

        def shown(one: Any) -> Sequence[Any]:
            found = resolve(one, self._info, **whole)
            return () if found is None else found if is_list else (found,)

        return shown

    def _sum(self, shown: Sequence[Any], each: Count) -> int:
        self._steps += len(shown)
        if self._steps > MOST_STEPS:
            raise _TooFarError
        return sum(map(each, shown))


def _shown_by(definition: GraphQLField) -> Any:
    """The type of what a field shows, without its `[]` and `!`."""
    return cast("Callable[[Any], Any]", get_named_type)(cast("Any", definition).type)


def _identity(one: Any) -> int:
    """Of an object of the schema; a field and its like come as pairs with their names, each time new ones."""
    return id(cast("tuple[str, Any]", one)[1] if isinstance(one, tuple) else one)
