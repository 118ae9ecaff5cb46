"""The query parameters of a collection: how each is read from its text, and how OpenAPI describes it.

They are read strictly: an unknown parameter, one that is given twice, or a value out of range is a 422 that names it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis import instants
from chassis.errors import FieldError, Invalid, InvalidValue
from chassis.query.pagination import INT8
from chassis.text import compose
from chassis.web.query_string import is_text

INTEGER = re.compile(r"-?[0-9]+")
INTEGERS = re.compile(r"-?[0-9]{1,18}(,-?[0-9]{1,18})*")
"""A list of integers that surely fit into 64 bits."""


@dataclass(frozen=True)
class Parameter:
    """`read` turns the text into a value, or raises InvalidValue."""

    name: str
    description: str
    schema: dict[str, Any]
    read: Callable[[str], Any]
    example: Any

    def openapi(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "name": self.name,
            "in": "query",
            "required": False,
            "description": self.description,
            # In the schema: documentation pages send a parameter's own example with every request, and the examples of
            # all parameters together are contradictory.
            "schema": self.schema | {"examples": [self.example]},
        }
        return document | ({"style": "form", "explode": False} if self.schema["type"] == "array" else {})


def read_all(given: Iterable[tuple[str, str]], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """The value of every given parameter. Raises Invalid, which names each one at fault."""
    values: dict[str, Any] = {}
    wrong: list[FieldError] = []
    for name, text in given:
        if name not in known:
            shown = name.encode(errors="replace").decode()
            wrong.append(FieldError(shown, "UNKNOWN_PARAMETER", "parâmetro desconhecido"))
        elif not is_text(text):
            wrong.append(FieldError(name, "INVALID_CHARACTER", "não é UTF-8 válido"))
        elif name in values:
            wrong.append(FieldError(name, "REPEATED_PARAMETER", "parâmetro repetido"))
        else:
            try:
                values[name] = known[name].read(text)
            except InvalidValue as failure:
                values[name] = None
                wrong.append(FieldError(name, failure.code, failure.message))
    if wrong:
        raise Invalid(f"{wrong[0].field}: {wrong[0].message}", errors=wrong)
    return values


def read_integer(text: str, low: int = -INT8 - 1, high: int = INT8) -> int:
    """Reads an integer in decimal digits. Raises InvalidValue."""
    if not INTEGER.fullmatch(text):
        raise InvalidValue("NOT_AN_INTEGER", "deve ser um número inteiro")
    value = int(text) if len(text) <= 20 else INT8 + 1  # a longer text is out of range, and could take long to convert
    if not low <= value <= high:
        raise InvalidValue("OUT_OF_RANGE", f"deve estar entre {low} e {high}")
    return value


def integer(name: str, description: str, low: int, high: int, default: int) -> Parameter:
    schema = {"type": "integer", "minimum": low, "maximum": high, "default": default}
    return Parameter(name, description, schema, lambda text: read_integer(text, low, high), default)


def integers(name: str, description: str, at_most: int) -> Parameter:
    """Several integers in one parameter, separated by commas."""

    def read(text: str) -> list[int]:
        if text.count(",") >= at_most:
            raise InvalidValue("TOO_MANY", f"no máximo {at_most} valores")
        if INTEGERS.fullmatch(text):  # all at once: reading them one by one would cost a bulk read as much as its SQL
            return list(map(int, text.split(",")))
        return [read_integer(part) for part in text.split(",")]

    item = {"type": "integer", "format": "int64", "minimum": -INT8 - 1, "maximum": INT8}
    schema = {"type": "array", "items": item, "minItems": 1, "maxItems": at_most}
    return Parameter(name, description, schema, read, [1, 2, 3])


def choice(name: str, description: str, options: tuple[str, ...], default: str) -> Parameter:
    def read(text: str) -> str:
        if text not in options:
            raise InvalidValue("INVALID_CHOICE", f"deve ser um de: {', '.join(options)}")
        return text

    schema = {"type": "string", "enum": list(options), "default": default}
    return Parameter(name, description, schema, read, options[-1])


def boolean(name: str, description: str) -> Parameter:
    def read(text: str) -> bool:
        if text not in ("true", "false"):
            raise InvalidValue("NOT_A_BOOLEAN", "deve ser true ou false")
        return text == "true"

    return Parameter(name, description, {"type": "boolean", "default": False}, read, True)


def text(name: str, description: str, at_most: int, example: str) -> Parameter:
    def read(text: str) -> str:
        if "\0" in text:
            raise InvalidValue("INVALID_CHARACTER", "contém caracteres não permitidos")
        return compose(text, at_most)

    schema = {"type": "string", "maxLength": at_most, "pattern": "^[^\\u0000]*$"}
    return Parameter(name, description, schema, read, example)


def instant(name: str, description: str) -> Parameter:
    def read(text: str) -> str:
        instants.read(text)
        return text  # the filter reads it again, as for a POST

    return Parameter(name, description, {"type": "string", "format": "date-time"}, read, "2026-01-31T12:00:00Z")
