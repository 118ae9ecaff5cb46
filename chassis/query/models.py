"""The pydantic models for the body of a collection's richer read (`POST …/query/`).

`FILTERS` has the operators of each kind of field. `query_model` builds a collection's own filter and query models from
its fields. OpenAPI and validation both come from these models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    create_model,
    model_validator,
)

from chassis import instants, scalars
from chassis.errors import InvalidValue
from chassis.query.pagination import DEFAULT_SIZE, INT8, MAX_IDS, MAX_PARENTS, MAX_SIZE
from chassis.text import TEXT_MAX, SearchText

MAX_FILTER_TERMS = 200
MAX_FILTER_DEPTH = 10
FILTER_BOUNDS = f"no máximo {MAX_FILTER_TERMS} termos e {MAX_FILTER_DEPTH} níveis"


def _none() -> Any:
    return None


ABSENT: Any = Field(default_factory=_none)
"""A member that may be absent, but not null. The factory keeps `default: null` out of the JSON schema."""

INT64: Any = Field(json_schema_extra={"format": "int64"})  # otherwise a generated client would use 32 bits
Int8 = Annotated[int, Field(strict=True, ge=-INT8 - 1, le=INT8), INT64]
Id = Annotated[int, Field(strict=True, ge=1, le=INT8), INT64]
"""The id of a row: a 64-bit integer from 1."""
InstantText = Annotated[
    instants.Instant,
    PlainValidator(instants.read),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
DecimalText = Annotated[
    Decimal,
    BeforeValidator(scalars.read_decimal),
    WithJsonSchema(scalars.DECIMAL_SCHEMA),
]
Date = Annotated[date, BeforeValidator(scalars.read_date)]
Boolean = Annotated[bool, Field(strict=True)]

Kind = Literal["id", "integer", "decimal", "boolean", "date", "choice", "text", "name", "instant"]
"""What a field is to a client who filters by it. A `name` is a text that is also found by a part of it, without case
and accents. An `id` names a row."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a model says of a field that clients may filter by."""

    kind: Kind
    optional: bool = False
    """It may be null."""
    searched: bool = False
    """The parameter `search` looks through it."""
    ordered: bool = False
    """Clients may order by it."""
    indexed: bool = False
    """An index finds the rows with a given value."""
    parent: bool = False
    """Clients may ask for the first rows of each of its values."""
    choices: tuple[str, ...] = ()
    """The values of a choice."""
    max_length: int = TEXT_MAX
    """The length of a text, in characters."""
    example: Any = None
    joined: bool = False
    """It is a field of another row, which is shown within."""


class StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _comparable(name: str, value: Any, description: str) -> type[StrictModel]:
    """The operators of values that have an order."""
    many: Any = Annotated[list[value], Field(max_length=MAX_IDS, alias="in")]
    members: dict[str, Any] = {"eq": value, "in_": many, "gt": value, "gte": value, "lt": value, "lte": value}
    pairs: dict[str, Any] = {operator: (kind, ABSENT) for operator, kind in members.items()}
    return create_model(name, __base__=StrictModel, __doc__=description, **pairs)


EVERY_OPERATOR = "Every operator given must hold."
IntegerFilter = _comparable("IntegerFilter", Int8, EVERY_OPERATOR)
DecimalFilter = _comparable("DecimalFilter", DecimalText, f"Exact: `1.5` equals `1.50`. {EVERY_OPERATOR}")
DateFilter = _comparable("DateFilter", Date, EVERY_OPERATOR)


class BooleanFilter(StrictModel):
    eq: Boolean = ABSENT


class TextFilter(StrictModel):
    """Both compare exactly."""

    eq: SearchText = ABSENT
    in_: Annotated[list[SearchText], Field(max_length=MAX_IDS, alias="in")] = ABSENT


class NameFilter(TextFilter):
    """`eq` and `in` compare exactly; `contains` and `starts_with` as `search` does, without case and accents."""

    contains: SearchText = ABSENT
    starts_with: SearchText = ABSENT


