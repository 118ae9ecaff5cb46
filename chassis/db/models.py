"""The fields that the tables of all services are made of. A field says once what it is: its type, its bounds, and what
clients may do by it. Its column, the bodies, the parameters, the SQL and the documents follow from that.

Each service makes its own base class with `registry=tables()`, since SQLModel's global metadata would mix the tables of
two services in one test process.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict, Unpack, cast, get_args

from pydantic import AfterValidator, BeforeValidator, Strict
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    MetaData,
    Numeric,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from chassis import scalars
from chassis.db.changes import add_change_tables
from chassis.db.filters import sort_key
from chassis.db.folding import OLDER_FOLD
from chassis.query.pagination import INT8
from chassis.text import LAST_CHARACTER, NAME_MAX, describe_text, fold, text_constraints, valid_text

# The names of constraints, the same for Alembic and PostgreSQL, so that an error can be traced to its field.
NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}


def tables() -> registry:
    """The registry for one service's tables. Those of its feed of changes are there from the beginning."""
    metadata = MetaData(naming_convention=NAMING)
    add_change_tables(metadata)
    return registry(metadata=metadata)


def id_field() -> Any:
    """A 64-bit primary key, assigned by the database."""
    info = {"kind": "id", "ordered": True, "indexed": True}
    return Field(
        sa_column=Column(BigInteger, Identity(always=False), primary_key=True, info=info),
        schema_extra={"examples": [1]},
    )


def reference_field(to: str | None = None) -> Any:
    """The id of another row, by which clients may ask for pages per parent. `to` is the column that it refers to; None:
    another service owns that row, so there can be no foreign key."""
    more: dict[str, Any] = {} if to is None else {"foreign_key": to, "ondelete": "CASCADE"}
    return _field(BigInteger, 1, {"kind": "id", "parent": True, "indexed": True}, {}, **more)


def name_field(example: str, folded: str = "nome_busca") -> Any:
    """A name, of the type `chassis.text.Name`. Clients may search and order by it. Its folded form is in the column
    `folded`."""
    info = {"kind": "name", "folded": folded, "searched": True, "ordered": True, "indexed": True}
    return _field(Text, example, info | {"max_length": NAME_MAX}, {})


def instant_field() -> Any:
    """When the row was created; the database sets it once. Clients may order by it."""
    column = {"server_default": func.clock_timestamp()}
    info = {"kind": "instant", "ordered": True, "indexed": True}
    return _field(DateTime(timezone=True), "2025-08-06T17:30:00Z", info, {}, sa_column_kwargs=column)


MAX_ORDERED_TEXT = 300
"""The longest text that clients may order by, in characters: an entry of an index must hold its folded form, and a
cursor the text itself."""


class Options(TypedDict, total=False):
    """What can be said of each field below, whatever its kind."""

    default: Any
    """The value in a body that does not have the field. With None the field is optional, and its type is `… | None`;
    without a default it is required."""
    existing: Any
    """The value of the rows that are there before a required field is added, and of those that older code writes."""
    ordered: bool
    """Clients may order by it."""
    description: str


def text_field(example: str, *, max_length: int, searched: bool = False, **options: Unpack[Options]) -> Any:
    """A `str` of 1 to `max_length` characters, in NFC and trimmed. When it is `searched` or ordered, it is folded like
    a name, and clients may filter by a part of it; otherwise only by the whole."""
    if options.get("ordered") and max_length > MAX_ORDERED_TEXT:
        raise ValueError(f"an ordered text has at most {MAX_ORDERED_TEXT} characters")
    info: dict[str, Any] = {"kind": "text", "max_length": max_length}
    if searched or options.get("ordered"):
        info |= {"kind": "name", "folded": None, "searched": searched}
    made = _field(
        Text, example, info, options, schema_extra={"json_schema_extra": describe_text(max_length, LAST_CHARACTER)}
    )
    made.metadata += [
        text_constraints(LAST_CHARACTER),
        _read(lambda text: valid_text(text, max_length), AfterValidator),
    ]
    return made


def integer_field(
    example: int, *, minimum: int = -(2**31), maximum: int = 2**31 - 1, **options: Unpack[Options]
) -> Any:
    """An `int`. Without other bounds it has 32 bits, which every client's integer has."""
    if maximum >= INT8:
        raise ValueError(f"maximum must be below {INT8}, where rows without a value stand")
    made = _field(BigInteger, example, {"kind": "integer"}, options, ge=minimum, le=maximum)
    made.metadata.append(Strict())
    return made


def decimal_field(
    example: str,
    *,
    digits: int,
    places: int,
    minimum: int | None = None,
    maximum: int | None = None,
    **options: Unpack[Options],
) -> Any:
    """An exact `Decimal` of at most `digits` digits, of which `places` are after the point. JSON has it as text."""
    bounds = {"max_digits": digits, "decimal_places": places, "ge": minimum, "le": maximum}
    schema = {"json_schema_extra": scalars.describe_decimal}
    made = _field(Numeric(digits, places), example, {"kind": "decimal"}, options, schema_extra=schema, **bounds)
    made.metadata.append(_read(scalars.read_decimal, BeforeValidator))
    return made


