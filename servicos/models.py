"""The table and the bodies of a Servico."""

from sqlalchemy import Index
from sqlmodel import SQLModel

from chassis.db.models import IdempotencyColumns, folded_column, id_column, name_column, tables
from chassis.query import Id
from chassis.text import Name


class Base(SQLModel, registry=tables()):
    """The tables of this service, apart from every other's."""


class ServicoWrite(SQLModel):
    """What a client writes."""

    nome_servico: Name


class ServicoPublic(ServicoWrite):
    """What a client reads."""

    id: Id


class Servico(Base, table=True):
    id: int | None = id_column()
    nome_servico: str = name_column()
    nome_busca: str = folded_column()

    __table_args__ = (Index(None, "nome_busca", "id"),)


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers of keyed writes."""
