"""The table and the bodies of a Servico."""

from sqlmodel import SQLModel

from chassis.db.models import IdempotencyColumns, id_field, name_field, table_parts, tables
from chassis.query.models import Id
from chassis.text import Name


class Base(SQLModel, registry=tables()):
    """The base of this service's tables. Its own registry keeps them apart from the tables of other services."""


class ServicoWrite(SQLModel):
    """What a client writes."""

    nome_servico: Name = name_field("Reparo de Hardware")


class ServicoPublic(ServicoWrite):
    """What a client reads."""

    id: Id = id_field()


class Servico(ServicoPublic, Base, table=True):
    __table_args__ = table_parts("servico", ServicoPublic)


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers to writes with an `Idempotency-Key`, which are repeated when such a write is retried."""