def boolean_field(example: bool, **options: Unpack[Options]) -> Any:
    """A `bool`."""
    made = _field(Boolean, example, {"kind": "boolean", "indexed": False}, options)
    made.metadata.append(Strict())
    return made


def date_field(example: str, **options: Unpack[Options]) -> Any:
    """A `date`."""
    made = _field(Date, example, {"kind": "date"}, options)
    made.metadata.append(_read(scalars.read_date, BeforeValidator))
    return made


def choice_field(choices: Any, example: str, **options: Unpack[Options]) -> Any:
    """One of some texts. `choices` is also the field's type: `Condicao = Literal["NOVO", "USADO"]`."""
    return _field(
        Text(collation="C"), example, {"kind": "choice", "choices": get_args(choices), "indexed": False}, options
    )


def _field(sql_type: Any, example: Any, info: dict[str, Any], options: Options, **more: Any) -> Any:
    """SQLModel's field, whose column has `info` for `Rows` and `table_parts`."""
    default, existing = options.get("default", ...), options.get("existing", options.get("default"))
    ordered = options.get("ordered", False)
    info = {"optional": default is None, "ordered": ordered, "indexed": ordered, "example": example, **info}
    column: dict[str, Any] = {"nullable": default is None, "info": info, **more.pop("sa_column_kwargs", {})}
    if existing is not None and existing is not ...:
        column["server_default"] = str(existing).lower() if isinstance(existing, bool) else str(existing)
    return Field(
        default,
        sa_type=sql_type,
        sa_column_kwargs=column,
        description=options.get("description"),
        schema_extra={"examples": [example], **more.pop("schema_extra", {})},
        **more,
    )


def _read(read: Callable[[Any], Any], validator: Callable[..., Any]) -> Any:
    """`read` as pydantic's validator of a field that may be null."""

    def validate(value: Any) -> Any:
        return None if value is None else read(value)

    return validator(validate)


def table_parts(table: str, model: type[SQLModel]) -> tuple[Any, ...]:
    """What the table of `model` has besides its fields, for `__table_args__`: the folded forms of its texts, the
    indexes to order by, also within each parent, and the checks of its choices."""
    columns: list[Column[Any]] = []
    indexes: list[Index] = []
    checks: list[CheckConstraint] = []
    keys: dict[str, str] = {}
    """The SQL to order by, for each column that clients may order by."""
    parents: list[str] = []
    for name, field in model.model_fields.items():
        if (column := _column_arguments(field)) is None:  # it is the id, or is only written and shown
            continue
        info = column["info"]
        key = name
        if "folded" in info:
            key = info["folded"] or f"{name}_busca"
            columns.append(_folded_column(key, name, info["optional"], column.get("server_default")))
        if info["ordered"]:
            keys[key] = sort_key(info["kind"], key, info["optional"])
        if info.get("parent"):
            parents.append(name)
        if info.get("choices"):
            allowed = ", ".join(f"'{choice}'" for choice in info["choices"])
            checks.append(CheckConstraint(f"{name} IN ({allowed})", name=name))
    for parent in ([], *([name] for name in parents)):
        indexes += [_index(table, [*parent, key], [*parent, sql]) for key, sql in keys.items()]
        indexes += [_index(table, parent, parent)] if parent else []
    if columns:
        columns.append(Column("fold_version", SmallInteger, server_default="1", nullable=False))
        indexes.append(Index(f"{table}_fold_version_idx", "id", postgresql_where=text(OLDER_FOLD)))
    return (*columns, *indexes, *checks)


def _column_arguments(field: Any) -> dict[str, Any] | None:
    """What `_field` said of the column. SQLModel keeps it in the metadata of a field whose type is annotated."""
    for place in (field, *field.metadata):
        found = getattr(place, "sa_column_kwargs", None)
        if isinstance(found, dict) and "info" in found:
            return cast("dict[str, Any]", found)
    return None


def _folded_column(name: str, text: str, optional: bool, default: str | None) -> Column[Any]:
    """The folded form of the column `text`, compared bytewise on every server."""
    server_default = None if default is None else fold(default)
    return Column(name, Text(collation="C"), nullable=optional, server_default=server_default, info={"folds": text})


def _index(table: str, names: list[str], expressions: list[str]) -> Index:
    """An index of the `expressions` and the id. `names` are the columns that they are about."""
    parts = [sql if sql == name else text(f"({sql})") for name, sql in zip(names, expressions, strict=True)]
    return Index("_".join([table, *names, "id_idx"]), *parts, "id")


class IdempotencyColumns(SQLModel):
    """The first successful answer to a write with a key, stored beside what it wrote (see `chassis.db.idempotency`)."""

    # `sa_type`, not `sa_column`: a Column belongs to one table, and every service has a table with these columns.
    key: str = Field(primary_key=True, sa_type=Text)
    fingerprint: str = Field(sa_type=Text)
    answer: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(
        default=None,
        sa_type=cast("Any", DateTime(timezone=True)),
        sa_column_kwargs={"server_default": func.clock_timestamp()},
        index=True,
    )
