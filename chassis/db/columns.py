"""What a collection asks of its table, read from what the columns of its model say."""

from collections.abc import Callable
from itertools import count
from typing import Any, cast

from pydantic import BaseModel
from sqlalchemy import Column, Table
from sqlmodel import SQLModel

from chassis.db.filters import Field, Fields

RowDict = dict[str, Any]
"""The representation of one row."""


def columns_of(
    model: type[SQLModel], public: type[BaseModel], **joined: tuple[type[SQLModel], type[BaseModel]]
) -> tuple[Fields, str, Callable[..., RowDict]]:
    """How the rows of `model` are asked for and shown: the fields to filter and order by, the columns to select, and a
    function that makes the representation of their values. The id comes first.

    The representation shows the members of `public` that are columns. `joined` names its members that are rows of
    another table, each with that table's model and representation. Clients may filter by their fields, but not order.
    """
    prefix = f"{_table(model).name}." if joined else ""
    fields, shown = _fields(model, prefix), _shown(model, public)
    select = [prefix + name for name in shown]
    objects: dict[str, list[str]] = {}
    for member, (their_model, their_public) in joined.items():
        their_prefix = f"{_table(their_model).name}."
        objects[member] = _shown(their_model, their_public)
        select += [their_prefix + name for name in objects[member]]
        for name, field in _fields(their_model, their_prefix).items():
            if name != "id":
                fields[name] = Field(field.kind, field.sql, field.folded)
    return fields, ", ".join(select), staticmethod(_row(shown, objects))


def _table(model: type[SQLModel]) -> Table:
    return cast("Any", model).__table__


def _columns(model: type[SQLModel]) -> list[Column[Any]]:
    """The columns of the table, the id first: a table that inherits its fields has them before its own."""
    return sorted(_table(model).columns, key=lambda column: column.name != "id")


def _shown(model: type[SQLModel], public: type[BaseModel]) -> list[str]:
    return [column.name for column in _columns(model) if column.name in public.model_fields]


def _fields(model: type[SQLModel], prefix: str) -> dict[str, Field]:
    return {column.name: _field(column.name, prefix, **column.info) for column in _columns(model) if column.info}


def _field(name: str, prefix: str, *, folded: str = "", **declared: Any) -> Field:
    return Field(sql=prefix + name, folded=prefix + folded if folded else "", **declared)


def _row(shown: list[str], objects: dict[str, list[str]]) -> Callable[..., RowDict]:
    """Makes a representation of the values of `shown`, followed by those of each object.

    The function is written out as source, as dataclasses do it. For two columns it is
    `lambda v0, v1: {"id": v0, "nome": v1}`. To pair names and values anew for each row takes three times as long, which
    is a tenth of a list of 100.
    """
    values = (f"v{n}" for n in count())
    members = [f"{name!r}: {next(values)}" for name in shown]
    for member, names in objects.items():
        inner = ", ".join(f"{name!r}: {next(values)}" for name in names)
        members.append(f"{member!r}: {{{inner}}}")
    parameters = ", ".join(f"v{n}" for n in range(len(shown) + sum(map(len, objects.values()))))
    return eval(f"lambda {parameters}: {{{', '.join(members)}}}")  # noqa: S307 - all names are a model's own
