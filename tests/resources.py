"""Every collection of every service, so that the tests of the common dialect try every rule on each.

They are read from the services' OpenAPI documents, so a new service needs no line here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

from deploy import topology, write_openapi
from tests import builders
from tests.applications import Services

Body = dict[str, Any]
NAME = "Conceição"


@dataclass(frozen=True)
class Resource:
    """One collection. `noun` is the word for one row, as in `pessoa_id`; `example` is the body of a POST as the
    document shows it; `name` is the name field, if there is one."""

    service: str
    path: str
    noun: str
    example: Body
    name: str | None

    def client(self, services: Services) -> httpx2.AsyncClient:
        return services.client(self.service)

    async def body(self, services: Services) -> Body:
        """The body of a POST. Every row to which it refers is created."""
        body = self.example | ({self.name: NAME} if self.name else {})
        for member in body:
            for referred in ALL:
                if member == f"{referred.noun}_id":
                    body[member] = (await referred.add(services))["id"]
        return body

    async def add(self, services: Services) -> Body:
        return await builders.add(services, self.service, self.path, await self.body(services))

    def at(self, row: Body) -> str:
        return f"{self.path}{row['id']}/"

    async def stored(self, services: Services, id: int) -> Body | None:
        """The flat row as the collection shows it."""
        rows = (await self.client(services).get(self.path, params={"id": id})).json()
        return rows[0] if rows else None


def _resources(service: str) -> Iterator[Resource]:
    document = json.loads(write_openapi.path(service).read_text())
    for path, noun in write_openapi.collections(document):
        [content] = document["paths"][path]["post"]["requestBody"]["content"].values()
        [example] = content["schema"]["examples"]
        name = next((member for member in example if member.startswith("nome_")), None)
        yield Resource(service, path, noun.lower(), example, name)


ALL = tuple(resource for service in topology.SERVICES for resource in _resources(service.name))
NAMED = tuple(resource for resource in ALL if resource.name)
"""Those with a name field."""


def short_name(resource: Resource) -> str:
    """The id of this resource in pytest's output."""
    return resource.path.split("/")[2]


CATEGORIAS, PRODUTOS, PESSOAS, SERVICOS, SOLICITACOES = (
    next(resource for resource in ALL if short_name(resource) == name)
    for name in ("categorias", "produtos", "pessoas", "servicos", "solicitacoes")
)
