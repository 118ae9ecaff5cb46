"""The table and the bodies of a Solicitacao."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import Index
from sqlmodel import SQLModel

from chassis.db.models import IdempotencyColumns, id_column, instant_column, reference_column, tables
from chassis.query.models import ABSENT, Id


class Base(SQLModel, registry=tables()):
    """The base of this service's tables. Its own registry keeps them apart from the tables of other services."""


class SolicitacaoWrite(SQLModel):
    """What a client writes: ids that their owners must know."""

    servico_id: Id
    pessoa_id: Id
    produto_id: Id


class SolicitacaoPublic(SolicitacaoWrite):
    """What a client reads in a list."""

    id: Id
    data_solicitacao: AwareDatetime


class Owned(BaseModel):
    """A row of another service, as that service shows it. Members that are not declared here are ignored."""

    # A failed validation is logged, and the log must not contain people's names.
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    id: Id


class Servico(Owned):
    nome_servico: str


class Pessoa(Owned):
    nome_pessoa: str


class Categoria(Owned):
    nome_categoria: str


class Produto(Owned):
    nome_produto: str
    categoria: Categoria


class SolicitacaoView(BaseModel):
    """What the coordinator shows: each object as its owner shows it. An object that no longer exists is null. If its
    owner cannot answer, it is null too, and `indisponiveis` names it."""

    id: Id
    data_solicitacao: AwareDatetime
    servico_solicitado: Servico | None
    solicitante: Pessoa | None
    produto_associado: Produto | None
    indisponiveis: list[Literal["servico_solicitado", "solicitante", "produto_associado"]] = ABSENT


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
    """The first answers to writes with an `Idempotency-Key`, which are repeated when such a write is retried."""
