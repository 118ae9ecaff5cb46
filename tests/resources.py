"""The five resources in one list, so that the tests of the common dialect try every rule on each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from tests import builders
from tests.applications import Services

Body = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """`body` makes the body of a POST and creates every row to which it refers; `name` is the resource's name field, if
    it has one."""

    service: str
    path: str
    body: Callable[[Services], Awaitable[Body]]
    name: str | None

    def client(self, services: Services) -> httpx2.AsyncClient:
        return services.client(self.service)

    async def add(self, services: Services) -> Body:
        return await builders.add(services, self.service, self.path, await self.body(services))

    def at(self, row: Body) -> str:
        return f"{self.path}{row['id']}/"

    async def stored(self, services: Services, id: int) -> Body | None:
        """The flat row as the collection shows it."""
        rows = (await self.client(services).get(self.path, params={"id": id})).json()
        return rows[0] if rows else None


async def _produto(services: Services) -> Body:
    return {"nome_produto": "Notebook", "categoria_id": (await builders.categoria(services))["id"]}


async def _solicitacao(services: Services) -> Body:
    return {
        "servico_id": (await builders.servico(services))["id"],
        "pessoa_id": (await builders.pessoa(services))["id"],
        "produto_id": (await builders.produto(services))["id"],
    }


def _named_body(field: str) -> Callable[[Services], Awaitable[Body]]:
    async def body(_services: Services) -> Body:
        return {field: "Conceição"}

    return body


CATEGORIAS = Resource("catalogo", "/api/categorias/", _named_body("nome_categoria"), "nome_categoria")
PRODUTOS = Resource("catalogo", "/api/produtos/", _produto, "nome_produto")
PESSOAS = Resource("pessoas", "/api/pessoas/", _named_body("nome_pessoa"), "nome_pessoa")
SERVICOS = Resource("servicos", "/api/servicos/", _named_body("nome_servico"), "nome_servico")
SOLICITACOES = Resource("solicitacoes", "/api/solicitacoes/", _solicitacao, None)

ALL = (CATEGORIAS, PRODUTOS, PESSOAS, SERVICOS, SOLICITACOES)
NAMED = tuple(resource for resource in ALL if resource.name)
"""Those with a name field."""


def short_name(resource: Resource) -> str:
    """The id of this resource in pytest's output."""
    return resource.path.split("/")[2]
