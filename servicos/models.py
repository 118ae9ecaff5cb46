"""The table and the bodies of a Servico."""

from sqlalchemy import Index
from sqlmodel import SQLModel

from chassis.db.models import (
    IdempotencyColumns,
    fold_version_column,
    folded_column,
    id_field,
    name_field,
    older_folds_index,
    tables,
)
from chassis.query.models import Id
from chassis.text import Name


class Base(SQLModel, registry=tables()):
    """The base of this service's tables. Its own registry keeps them apart from the tables of other services."""


class ServicoWrite(SQLModel):
    """What a client writes."""

    nome_servico: Name = name_field()


class ServicoPublic(ServicoWrite):
    """What a client reads."""

    id: Id = id_field()


class Servico(ServicoPublic, Base, table=True):
    nome_busca: str = folded_column()
    fold_version: int = fold_version_column()

    __table_args__ = (Index(None, "nome_busca", "id"), older_folds_index("servico"))


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers to writes with an `Idempotency-Key`, which are repeated when such a write is retried."""
