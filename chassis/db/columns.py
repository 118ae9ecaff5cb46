"""What a collection asks of its tables, read from a `select()` and from what the columns of its models say."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, cast

from psycopg.rows import args_row
from pydantic import BaseModel
from sqlalchemy import Column, Table
from sqlmodel import SQLModel

from chassis.db.filters import Field
from chassis.db.statements import AnySelect, Conversion, result_conversion

RowDict = dict[str, Any]
"""The representation of one row."""


class Rows:
    """The rows of one resource: where they come from, by what they can be asked for, and how they are shown.

    `statement` selects the resource's model, and after it the models of the joined rows that are shown within, as in
    `select(Produto, Categoria).join(Categoria)`. A representation has the members of `public` that are columns of the
    resource's model. A member that is an object shows the row whose model inherits from the member's type.
    """

    def __init__(self, statement: AnySelect, public: type[BaseModel]) -> None:
        model, *joined = [described["entity"] for described in statement.column_descriptions]
        shown = _shown(model, public)
        objects = {
            member: _shown(other, info.annotation)
            for member, info in public.model_fields.items()
            for other in joined
            if isinstance(info.annotation, type) and issubclass(other, info.annotation)
        }
        self.table = _table(model)
        self.id: Column[Any] = self.table.c.id
        self.joined = [_table(other) for other in joined]
        columns = [*shown, *(column for inner in objects.values() for column in inner)]
        self.select: AnySelect = statement.with_only_columns(*columns)
        """Selects the columns of the representation; the resource's own id comes first."""
        self.width = len(columns)
        self.row: Callable[..., RowDict] = _row(shown, objects)
        """Makes the representation of the values of one row of `select`."""
        self.row_factory = args_row(self.row)
        """The same for psycopg."""
        self.fields = _fields(model)
        """By which clients may filter and order. They may filter by the fields of joined rows, but not order."""
        for other in joined:
            for name, field in _fields(other).items():
                if name != "id":
                    self.fields[name] = replace(field, searched=False, ordered=False, parent=False, joined=True)
        self.folded = folded_texts(self.table)
        self.references = {
            str(key.name): (key.elements[0].parent.name, key.referred_table)
            for key in self.table.foreign_key_constraints
        }
        """The foreign keys: each constraint's name, with its column and the table that it refers to."""


def _table(model: type[SQLModel]) -> Table:
    return cast("Any", model).__table__


def folded_texts(table: Table) -> dict[str, str]:
    """The texts of the table that are folded, each with the column of its folded form."""
    return {column.info["folds"]: column.name for column in table.columns if "folds" in column.info}


def _columns(model: type[SQLModel]) -> list[Column[Any]]:
    """The columns of the table, the id first: a table that inherits its fields has them before its own."""
    return sorted(_table(model).columns, key=lambda column: column.name != "id")


def _shown(model: type[SQLModel], public: type[BaseModel]) -> list[Column[Any]]:
    return [column for column in _columns(model) if column.name in public.model_fields]


def _fields(model: type[SQLModel]) -> dict[str, Field]:
    table, found = _table(model), dict[str, Field]()
    folded = {text: f"{table.name}.{form}" for text, form in folded_texts(table).items()}
    for column in _columns(model):
        if "kind" in column.info:
            said: dict[str, Any] = {**column.info, "folded": folded.get(column.name, "")}
            found[column.name] = Field(sql=f"{table.name}.{column.name}", **said)
    return found


def _row(shown: list[Column[Any]], objects: dict[str, list[Column[Any]]]) -> Callable[..., RowDict]:
    """Makes a representation of the values of `shown`, followed by those of each object.

    The function is written out as source, as dataclasses do it. For two columns it is
    `lambda v0, v1: {"id": v0, "nome": v1}`. To pair names and values anew for each row takes three times as long, which
    is a tenth of a list of 100. Only the values of types that have a conversion are converted: `c1(v1)`.
    """
    conversions: dict[str, Conversion] = {}
    places = count()

    def members(columns: list[Column[Any]]) -> list[str]:
        return [f"{column.name!r}: {value(column)}" for column in columns]

    def value(column: Column[Any]) -> str:
        place = next(places)
        if convert := result_conversion(column.type):
            conversions[f"c{place}"] = convert
            return f"c{place}(v{place})"
        return f"v{place}"

    written = members(shown)
    written += [f"{member!r}: {{{', '.join(members(columns))}}}" for member, columns in objects.items()]
    parameters = ", ".join(f"v{n}" for n in range(next(places)))
    return eval(f"lambda {parameters}: {{{', '.join(written)}}}", conversions)  # noqa: S307 - all names are a model's own
