"""The five resources the gateway reads and writes: which service owns each, where, and what a row looks like."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from gateway import rows
from gateway.rows import Groups, Ids, Items, Page

R = TypeVar("R")


@dataclass(frozen=True)
class Resource(Generic[R]):
    """One collection of one service."""

    service: str
    path: str
    row: type[R]

    @cached_property
    def query_path(self) -> str:
        """Where the richer read is."""
        return self.path + "query/"

    # What its answers are decoded by, each made once: making one costs more than a short answer.

    @cached_property
    def decode_row(self) -> Callable[[bytes], R]:
        return msgspec.json.Decoder(self.row).decode

    @cached_property
    def decode_items(self) -> Callable[[bytes], Items[R]]:
        return msgspec.json.Decoder(Items[self.row]).decode

    @cached_property
    def decode_page(self) -> Callable[[bytes], Page[R]]:
        return msgspec.json.Decoder(Page[self.row]).decode

    @cached_property
    def decode_groups(self) -> Callable[[bytes], Groups[R]]:
        return msgspec.json.Decoder(Groups[self.row]).decode


decode_ids: Callable[[bytes], Ids] = msgspec.json.Decoder(Ids).decode


CATEGORIAS = Resource("catalogo", "/api/categorias/", rows.Categoria)
PRODUTOS = Resource("catalogo", "/api/produtos/", rows.Produto)
PESSOAS = Resource("pessoas", "/api/pessoas/", rows.Pessoa)
SERVICOS = Resource("servicos", "/api/servicos/", rows.Servico)
SOLICITACOES = Resource("solicitacoes", "/api/solicitacoes/", rows.Solicitacao)

AnyResource = Resource[Any]
