"""The column types that the tables of all services share: ids, references, names and instants.

Each service makes its own base class with `registry=tables()`, since SQLModel's global metadata would mix the tables of
two services in one test process.
"""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from chassis.db.folding import OLDER_FOLD

# The names of constraints, the same for Alembic and PostgreSQL, so that an error can be traced to its field.
NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


def tables() -> registry:
    """The registry for one service's tables."""
    return registry(metadata=MetaData(naming_convention=NAMING))


def id_field() -> Any:
    """A 64-bit primary key, assigned by the database."""
    info = {"kind": "integer", "ordered": True}
    return Field(sa_column=Column(BigInteger, Identity(always=False), primary_key=True, info=info))


def reference_field(to: str | None = None) -> Any:
    """The id of another row, by which clients may ask for pages per parent. `to` is the column that it refers to; None:
    another service owns that row, so there can be no foreign key."""
    info: dict[str, Any] = {"info": {"kind": "integer", "parent": True}}
    if to is None:
        return Field(sa_type=BigInteger, sa_column_kwargs=info)
    return Field(sa_type=BigInteger, foreign_key=to, ondelete="CASCADE", sa_column_kwargs=info)


def name_field(folded: str = "nome_busca") -> Any:
    """A name as the client wrote it. Clients may search and order by it; the column `folded` has its folded form."""
    return Field(sa_type=Text, sa_column_kwargs={"info": {"kind": "name", "folded": folded, "ordered": True}})


def instant_field() -> Any:
    """When the row was created; the database sets it once. Clients may order by it."""
    default = {"server_default": func.clock_timestamp(), "info": {"kind": "instant", "ordered": True}}
    return Field(sa_type=cast("Any", DateTime(timezone=True)), sa_column_kwargs=default)


def folded_column() -> Any:
    """A name folded for search and order (`chassis.text.fold`), compared bytewise on every server."""
    return Field(sa_column=Column(Text(collation="C"), nullable=False))


def fold_version_column() -> Any:
    """The version of `fold` that made the folded column; a trigger keeps it (`chassis.db.folding`)."""
    return Field(default=None, sa_column=Column(SmallInteger, server_default="1", nullable=False))


def older_folds_index(table: str) -> Index:
    """An index of the rows that older code has written: usually none."""
    return Index(f"{table}_fold_version_idx", "id", postgresql_where=text(OLDER_FOLD))


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
