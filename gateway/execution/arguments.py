"""A field's arguments in a plan. Literal values are coerced once; variables are looked up in each request."""

from copy import copy
from typing import Any

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLError,
    GraphQLField,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_argument_values,
)
from graphql.execution.values import VariableValues

from gateway.declarations import ConvertArguments, strawberry_field

PLAIN_TYPES = ("Int", "String", "ID")
"""Types whose coerced value is what a resolver takes, without a conversion by Strawberry."""


class FieldArguments:
    """The arguments of one field of one document, coerced exactly as graphql-core does.

    An argument without variables is coerced once. An argument that is a variable of a plain type has already been
    coerced with the operation's variables. Any other use of a variable (inside a filter, or as an order) makes this
    field coerce all of its arguments in each request.
    """

    def __init__(self, definition: GraphQLField, node: FieldNode, convert: ConvertArguments) -> None:
        self._definition, self._node, self._convert = definition, node, convert
        self._field = strawberry_field(definition)
        self._constant: dict[str, Any] | None = None
        """The arguments without variables; None if all must be coerced in each request."""
        self._variables: dict[str, str] = {}
        """The variable's name for each argument that is a variable of a plain type."""
        self._required: list[str] = []
        """Those of these variables that must not be null."""
        names = {argument.python_name for argument in self._field.arguments}
        others: list[ArgumentNode] = []
        for argument in node.arguments or ():
            name, value = argument.name.value, argument.value
            kind = str(getattr(definition.args[name], "type"))  # noqa: B009  # graphql-core types it in part only
            plain = name in names and kind.rstrip("!") in PLAIN_TYPES
            if plain and isinstance(value, VariableNode):
                self._variables[name] = value.name.value
                if kind.endswith("!"):
                    self._required.append(value.name.value)
            else:
                others.append(argument)
        if not any(_has_variable(argument.value) for argument in others):
            without_variables = copy(definition)
            without_variables.args = {name: one for name, one in definition.args.items() if name not in self._variables}
            self._constant = self._coerced_once(without_variables, FieldNode(name=node.name, arguments=tuple(others)))

    def values(self, variables: VariableValues) -> dict[str, Any]:
        """The arguments by their Python names. Raises GraphQLError."""
        coerced = variables.coerced
        if self._constant is None or any(coerced.get(variable) is None for variable in self._required):
            return self._convert(get_argument_values(self._definition, self._node, variables), self._field)
        given = {name: coerced[variable] for name, variable in self._variables.items() if variable in coerced}
        return self._constant | given

    def _coerced_once(self, definition: GraphQLField, node: FieldNode) -> dict[str, Any] | None:
        try:
            return self._convert(get_argument_values(definition, node), self._field)
        except GraphQLError:
            return None  # the error is raised when the field runs, since graphql-core reports it then


def _has_variable(value: ValueNode) -> bool:
    match value:
        case VariableNode():
            return True
        case ListValueNode():
            return any(map(_has_variable, value.values))
        case ObjectValueNode():
            return any(_has_variable(field.value) for field in value.fields)
        case _:
            return False
