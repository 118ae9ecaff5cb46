"""The scalars `DateTime`, `Date` and `Decimal`, and the translation of GraphQL's values to REST's."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, NewType, cast

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.types.scalar import DEFAULT_SCALAR_REGISTRY
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.types.scalar import ScalarDefinition

from chassis import instants, scalars
from gateway.rows import int_id

Instante = NewType("Instante", str)


def _parse(value: object) -> str:
    """The text itself, if it is an instant; the service that gets it parses it. Raises InvalidValue."""
    instants.read(value)
    return str(value)


DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description="Data e hora RFC 3339, sempre em UTC nas respostas: 2026-01-31T12:00:00Z.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=str,
    parse_value=_parse,
)
DATE: ScalarDefinition = strawberry.scalar(
    name="Date",
    description="Data: 2026-01-31.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=date.isoformat,
    parse_value=scalars.read_date,
)
DECIMAL: ScalarDefinition = strawberry.scalar(
    name="Decimal",
    description='Número decimal exato, em um texto: "12.50".',
    serialize=scalars.to_json,
    parse_value=scalars.read_decimal,
)

OWN_SCALARS: dict[object, ScalarDefinition] = {Instante: DATE_TIME, date: DATE, Decimal: DECIMAL}
CONFIG = StrawberryConfig(scalar_map=OWN_SCALARS)
SCALARS = {**DEFAULT_SCALAR_REGISTRY, **OWN_SCALARS}


def int_ids(values: Sequence[str], field: str) -> list[int]:
    """The REST ids for a list of GraphQL IDs. An error names the invalid ID by its index."""
    return [int_id(value, f"{field}.{n}") for n, value in enumerate(values)]


def rest_value(value: Any) -> Any:
    """An argument's value as the services' JSON has it."""
    match value:
        case Decimal():
            return scalars.to_json(value)
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case list():
            return [rest_value(one) for one in cast("list[Any]", value)]
        case _:
            return value


def python_arguments(coerced: dict[str, Any], field: StrawberryField) -> dict[str, Any]:
    """Converts arguments that graphql-core has coerced to what a resolver takes: enums, input objects, Python names."""
    return convert_arguments(coerced, field.arguments, SCALARS, CONFIG)
