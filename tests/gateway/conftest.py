"""Rows that several tests of the gateway read, and the schema with resolvers added to it."""

from collections.abc import Iterator

import pytest
from graphql import GraphQLSchema

from tests import builders
from tests.applications import Services
from tests.gateway.extended import OF_EVERY_KIND, SchemaSource, documented


@pytest.fixture(scope="module")
def extended_schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphQLSchema]:
    """The schema with the resolvers that the documents show, and with one of every kind."""
    source = SchemaSource(tmp_path_factory.mktemp("extended"))
    for code in [*documented(), OF_EVERY_KIND]:
        source.add(code)
    with source.loaded() as schema:
        yield schema.core(schema.build())


@pytest.fixture
async def many(services: Services, database_urls: dict[str, str]) -> list[int]:
    """Three pessoas, three produtos in two categorias, one servico, and thirty solicitacoes among them."""
    names = ["Maria Souza", "João Lima", "Mária Dias"]
    pessoas = [(await builders.pessoa(services, name))["id"] for name in names]
    moveis, cozinha = [(await builders.categoria(services, name))["id"] for name in ("Móveis", "Cozinha")]
    first = await builders.produto(services, "Mesa", moveis)
    second = await builders.produto(services, "Cadeira", moveis)
    third = await builders.produto(services, "Fogão", cozinha)
    servico = (await builders.servico(services))["id"]
    produtos = [first["id"], second["id"], third["id"]]
    rows = [(servico, pessoas[n % 3], produtos[n // 10]) for n in range(30)]
    builders.insert_solicitacoes(database_urls["solicitacoes"], rows)
    services.calls.clear()
    return pessoas
