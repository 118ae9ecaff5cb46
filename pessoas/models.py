"""The table and the bodies of a Pessoa."""

from sqlmodel import SQLModel

from chassis.db.models import IdempotencyColumns, id_field, name_field, table_parts, tables
from chassis.query.models import Id
from chassis.text import Name


class Base(SQLModel, registry=tables()):
    """The base of this service's tables. Its own registry keeps them apart from the tables of other services."""


class PessoaWrite(SQLModel):
    """What a client writes."""

    nome_pessoa: Name = name_field("João Silva")


class PessoaPublic(PessoaWrite):
    """What a client reads."""

    id: Id = id_field()


class Pessoa(PessoaPublic, Base, table=True):
    __table_args__ = table_parts("pessoa", PessoaPublic)


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers to writes with an `Idempotency-Key`, which are repeated when such a write is retried."""