class InstantFilter(StrictModel):
    """Exact, also for instants that are finer than the microseconds of what is stored."""

    eq: InstantText = ABSENT
    gt: InstantText = ABSENT
    gte: InstantText = ABSENT
    lt: InstantText = ABSENT
    lte: InstantText = ABSENT


class RowFilter(StrictModel):
    """The operators of each field, and the boolean ones; all that is given must hold.

    What is empty means what logic says: `{}` and an empty `and` hold for every row, an empty `or` or `in` for none.
    """

    indexed: ClassVar[frozenset[str]]
    """The fields with an index that finds the rows with a given value."""

    @model_validator(mode="before")
    @classmethod
    def bounded(cls, value: Any) -> Any:
        if exceeds_bounds(value):
            raise InvalidValue("LIMIT_EXCEEDED", FILTER_BOUNDS)
        return value


def _is_indexed(filter: RowFilter) -> bool:
    """Whether an index finds the rows that `filter` matches. It does when these rows must satisfy some `eq` or `in` of
    a field that has an index."""
    for member in filter.model_fields_set:
        operand: Any = getattr(filter, member)
        if member == "not_":
            continue
        if member == "and_":
            indexed = any(map(_is_indexed, operand))
        elif member == "or_":
            indexed = all(map(_is_indexed, operand))
        else:
            indexed = member in filter.indexed and not operand.model_fields_set.isdisjoint(("eq", "in_"))
        if indexed:
            return True
    return False


def exceeds_bounds(filter: Any) -> bool:
    """Whether a filter, as JSON, has more terms or levels than are allowed."""
    terms, level, depth = 0, _children([filter]), 0
    while level:
        depth += 1  # levels of JSON: `{"and": [{…}]}` has two of them for one level of the filter
        terms += len(level)
        if depth > 2 * MAX_FILTER_DEPTH or terms > MAX_FILTER_TERMS:
            return True
        level = [child for node in level for child in _children(node)]
    return False


def _children(node: dict[str, Any] | list[Any]) -> list[Any]:
    """The objects and lists right below one of either."""
    children: Iterable[Any] = node.values() if isinstance(node, dict) else node
    return [child for child in children if isinstance(child, (dict, list))]


class Per(StrictModel):
    """Answer a page for each parent: the rows whose `field` is one of `ids`, top-n by the ordering for each."""

    field: str
    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_PARENTS)]


def _alternatives(schema: dict[str, Any]) -> None:
    """The four shapes that `RichQuery.coherent` allows, as JSON Schema."""
    members = schema.pop("properties")
    del schema["additionalProperties"]
    paged = [name for name in members if name not in ("ids", "first", "last")]

    def shape(title: str, allowed: list[str], required: list[str], **changed: Any) -> dict[str, Any]:
        properties = {name: members[name] for name in allowed} | changed
        found = {"description": title, "type": "object", "properties": properties, "additionalProperties": False}
        return found | ({"required": required} if required else {})

    schema["oneOf"] = [
        shape("Bulk read", ["ids"], ["ids"]),
        shape("Ids that match", ["filter", "ordering", "select"], ["select"], select={"const": "ids"}),
        shape("Page from the start", ["first", *paged], [], select={"const": "rows"}),
        shape("Page from the end", ["last", *paged], ["last"], select={"const": "rows"}),
    ]


