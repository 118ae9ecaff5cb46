"""The table and the bodies of a Solicitacao."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlmodel import SQLModel

from chassis.db.models import IdempotencyColumns, id_field, instant_field, reference_field, table_parts, tables
from chassis.query.models import ABSENT, Id


class Base(SQLModel, registry=tables()):
    """The base of this service's tables. Its own registry keeps them apart from the tables of other services."""


class SolicitacaoWrite(SQLModel):
    """What a client writes: ids that their owners must know."""

    servico_id: Id = reference_field()
    pessoa_id: Id = reference_field()
    produto_id: Id = reference_field()


class SolicitacaoPublic(SolicitacaoWrite):
    """What a client reads in a list."""

    id: Id = id_field()
    data_solicitacao: AwareDatetime = instant_field()


class Owned(BaseModel):
    """A row of another service, as that service shows it. Members that are not declared here are ignored."""

    # A failed validation is logged, and the log must not contain people's names.
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    id: Id = Field(examples=[1])


class Servico(Owned):
    nome_servico: str = Field(examples=["Reparo"])


class Pessoa(Owned):
    nome_pessoa: str = Field(examples=["João Silva"])


class Categoria(Owned):
    nome_categoria: str = Field(examples=["Eletrônicos"])


class Produto(Owned):
    nome_produto: str = Field(examples=["Notebook Dell"])
    categoria: Categoria


class SolicitacaoView(BaseModel):
    """What the coordinator shows: each object as its owner does, null when it is gone, and null and named in
    `indisponiveis` when its owner cannot answer."""

    id: Id = Field(examples=[1])
    data_solicitacao: AwareDatetime = Field(examples=["2025-08-06T17:30:00Z"])
    servico_solicitado: Servico | None
    solicitante: Pessoa | None
    produto_associado: Produto | None
    indisponiveis: list[Literal["servico_solicitado", "solicitante", "produto_associado"]] = ABSENT


class Solicitacao(SolicitacaoPublic, Base, table=True):
    __table_args__ = table_parts("solicitacao", SolicitacaoPublic)


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers to writes with an `Idempotency-Key`, which are repeated when such a write is retried."""
