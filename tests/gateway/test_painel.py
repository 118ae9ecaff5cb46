"""The promise that everything else serves: four downstream requests at any page size."""

import pytest

from deploy.local import ROOT
from tests import builders
from tests.applications import Gateway, Services

PAINEL = (ROOT / "gateway/playground/examples/1-painel.graphql").read_text()


def of_size(first: int) -> str:
    return PAINEL.replace("first: 100", f"first: {first}")


@pytest.mark.parametrize("first", [1, 100, 1000])
async def test_the_painel_costs_exactly_four_downstream_requests_at_any_page_size(
    gateway: Gateway, services: Services, database_urls: dict[str, str], first: int
) -> None:
    ids = [(await builders.pessoa(services, f"Pessoa {n}"))["id"] for n in range(20)]
    servico, produto = await builders.servico(services), await builders.produto(services)
    rows = [(servico["id"], ids[n % 20], produto["id"]) for n in range(1200)]
    builders.insert_solicitacoes(database_urls["solicitacoes"], rows)
    services.calls.clear()

    data = await gateway.data(of_size(first))

    assert sorted(map(str, services.calls)) == [
        "catalogo POST /api/produtos/query/",
        "pessoas POST /api/pessoas/query/",
        "servicos POST /api/servicos/query/",
        "solicitacoes POST /api/solicitacoes/query/",
    ]
    assert len(data["solicitacoes"]["edges"]) == first
    assert data["solicitacoes"]["totalCount"] == 1200
    assert data["solicitacoes"]["edges"][0]["node"]["produto"]["categoria"]["nomeCategoria"] == "Eletrônicos"


async def test_an_empty_painel_asks_only_solicitacoes(gateway: Gateway, services: Services) -> None:
    data = await gateway.data(of_size(100))

    assert [call.service for call in services.calls] == ["solicitacoes"]
    assert data["solicitacoes"] == {
        "totalCount": 0,
        "pageInfo": {"hasNextPage": False, "endCursor": None},
        "edges": [],
    }
