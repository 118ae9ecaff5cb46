"""A field's arguments for a plan: what the document says is coerced once, what variables say is looked up each time."""

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
from strawberry.types.field import StrawberryField

from gateway.declarations import Convert

AS_THEY_ARE = ("Int", "String", "ID")
"""Types whose coerced value is what a resolver takes."""


class Arguments:
    """The arguments of one field of one document, coerced exactly as graphql-core does.

    An argument without variables is coerced once. One that is a variable of a plain type was coerced with the
    variables. Only a variable inside a filter, or as an order, makes all of them be coerced again for each request.
    """

    def __init__(self, definition: GraphQLField, node: FieldNode, field: StrawberryField, convert: Convert) -> None:
        self._definition, self._node, self._field, self._convert = definition, node, field, convert
        self._constant: dict[str, Any] | None = None
        self._variables: dict[str, str] = {}
        """Arguments that are variables of a plain type: which ones."""
        self._required: list[str] = []
        """Those of them that must not be null."""
        names = {argument.python_name for argument in field.arguments}
        fixed: list[ArgumentNode] = []
        for argument in node.arguments or ():
            name, value = argument.name.value, argument.value
            kind = str(getattr(definition.args[name], "type"))  # noqa: B009  # graphql-core types it in part only
            plain = name in names and kind.rstrip("!") in AS_THEY_ARE
            if plain and isinstance(value, VariableNode):
                self._variables[name] = value.name.value
                self._required += [value.name.value] * kind.endswith("!")
            else:
                fixed.append(argument)
        if not any(_has_variable(argument.value) for argument in fixed):
            rest = copy(definition)
            rest.args = {name: one for name, one in definition.args.items() if name not in self._variables}
            self._constant = self._once(rest, FieldNode(name=node.name, arguments=tuple(fixed)))

    def of(self, variables: VariableValues) -> dict[str, Any]:
        """The arguments by their Python names. Raises GraphQLError."""
        coerced = variables.coerced
        if self._constant is None or any(coerced.get(variable) is None for variable in self._required):
            return self._convert(get_argument_values(self._definition, self._node, variables), self._field)
        given = {name: coerced[variable] for name, variable in self._variables.items() if variable in coerced}
        return self._constant | given

    def _once(self, definition: GraphQLField, node: FieldNode) -> dict[str, Any] | None:
        try:
            return self._convert(get_argument_values(definition, node), self._field)
        except GraphQLError:
            return None  # what is missing or wrong is said when the field runs, as the reference says it


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
