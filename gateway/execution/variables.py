"""An operation's variables, coerced exactly as graphql-core does, and faster where there is nothing to coerce.

A text for a `String` or an `ID`, a small whole number for an `Int`, a truth value for a `Boolean`: most variables are
what they are to become, and looking takes a quarter of graphql-core's time. Everything else, errors too, is left to it.
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
"""Errors answered about one document, or about its variables: each costs a look for what may have been meant."""
INT4 = 2**31
PLAIN: dict[str, type] = {str(GraphQLString): str, str(GraphQLID): str, str(GraphQLInt): int, str(GraphQLBoolean): bool}
ABSENT = object()


@dataclass(frozen=True, slots=True)
class Plain:
    """A variable of a plain type."""

    signature: GraphQLVariableSignature
    kind: type
    omissible: bool
    """Whether it may be absent, and has no default then."""


class Variables:
    """The variables that one operation declares."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode, *, hide_suggestions: bool) -> None:
        self._schema, self._hide = schema, hide_suggestions
        self._declared = operation.variable_definitions or ()
        self._plain: dict[str, Plain] | None = {}
        for node in self._declared:
            signature = get_variable_signature(schema, node)
            declared = print_ast(node.type)
            kind = PLAIN.get(declared.rstrip("!"))
            if isinstance(signature, GraphQLError) or kind is None:
                self._plain = None
                break
            omissible = not declared.endswith("!") and node.default_value is None
            self._plain[signature.name] = Plain(signature, kind, omissible)

    def coerced(self, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """Their values, or what is wrong with those that are `given`."""
        return self._as_they_are(given) or get_variable_values(
            self._schema, self._declared, given, MOST_ERRORS, hide_suggestions=self._hide
        )

    def _as_they_are(self, given: dict[str, Any]) -> VariableValues | None:
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
