"""Decimals and dates as JSON has them: a decimal is a text like "12.50", and a date one like "2026-01-31".

A decimal is not a JSON number, since most programs read those as binary fractions: 0.1 would not stay exact.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from chassis.errors import InvalidValue

MAX_DIGITS = 100
"""The longest decimal that is read, in characters. It is longer than any that can be stored."""
_DECIMAL = re.compile(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$")
DECIMAL_SCHEMA: dict[str, Any] = {"type": "string", "pattern": _DECIMAL.pattern, "maxLength": MAX_DIGITS}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_decimal(value: object) -> Decimal:
    """The decimal that `value` is, or that it writes. Raises InvalidValue."""
    if isinstance(value, Decimal):  # it comes from the database
        return value
    if not isinstance(value, str) or len(value) > MAX_DIGITS or not _DECIMAL.fullmatch(value):
        raise InvalidValue("NOT_A_DECIMAL", 'deve ser um número decimal em um texto, como "12.50"')
    return Decimal(value)


def describe_decimal(schema: dict[str, Any]) -> None:
    """Replaces pydantic's JSON schema of a decimal, which may be a number too."""
    null = {"type": "null"}
    schema |= {"anyOf": [DECIMAL_SCHEMA, null]} if null in schema.pop("anyOf") else DECIMAL_SCHEMA


def read_date(value: object) -> date:
    """The date that `value` is, or that it writes. Raises InvalidValue."""
    if isinstance(value, date):  # it comes from the database
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise InvalidValue("NOT_A_DATE", "essa data não existe") from None
    raise InvalidValue("NOT_A_DATE", "deve ser uma data, como 2026-01-31")


def to_json(value: Any) -> str:
    """Writes what orjson does not know: a decimal, with all its places."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} is no JSON")
