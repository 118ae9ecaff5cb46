"""The five resources the gateway reads and writes: which service owns each, where, and what a row looks like."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway import rows

R = TypeVar("R")


@dataclass(frozen=True)
class Resource(Generic[R]):
    """One collection of one service."""

    service: str
    path: str
    row: type[R]


CATEGORIAS = Resource("catalogo", "/api/categorias/", rows.Categoria)
PRODUTOS = Resource("catalogo", "/api/produtos/", rows.Produto)
PESSOAS = Resource("pessoas", "/api/pessoas/", rows.Pessoa)
SERVICOS = Resource("servicos", "/api/servicos/", rows.Servico)
SOLICITACOES = Resource("solicitacoes", "/api/solicitacoes/", rows.Solicitacao)

AnyResource = Resource[Any]
