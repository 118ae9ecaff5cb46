"""Real operations, and what the gateway's `/metrics` says of them afterwards."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from deploy.topology import SERVICES
from gateway.metrics import MOST_NAMES
from tests import builders
from tests.applications import Gateway, Services
from tests.scraped import Scrape, scrape

SERVICE_NAMES = [service.name for service in SERVICES]


@pytest.fixture(autouse=True)
def _no_name_seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.metrics._names", set[str]())


class Grown:
    """The counts since this was called."""

    def __init__(self, before: Scrape, after: Scrape) -> None:
        self.before, self.after = before, after

    def value(self, name: str, **labels: str) -> float:
        return self.after.value(name, **labels) - self.before.value(name, **labels)


async def counted(gateway: Gateway, *queries: str, **variables: Any) -> Grown:
    before = await scrape(gateway.client)
    for query in queries:
        await gateway.client.post("/graphql", json={"query": query, "variables": variables})
    return Grown(before, await scrape(gateway.client))


PAGE = "query Uma { pessoas { nodes { id } } }"
TWO = "query Duas { pessoas { nodes { id } } servicos { nodes { id } } }"
MISSING = 'mutation Muda { atualizarPessoa(id: 987, input: {nomePessoa: "Ana"}) { pessoa { id } } }'
MANY = "query Demais { pessoas(first: 5000) { nodes { id } } }"


@pytest.mark.parametrize(
    ("query", "cut", "labels"),
    [
        (PAGE, (), {"operation": "Uma", "type": "query", "outcome": "ok"}),
        ("{ pessoas { nodes { id } } }", (), {"operation": "anonymous", "type": "query", "outcome": "ok"}),
        (TWO, ("pessoas",), {"operation": "Duas", "type": "query", "outcome": "partial"}),
        (TWO, ("pessoas", "servicos"), {"operation": "Duas", "type": "query", "outcome": "failed"}),
        (MISSING, (), {"operation": "Muda", "type": "mutation", "outcome": "ok"}),  # its payload says what is missing
        (MANY, (), {"operation": "Demais", "type": "query", "outcome": "refused"}),
        (
            "query Um($id: ID!) { pessoa(id: $id) { id } }",
            (),
            {"operation": "Um", "type": "query", "outcome": "refused"},
        ),
        ("query Nada { nada }", (), {"operation": "unknown", "type": "unknown", "outcome": "refused"}),
        ("query {", (), {"operation": "unknown", "type": "unknown", "outcome": "refused"}),
        ("", (), {"operation": "unknown", "type": "unknown", "outcome": "refused"}),
    ],
)
async def test_an_operation_is_counted_by_name_type_and_outcome(
    gateway: Gateway, services: Services, query: str, cut: tuple[str, ...], labels: dict[str, str]
) -> None:
    services.cut(*cut)

    grown = await counted(gateway, query)

    assert grown.value("graphql_operations_total") == 1
    assert grown.value("graphql_operations_total", **labels) == 1
    del labels["outcome"]
    assert grown.value("graphql_operation_duration_seconds_count", **labels) == 1


async def test_it_shows_what_operations_have_cost(gateway: Gateway) -> None:
    asked = {"query": PAGE}
    told = await gateway.client.post("/graphql", json=asked, headers={"X-Query-Cost": "1"})

    grown = await counted(gateway, PAGE, PAGE)

    cost = told.json()["extensions"]["cost"]["requested"]
    assert grown.value("graphql_cost_total", operation="Uma", type="query") == 2 * cost > 0


async def test_it_shows_what_is_remembered(gateway: Gateway) -> None:
    new = "query Nova { pessoas(first: 7) { nodes { id nomePessoa } } }"

    grown = await counted(gateway, new, new, new, "{ __schema { queryType { name } } }")

    assert grown.value("graphql_plan_cache_requests_total", result="hit") >= 2
    assert grown.value("graphql_plan_cache_requests_total", result="miss") >= 1
    assert grown.value("graphql_document_cache_requests_total") == 4
    assert grown.value("graphql_document_cache_requests_total", result="hit") >= 2


@pytest.mark.usefixtures("many")
async def test_it_shows_batches_and_calls_by_service(gateway: Gateway) -> None:
    grown = await counted(gateway, "{ solicitacoes { nodes { pessoa { nomePessoa } servico { nomeServico } } } }")

    assert grown.value("graphql_batch_keys_count", service="pessoas") == 1
    assert grown.value("graphql_batch_keys_sum", service="pessoas") == 3
    assert grown.value("graphql_batch_keys_sum", service="servicos") == 1
    calls = {name: grown.value("downstream_calls_total", service=name, outcome="ok") for name in SERVICE_NAMES}
    assert calls == {"catalogo": 0, "pessoas": 1, "servicos": 1, "solicitacoes": 1}


async def test_a_dead_neighbour_is_seen_by_name(gateway: Gateway, services: Services) -> None:
    await builders.solicitacao(services)
    services.cut("pessoas")

    grown = await counted(gateway, "{ solicitacoes { nodes { pessoa { nomePessoa } } } }")

    assert grown.value("downstream_calls_total", service="pessoas", outcome="unavailable") == 1
    assert grown.value("downstream_calls_total", outcome="unavailable") == 1


async def test_hostile_operation_names_do_not_grow_the_answer(gateway: Gateway) -> None:
    def names(start: int) -> list[str]:
        return [f"query Hostil{n}{'x' * 500} {{ __typename }}" for n in range(start, start + MOST_NAMES)]

    await counted(gateway, *names(0), "query Outra { pessoas { nodes { id } } }")
    grown = await counted(gateway, *names(1000))

    assert grown.value("graphql_operations_total", operation="other", outcome="ok") == MOST_NAMES
    assert len(grown.after.samples) == len(grown.before.samples)
    assert max(map(len, grown.after.label("graphql_operations_total", "operation"))) <= 100


async def test_the_gateways_scrape_has_the_chassis_metrics_too(gateway: Gateway) -> None:
    answer: httpx2.Response = await gateway.client.get("/metrics")

    for name in ("build_info", "process_cpu_seconds_total", "http_requests_total", "event_loop_lag_seconds"):
        assert f"\n{name}" in answer.text
