"""Variables that the gateway takes without coercion have the same values as after graphql-core's coercion, and so do
all others."""

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from graphql.execution.values import VariableValues, get_variable_values

from gateway import schema
from gateway.execution.variables import Variables

SCHEMA = schema.core(schema.build())
TYPES = ("Int", "Int!", "Int = 7", "ID", "ID!", 'ID = "7"', "String", "String!", "Boolean", "Boolean! = true", "[ID!]")
VALUES: tuple[Any, ...] = (
    0,
    -0.0,
    1.0,
    1.5,
    True,
    False,
    2**31 - 1,
    2**31,
    -(2**31),
    -(2**31) - 1,
    10**40,
    float("inf"),
    "",
    "7",
    "é",
    None,
    [],
    ["7"],
    {},
)


def of(text: str) -> OperationDefinitionNode:
    [operation] = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def said(found: VariableValues | list[Any]) -> Any:
    if isinstance(found, list):
        return [one.message for one in found]
    sources: dict[str, Any] = found.sources
    given = {
        name: (source.signature.name, str(source.signature.type), source.value) for name, source in sources.items()
    }
    return [(name, type(value), value) for name, value in found.coerced.items()], given


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("given", [{}, *({"v": value} for value in VALUES)], ids=repr)
def test_a_value_comes_to_what_graphql_core_makes_of_it(kind: str, given: dict[str, Any]) -> None:
    operation = of(f"query ($v: {kind}) {{ __typename }}")

    found = Variables(SCHEMA, operation, hide_suggestions=False).coerced(given)

    assert said(found) == said(get_variable_values(SCHEMA, operation.variable_definitions or (), given, 20))


def test_what_nobody_declared_is_left_out() -> None:
    found = Variables(SCHEMA, of("query ($a: Int) { __typename }"), hide_suggestions=False).coerced({"a": 1, "b": 2})

    assert isinstance(found, VariableValues)
    assert found.coerced == {"a": 1}


def test_a_type_that_is_not_there_is_an_error() -> None:
    found = Variables(SCHEMA, of("query ($a: Nada) { __typename }"), hide_suggestions=False).coerced({"a": 1})

    assert isinstance(found, list)
