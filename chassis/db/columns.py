"""What a collection asks of its table, read from what the columns of its model say."""

from collections.abc import Callable
from typing import Any, cast

from pydantic import BaseModel
from sqlalchemy import Table
from sqlmodel import SQLModel

from chassis.db.filters import Field, Fields

RowDict = dict[str, Any]
"""The representation of one row."""


def columns_of(
    model: type[SQLModel], public: type[BaseModel], **joined: tuple[type[SQLModel], type[BaseModel]]
) -> tuple[Fields, str, Callable[..., RowDict]]:
    """How the rows of `model` are asked for and shown: the fields to filter and order by, the columns to select, and a
    function that makes the representation of their values. The id comes first.

    The representation has the members of `public` that are columns. `joined` names its members that are rows of another
    table, each with that table's model and representation; clients may filter by their fields, but not order.
    """
    prefix = f"{_table(model).name}." if joined else ""
    fields = _fields(model, prefix)
    shown = [name for name in fields if name in public.model_fields]
    select = [prefix + name for name in shown]
    objects: dict[str, list[str]] = {}
    for member, (theirs, their_public) in joined.items():
        their_prefix = f"{_table(theirs).name}."
        found = _fields(theirs, their_prefix)
        objects[member] = [name for name in found if name in their_public.model_fields]
        select += [their_prefix + name for name in objects[member]]
        fields |= {name: Field(one.kind, one.sql, one.folded) for name, one in found.items() if name != "id"}
    return fields, ", ".join(select), staticmethod(_row(shown, objects))


def _table(model: type[SQLModel]) -> Table:
    return cast("Any", model).__table__


def _fields(model: type[SQLModel], prefix: str) -> dict[str, Field]:
    declared = {column.name: column.info for column in _table(model).columns if "kind" in column.info}
    names = sorted(declared, key=lambda name: name != "id")
    return {name: _field(name, prefix, **declared[name]) for name in names}


def _field(name: str, prefix: str, *, folded: str = "", **said: Any) -> Field:
    return Field(sql=prefix + name, folded=prefix + folded if folded else "", **said)


def _row(shown: list[str], objects: dict[str, list[str]]) -> Callable[..., RowDict]:
    def row(*values: Any) -> RowDict:
        return dict(zip(shown, values, strict=False))

    def row_with_objects(*values: Any) -> RowDict:
        found: RowDict = dict(zip(shown, values, strict=False))
        start = len(shown)
        for member, names in objects.items():
            found[member] = dict(zip(names, values[start:], strict=False))
            start += len(names)
        return found

    return row_with_objects if objects else row
