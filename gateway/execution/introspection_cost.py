"""The cost of introspection: the number of values in its answer, counted by walking through the schema.

An average would be wrong, since the lists in a schema differ too much:
`{ __type(name: "Query") { fields { args { … } } } }`
shows forty times as many values as it does for the average type. Each object of the schema is counted once for each
selection, so that the walk is short even if the answer is long.
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

from gateway.execution.collect import Collector, selection_sets
from gateway.settings import LARGEST_COUNT

VALUE_COST = 5
"""The cost of one value. The reference executor takes about as long for it as a plan takes for five rows."""
MAX_STEPS = 20_000
"""After so many steps, which take a few milliseconds, a walk is abandoned, and the cost is `LARGEST_COUNT`."""

Count = Callable[[Any], int]
"""A function from an object of the schema to the number of values shown of it and of the objects below it."""
ChildCount = tuple[Callable[[Any], Sequence[Any]], Count]
"""A field that shows objects: a function from the parent to these objects, and how each of them is counted."""


class _WalkTooLongError(Exception):
    """The walk has taken more than `MAX_STEPS` steps."""


class IntrospectionCost:
    """Estimates the cost of the introspection fields of one operation."""

    def __init__(self, schema: GraphQLSchema, collector: Collector) -> None:
        self._schema, self._collect = schema, collector.collect
        self._info = SimpleNamespace(schema=schema)
        self._steps = 0

    def cost(self, nodes: Sequence[FieldNode]) -> int:
        """The cost of a root field whose name begins with `__`. `__typename` costs nothing."""
        definition = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}.get(nodes[0].name.value)
        if definition is None:
            return 0
        count = self._count(_named_type(definition), nodes)
        try:
            return VALUE_COST * (
                1 + count(self._schema) if definition is SchemaMetaFieldDef else self._type_cost(nodes[0], count)
            )
        except _WalkTooLongError:
            return LARGEST_COUNT

    def _type_cost(self, node: FieldNode, count: Count) -> int:
        """The values that `__type` shows. If a variable names the type, the type with the most values is counted."""
        [named] = [one.value for one in node.arguments or ()]
        if isinstance(named, StringValueNode):
            found = self._schema.type_map.get(named.value)
            return 1 + count(found) if found else 1
        return 1 + max(map(count, self._schema.type_map.values()))

    def _count(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Count:
        """The count for objects of the type `kind`, of which `nodes` select fields."""
        values, below = 0, list[ChildCount]()
        for members in self._collect(kind, selection_sets(nodes)).values():
            values += 1
            definition = kind.fields.get(members[0].name.value)
            if definition and isinstance(inner := _named_type(definition), GraphQLObjectType):
                below.append((self._objects_of(definition), self._count(inner, members)))
        if not below:
            return lambda _one: values
        remembered: dict[int, int] = {}

        def count(one: Any) -> int:
            identity = _identity(one)
            if identity not in remembered:
                remembered[identity] = values + sum(self._sum(shown(one), each) for shown, each in below)
            return remembered[identity]

        return count

    def _objects_of(self, definition: GraphQLField) -> Callable[[Any], Sequence[Any]]:
        """A function from an object to all objects that the field can show of it, according to the field's resolver."""
        resolve = cast("Callable[..., Any]", definition.resolve)
        arguments = {"includeDeprecated": True} if "includeDeprecated" in definition.args else {}
        is_list = "[" in str(cast("Any", definition).type)

        def shown(one: Any) -> Sequence[Any]:
            found = resolve(one, self._info, **arguments)
            return () if found is None else found if is_list else (found,)

        return shown

    def _sum(self, shown: Sequence[Any], each: Count) -> int:
        """The values of all these objects. Each object is a step of the walk."""
        self._steps += len(shown)
        if self._steps > MAX_STEPS:
            raise _WalkTooLongError
        return sum(map(each, shown))


def _named_type(definition: GraphQLField) -> Any:
    """The field's type, without its `[]` and `!`."""
    return cast("Callable[[Any], Any]", get_named_type)(cast("Any", definition).type)


def _identity(one: Any) -> int:
    """What identifies an object of the schema.

    Fields, arguments and enum values come as pairs of a name and an object. The pair is new each time; the object is
    not.
    """
    return id(cast("tuple[str, Any]", one)[1] if isinstance(one, tuple) else one)
