"""Rows that several tests of the gateway read."""

import pytest

from tests import builders
from tests.applications import Services


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
