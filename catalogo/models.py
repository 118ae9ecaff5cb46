"""The tables and the bodies of Categoria and Produto."""

from sqlmodel import SQLModel

from chassis.db.models import IdempotencyColumns, id_field, name_field, reference_field, table_parts, tables
from chassis.query.models import Id
from chassis.text import Name


class Base(SQLModel, registry=tables()):
    """The base of this service's tables. Its own registry keeps them apart from the tables of other services."""


class CategoriaWrite(SQLModel):
    """What a client writes."""

    nome_categoria: Name = name_field("Eletrônicos")


class CategoriaPublic(CategoriaWrite):
    """What a client reads."""

    id: Id = id_field()


class ProdutoFields(SQLModel):
    """What a client writes and reads."""

    nome_produto: Name = name_field("Notebook Dell")


class ProdutoWrite(ProdutoFields):
    """What a client writes."""

    categoria_id: Id = reference_field("categoria.id")


class ProdutoPublic(ProdutoFields):
    """What a client reads."""

    id: Id = id_field()
    categoria: CategoriaPublic


class Categoria(CategoriaPublic, Base, table=True):
    __table_args__ = table_parts("categoria", CategoriaPublic)


class Produto(ProdutoWrite, Base, table=True):
    id: Id = id_field()

    __table_args__ = table_parts("produto", ProdutoWrite)


class Idempotency(IdempotencyColumns, Base, table=True):
    """The first answers to writes with an `Idempotency-Key`, which are repeated when such a write is retried."""