class RichQuery(StrictModel):
    """One rich read. Either `ids` alone, or a page (`first`/`after` or `last`/`before`), or a page `per` parent."""

    model_config = ConfigDict(json_schema_extra=_alternatives)

    ids: Annotated[list[Id], Field(max_length=MAX_IDS)] = ABSENT
    filter: RowFilter = ABSENT
    ordering: str = "id"
    first: Annotated[int, Field(strict=True, ge=0, le=MAX_SIZE)] = ABSENT
    after: Annotated[str, Field(strict=True, max_length=2000)] = ABSENT
    last: Annotated[int, Field(strict=True, ge=0, le=MAX_SIZE)] = ABSENT
    before: Annotated[str, Field(strict=True, max_length=2000)] = ABSENT
    count: Annotated[bool, Field(strict=True)] = False
    select: Literal["rows", "ids"] = "rows"

    @model_validator(mode="after")
    def coherent(self) -> RichQuery:
        members = self.model_fields_set
        if "ids" in members and len(members) > 1:
            raise InvalidValue("CONTRADICTION", "ids não se combina com outros membros")
        if {"first", "last"} <= members:
            raise InvalidValue("CONTRADICTION", "first e last não se combinam")
        if self.select == "ids" and members & {"first", "after", "last", "before", "count", "per"}:
            raise InvalidValue("CONTRADICTION", "select ids só se combina com filter e ordering")
        return self

    @property
    def is_search(self) -> bool:
        """Whether the database may have to look at many rows, since no index finds just the ones that are asked for."""
        members = self.model_fields_set
        return (self.count or "filter" in members) and not ("filter" in members and _is_indexed(self.filter))

    @property
    def backward(self) -> bool:
        return "last" in self.model_fields_set

    @property
    def size(self) -> int:
        """The most rows, or ids, in the answer."""
        if self.select == "ids":
            return MAX_IDS
        if not {"first", "last"} & self.model_fields_set:
            return DEFAULT_SIZE
        return self.last if self.backward else self.first


class GroupedQuery(RichQuery):
    """A rich read of a collection whose rows have parents."""

    per: Per = ABSENT

    @property
    def is_search(self) -> bool:
        """An index finds the rows of the parents. With a filter, the database may have to look at all of them."""
        if "per" in self.model_fields_set:
            return "filter" in self.model_fields_set
        return super().is_search


FILTERS: dict[Kind, type[StrictModel]] = {
    "id": IntegerFilter,
    "integer": IntegerFilter,
    "decimal": DecimalFilter,
    "boolean": BooleanFilter,
    "date": DateFilter,
    "text": TextFilter,
    "name": NameFilter,
    "instant": InstantFilter,
}


@cache
def _or_null(filter: type[StrictModel]) -> type[StrictModel]:
    """The operators of an optional field: those of `filter`, and whether the field is null."""
    return create_model(
        f"Optional{filter.__name__}", __base__=filter, __doc__=filter.__doc__, is_null=(Boolean, ABSENT)
    )


def _filter(name: str, field: Declaration) -> type[StrictModel]:
    """The operators of a field. `name` is that of a choice's own filter."""
    filter = FILTERS.get(field.kind)
    if filter is None:
        choice = cast("Any", Literal)[field.choices]
        many: Any = Annotated[list[choice], Field(max_length=MAX_IDS, alias="in")]
        filter = create_model(name, __base__=StrictModel, eq=(choice, ABSENT), in_=(many, ABSENT))
    return _or_null(filter) if field.optional else filter


def query_model(noun: str, fields: Mapping[str, Declaration], orderings: tuple[str, ...]) -> type[RichQuery]:
    """The query model of one collection. `noun` is the business's word for one row."""
    members: dict[str, Any] = {
        name: (_filter(f"{noun}{name.title().replace('_', '')}Filter", field), ABSENT) for name, field in fields.items()
    }
    parents = tuple(name for name, field in fields.items() if field.parent)
    name = f"{noun}Filter"
    many = Annotated[list[name], Field(max_length=MAX_FILTER_TERMS)]  # pyright: ignore
    members |= {
        "and_": (many, Field(default_factory=_none, alias="and")),
        "or_": (many, Field(default_factory=_none, alias="or")),
        "not_": (name, Field(default_factory=_none, alias="not")),
    }
    filters = create_model(name, __base__=RowFilter, __doc__=RowFilter.__doc__, **members)
    filters.model_rebuild(_types_namespace={name: filters})
    filters.indexed = frozenset(name for name, field in fields.items() if field.indexed)
    own: dict[str, Any] = {"filter": (filters, ABSENT), "ordering": (Literal[tuple(orderings)], "id")}
    if not parents:
        return create_model(f"{noun}Query", __base__=RichQuery, __doc__=RichQuery.__doc__, **own)
    per = create_model(f"{noun}Per", __base__=Per, __doc__=Per.__doc__, field=(cast("Any", Literal)[parents], ...))
    return create_model(f"{noun}Query", __base__=GroupedQuery, __doc__=RichQuery.__doc__, per=(per, ABSENT), **own)
