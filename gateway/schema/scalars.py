"""`DateTime`, and ids: how GraphQL's values become REST's."""

import re
from collections.abc import Sequence
from typing import Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.types.scalar import DEFAULT_SCALAR_REGISTRY
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.types.scalar import ScalarDefinition

from chassis import instants
from chassis.errors import invalid
from chassis.query.pagination import INT8

Instante = NewType("Instante", str)
ID = re.compile(r"[1-9][0-9]{0,18}")


def _parse(value: object) -> str:
    """The text, which its owner reads again. Raises InvalidValue."""
    instants.read(value)
    return str(value)


DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description="Data e hora RFC 3339, sempre em UTC nas respostas: 2026-01-31T12:00:00Z.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=str,
    parse_value=_parse,
)


CONFIG = StrawberryConfig(scalar_map={Instante: DATE_TIME})
SCALARS = {**DEFAULT_SCALAR_REGISTRY, Instante: DATE_TIME}
NO_ID = "não é um id: deve ser um número inteiro positivo de até 64 bits"


def int_id(value: str, field: str) -> int:
    """The REST id that a GraphQL ID names. Raises Invalid for one that is no positive integer of 64 bits, or not spelt
    as we write it: caches take `01` and `1` for two rows."""
    if not ID.fullmatch(value) or int(value) > INT8:
        raise invalid(field, "INVALID_ID", NO_ID)
    return int(value)


def int_ids(values: Sequence[str], field: str) -> list[int]:
    """The same for a list, of which the one at fault is named by its place."""
    return [int_id(value, f"{field}.{n}") for n, value in enumerate(values)]


def python_arguments(coerced: dict[str, Any], field: StrawberryField) -> dict[str, Any]:
    """Arguments as graphql-core coerced them, as a resolver of `field` takes them: enums, inputs, Python names."""
    return convert_arguments(coerced, field.arguments, SCALARS, CONFIG)
