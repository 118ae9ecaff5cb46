"""An operation's variables, coerced exactly as graphql-core does, with a faster path for plain values.

Most values need no coercion: a string for a `String` or an `ID`, an integer of 32 bits for an `Int`, `true` or `false`
for a `Boolean`. Checking that takes a quarter of graphql-core's time. All other values, and all errors, are left to
graphql-core.
"""

from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInt,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    print_ast,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values

MOST_ERRORS = 20
"""How many errors are reported about one document or its variables. Each costs a search for names to suggest."""
INT4 = 2**31
"""The first positive number that does not fit in an `Int`."""
PYTHON_TYPES: dict[str, type] = {
    str(GraphQLString): str,
    str(GraphQLID): str,
    str(GraphQLInt): int,
    str(GraphQLBoolean): bool,
}
ABSENT = object()


@dataclass(frozen=True, slots=True)
class PlainVariable:
    """A variable whose values need no coercion, if they are of the Python type `kind`."""

    signature: GraphQLVariableSignature
    kind: type
    omissible: bool
    """Whether the variable is nullable and has no default value: if it is omitted, it has no value."""


class Variables:
    """The variables that one operation declares."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode, *, hide_suggestions: bool) -> None:
        self._schema, self._hide = schema, hide_suggestions
        self._declared = operation.variable_definitions or ()
        self._plain: dict[str, PlainVariable] | None = {}
        """The variables by name; None if one of them is of another type."""
        for node in self._declared:
            signature = get_variable_signature(schema, node)
            declared = print_ast(node.type)
            kind = PYTHON_TYPES.get(declared.rstrip("!"))
            if isinstance(signature, GraphQLError) or kind is None:
                self._plain = None
                break
            omissible = not declared.endswith("!") and node.default_value is None
            self._plain[signature.name] = PlainVariable(signature, kind, omissible)

    def coerced(self, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """The variables' values, or the errors in the values that are `given`."""
        return self._plain_values(given) or get_variable_values(
            self._schema, self._declared, given, MOST_ERRORS, hide_suggestions=self._hide
        )

    def _plain_values(self, given: dict[str, Any]) -> VariableValues | None:
        """The values, if none needs coercion; otherwise None."""
        if self._plain is None:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, plain in self._plain.items():
            value = given.get(name, ABSENT)
            if type(value) is plain.kind and (plain.kind is not int or -INT4 <= value < INT4):
                sources[name] = VariableValueSource(plain.signature, value)
                coerced[name] = value
            elif value is ABSENT and plain.omissible:
                sources[name] = VariableValueSource(plain.signature)
            else:
                return None
        return VariableValues(sources, coerced)
