"""The table and the bodies of a Solicitacao."""

from datetime import datetime

from pydantic import AwareDatetime
from sqlalchemy import Index
from sqlmodel import SQLModel

from chassis.db.models import IdempotencyColumns, id_column, instant_column, reference_column, tables
from chassis.query import Id


class Base(SQLModel, registry=tables()):
    """The tables of this service, apart from every other's."""


class SolicitacaoWrite(SQLModel):
    """What a client writes: ids that their owners must know."""

    servico_id: Id
    pessoa_id: Id
    produto_id: Id


class SolicitacaoPublic(SolicitacaoWrite):
    """What a client reads in a list."""

    id: Id
    data_solicitacao: AwareDatetime


class Solicitacao(Base, table=True):
    id: int | None = id_column()
    servico_id: int = reference_column()
    pessoa_id: int = reference_column()
    produto_id: int = reference_column()
    data_solicitacao: datetime = instant_column()

    __table_args__ = (
        Index(None, "data_solicitacao", "id"),
        *(Index(None, reference, "id") for reference in ("servico_id", "pessoa_id", "produto_id")),
        *(Index(None, reference, "data_solicitacao", "id") for reference in ("servico_id", "pessoa_id", "produto_id")),
    )


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers of keyed POSTs."""
