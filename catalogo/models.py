"""The tables and the bodies of Categoria and Produto."""

from sqlalchemy import Index
from sqlmodel import SQLModel

from chassis.db.models import (
    IdempotencyColumns,
    fold_version_column,
    folded_column,
    id_field,
    name_field,
    older_folds_index,
    reference_field,
    tables,
)
from chassis.query.models import Id
from chassis.text import Name


class Base(SQLModel, registry=tables()):
    """The base of this service's tables. Its own registry keeps them apart from the tables of other services."""


class CategoriaWrite(SQLModel):
    """What a client writes."""

    nome_categoria: Name = name_field()


class CategoriaPublic(CategoriaWrite):
    """What a client reads."""

    id: Id = id_field()


class ProdutoWrite(SQLModel):
    """What a client writes."""

    nome_produto: Name = name_field()
    categoria_id: Id = reference_field("categoria.id")


class ProdutoPublic(SQLModel):
    """What a client reads."""

    id: Id
    nome_produto: Name
    categoria: CategoriaPublic


class Categoria(CategoriaPublic, Base, table=True):
    nome_busca: str = folded_column()
    fold_version: int = fold_version_column()

    __table_args__ = (Index(None, "nome_busca", "id"), older_folds_index("categoria"))


class Produto(ProdutoWrite, Base, table=True):
    id: Id = id_field()
    nome_busca: str = folded_column()
    fold_version: int = fold_version_column()

    __table_args__ = (
        Index(None, "nome_busca", "id"),
        Index(None, "categoria_id", "id"),
        Index(None, "categoria_id", "nome_busca", "id"),
        older_folds_index("produto"),
    )


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers to writes with an `Idempotency-Key`, which are repeated when such a write is retried."""
