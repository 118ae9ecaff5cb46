"""What the services answer, as typed rows: decoding checks it, and what a row has more is ignored (tolerant reader).

That it is what was asked for is checked in `gateway.resources`.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Generic, TypeVar

from msgspec import Meta, Struct

from chassis.query.pagination import INT8

R = TypeVar("R")
Id = Annotated[int, Meta(ge=1, le=INT8)]
"""What is no id of any row is no answer: asking for it would fail for all that are asked for with it."""


class Row(Struct, gc=False):
    """One row. Rows refer to rows at most, never in a circle: the garbage collector need not look at them."""

    id: Id


class Categoria(Row):
    nome_categoria: str


class Produto(Row):
    nome_produto: str
    categoria: Categoria

    @property
    def categoria_id(self) -> int:
        return self.categoria.id


class Pessoa(Row):
    nome_pessoa: str


class Servico(Row):
    nome_servico: str


class Solicitacao(Row):
    servico_id: Id
    pessoa_id: Id
    produto_id: Id
    data_solicitacao: str


class Items(Struct, Generic[R]):
    """The answer to a bulk read."""

    items: list[R]
    failed: ClassVar[Mapping[int, Exception]] = {}
    """None of them, where there is an answer."""


class Page(Struct, Generic[R]):
    """One page; `count` where it was asked for."""

    items: list[R]
    has_next: bool
    has_previous: bool
    count: Annotated[int, Meta(ge=0, le=INT8)] | None = None


class Group(Page[R], Generic[R], kw_only=True):
    """One page of one parent."""

    id: Id


class Groups(Struct, Generic[R]):
    """The answer to a read per parent."""

    groups: list[Group[R]]


class Ids(Struct):
    """The ids that match a filter, and whether there are more than fit."""

    ids: list[Id]
    has_next: bool
