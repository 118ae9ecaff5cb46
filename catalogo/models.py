"""The tables and the bodies of Categoria and Produto."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index
from sqlmodel import Field, SQLModel

from chassis.db.models import (
    IdempotencyColumns,
    fold_version_column,
    folded_column,
    id_column,
    name_column,
    older_folds_index,
    tables,
)
from chassis.query.models import Id
from chassis.text import Name


class Base(SQLModel, registry=tables()):
    """The base of this service's tables. Its own registry keeps them apart from the tables of other services."""


class CategoriaWrite(SQLModel):
    """What a client writes."""

    nome_categoria: Name


class CategoriaPublic(CategoriaWrite):
    """What a client reads."""

    id: Id


class ProdutoWrite(SQLModel):
    """What a client writes."""

    nome_produto: Name
    categoria_id: Id


class ProdutoPublic(SQLModel):
    """What a client reads."""

    id: Id
    nome_produto: Name
    categoria: CategoriaPublic


class Categoria(Base, table=True):
    id: int | None = id_column()
    nome_categoria: str = name_column()
    nome_busca: str = folded_column()
    fold_version: int = fold_version_column()

    __table_args__ = (Index(None, "nome_busca", "id"), older_folds_index("categoria"))


class Produto(Base, table=True):
    id: int | None = id_column()
    nome_produto: str = name_column()
    nome_busca: str = folded_column()
    fold_version: int = fold_version_column()
    categoria_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("categoria.id", ondelete="CASCADE"), nullable=False)
    )

    __table_args__ = (
        Index(None, "nome_busca", "id"),
        Index(None, "categoria_id", "id"),
        Index(None, "categoria_id", "nome_busca", "id"),
        older_folds_index("produto"),
    )


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers to writes with an `Idempotency-Key`, which are repeated when such a write is retried."""
