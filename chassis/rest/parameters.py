"""The query parameters of a collection, as a pydantic model that is derived from the kinds of its fields."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, create_model

from chassis import instants, scalars
from chassis.db.filters import Fields, orderings
from chassis.errors import InvalidValue
from chassis.query.models import ABSENT, Declaration, StrictModel
from chassis.query.pagination import DEFAULT_SIZE, INT8, MAX_SIZE, cursor
from chassis.text import TEXT_MAX, compose
from chassis.web.reading import INTEGER

INTEGERS = re.compile(r"-?[0-9]{1,18}(,-?[0-9]{1,18})*")
"""A list of integers that surely fit into 64 bits."""
MAX_BULK_IDS = 1000


def parameter(description: str, example: Any, default: Any = None) -> Any:
    """A member of a model of parameters."""
    # The example is in the schema: documentation pages send a parameter's own example with every request, and the
    # examples of all parameters together are contradictory.
    return Field(default, description=description, examples=[example])


def described(kind: Any, validator: Any, **schema: Any) -> Any:
    """The type `kind` with a validator, and what JSON Schema says of the values that it accepts."""
    return Annotated[kind, validator, Field(json_schema_extra=schema)]


def text(at_most: int) -> Any:
    """A text of at most so many characters in NFC, which is what it is turned into."""
    validator = AfterValidator(lambda text: compose(text, at_most))
    return described(str, validator, maxLength=at_most, pattern="^[^\\u0000]*$")


def between(low: int, high: int) -> Any:
    """An integer with both bounds, which its error names together."""
    return described(int, AfterValidator(lambda value: _between(low, high, value)), minimum=low, maximum=high)


def choice(options: tuple[str, ...]) -> Any:
    """One of these texts."""

    def check(value: str) -> str:
        if value not in options:
            raise InvalidValue("INVALID_CHOICE", f"deve ser um de: {', '.join(options)}")
        return value

    return described(str, AfterValidator(check), enum=list(options))


def _read_integers(text: str) -> list[int]:
    """Up to a thousand integers in one parameter, separated by commas."""
    if text.count(",") >= MAX_BULK_IDS:
        raise InvalidValue("TOO_MANY", f"no máximo {MAX_BULK_IDS} valores")
    if INTEGERS.fullmatch(text):  # all at once: reading them one by one would cost a bulk read as much as its SQL
        return list(map(int, text.split(",")))
    return [_read_integer(part) for part in text.split(",")]


def _read_integer(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise InvalidValue("NOT_AN_INTEGER", "deve ser um número inteiro")
    value = int(text) if len(text) <= 20 else INT8 + 1  # a longer text is out of range, and could take long to convert
    return _between(-INT8 - 1, INT8, value)


def _between(low: int, high: int, value: int) -> int:
    if not low <= value <= high:
        raise InvalidValue("OUT_OF_RANGE", f"deve estar entre {low} e {high}")
    return value


def _read_instant(text: str) -> str:
    instants.read(text)
    return text  # the filter reads it again, as for a POST


INTEGERS_TYPE = described(
    Any,  # not a list, since FastAPI would read each value of a list from a parameter of its own
    PlainValidator(_read_integers),
    type="array",
    items={"type": "integer", "format": "int64", "minimum": -INT8 - 1, "maximum": INT8},
    minItems=1,
    maxItems=MAX_BULK_IDS,
    style="form",
    explode=False,
)
INTEGER_TYPE = described(int, AfterValidator(lambda value: _between(-INT8 - 1, INT8, value)), format="int64")
DECIMAL_TYPE = described(str, PlainValidator(scalars.read_decimal), **scalars.DECIMAL_SCHEMA)
DATE_TYPE = described(str, PlainValidator(scalars.read_date), type="string", format="date")
INSTANT_TYPE = described(str, PlainValidator(_read_instant), type="string", format="date-time")


class ListParameters(StrictModel):
    """The query parameters that every collection has, as they are read."""

    page_size: int = DEFAULT_SIZE
    cursor: str = ABSENT
    before: str = ABSENT
    ordering: str = "id"
    count: bool = False
    id: Any = ABSENT


def parameters_of(noun: str, fields: Fields) -> type[ListParameters]:
    """The model of one collection's query parameters: those that every collection has, and those of its fields."""
    offered, mark = orderings(fields), cursor("id", None, 100)
    after = "Opaque: the page after this place, from a `Link` with rel=next."
    before = "Opaque: the page before this place, from a `Link` with rel=prev."
    members: dict[str, Any] = {
        "page_size": (between(1, MAX_SIZE), parameter("Rows in the page.", DEFAULT_SIZE, DEFAULT_SIZE)),
        "cursor": (text(2000), parameter(after, mark)),
        "before": (text(2000), parameter(before, mark)),
        "count": (bool, parameter("Answer `X-Total-Count`: all rows that match.", True, False)),
        "ordering": (choice(offered), parameter("Ascending by a field, or descending with `-`.", offered[-1], "id")),
        "id": (INTEGERS_TYPE, parameter("Bulk read: these ids; absent ones are simply missing.", [1, 2, 3])),
    }
    for name, field in fields.items():
        if name != "id" and not field.joined:
            filters = _parameters_of_field(name, field)
            if taken := filters.keys() & {"search", *members}:
                raise ValueError(f"{noun}.{name} needs another name: lists have the parameter {min(taken)} already")
            members |= filters
    if searched := [name for name, field in fields.items() if field.searched]:
        said = f"Part of {' or '.join(searched)}, whatever its case and accents."
        members["search"] = (text(TEXT_MAX), parameter(said, "joao"))
    return create_model(f"{noun}Parameters", __base__=ListParameters, **members)


def _parameters_of_field(name: str, field: Declaration) -> dict[str, Any]:
    """The parameters that filter by one field, by its kind."""
    exactly = parameter(f"Rows whose {name} is exactly this.", field.example)
    match field.kind:
        case "id":
            return {name: (INTEGERS_TYPE, parameter(f"Rows whose {name} is one of these.", [1, 2, 3]))}
        case "text" | "name":
            return {name: (text(min(field.max_length, TEXT_MAX)), exactly)}
        case "choice":
            return {name: (choice(field.choices), exactly)}
        case "boolean":
            return {name: (bool, exactly)}
        case "integer":
            kind = INTEGER_TYPE
        case "decimal":
            kind = DECIMAL_TYPE
        case "date":
            kind = DATE_TYPE
        case "instant":
            kind = INSTANT_TYPE
    bounds = {"": "of exactly", "__gte": "at or after", "__lte": "at or before"}
    return {
        name + suffix: (kind, parameter(f"Rows {when} this {name}.", field.example)) for suffix, when in bounds.items()
    }
