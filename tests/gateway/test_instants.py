"""`DateTime`: an instant of RFC 3339 is passed on unchanged; with any other value nothing is executed."""

from typing import Any

import pytest

from tests import builders
from tests.applications import Gateway, Services

GRAPHQL_JSON = {"Accept": "application/graphql-response+json"}
NO_DATE, NONE = "essa data, ou essa hora, não existe", "deve ser data e hora RFC 3339 com fuso"
NO_INSTANTS = {
    "2025-02-30T00:00:00Z": NO_DATE,
    "2025-02-29T00:00:00Z": NO_DATE,
    "2025-13-01T00:00:00Z": NO_DATE,
    "2025-04-31T00:00:00Z": NO_DATE,
    "2025-01-01T24:00:00Z": NO_DATE,
    "2025-01-01T00:60:00Z": NO_DATE,
    "2025-01-01T00:00:60Z": NO_DATE,
    "2025-01-01T00:00:00+24:00": NO_DATE,
    "2025-01-01T00:00:00": NONE,
    "2025-01-01T00:00Z": NONE,
    "2025-01-01": NONE,
    "ontem": NONE,
    "": NONE,
}
WAYS = {
    "literal": 'mutation { m: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id solicitacoes(filter: {or:'
    ' [{dataSolicitacao: {gte: "VALUE"}}]}) { totalCount } } } }',
    "variable": 'mutation ($x: DateTime!) { m: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id solicitacoes('
    "filter: {dataSolicitacao: {gte: $x}}) { totalCount } } } }",
    "filter": 'mutation ($x: SolicitacaoFilter) { m: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id solicitacoes('
    "filter: $x) { totalCount } } } }",
    "default": 'mutation ($y: DateTime = "VALUE") { m: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id'
    " solicitacoes(filter: {dataSolicitacao: {gte: $y}}) { totalCount } } } }",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", NO_INSTANTS)
async def test_what_is_no_instant_is_a_request_error_and_nothing_is_executed(
    gateway: Gateway, services: Services, way: str, value: str
) -> None:
    x: Any = {"not": {"dataSolicitacao": {"lt": value}}} if way == "filter" else value
    body = {"query": WAYS[way].replace("VALUE", value), "variables": {"x": x}}

    answer = await gateway.client.post("/graphql", json=body, headers=GRAPHQL_JSON)

    assert answer.status_code == 400
    assert "data" not in answer.json()
    assert [error["extensions"] for error in answer.json()["errors"]] == [{"code": "BAD_USER_INPUT"}]
    assert NO_INSTANTS[value] in answer.json()["errors"][0]["message"]
    assert services.calls == []


@pytest.mark.parametrize("number", ["5", "1735689600", "1.5", "true", "[]", "{}"])
async def test_a_datetime_is_a_text(gateway: Gateway, services: Services, number: str) -> None:
    query = f"{{ solicitacoes(filter: {{dataSolicitacao: {{gte: {number}}}}}) {{ totalCount }} }}"

    answer = await gateway.client.post("/graphql", json={"query": query}, headers=GRAPHQL_JSON)

    assert (answer.status_code, "data" in answer.json()) == (400, False)
    assert services.calls == []


@pytest.mark.parametrize(
    "value",
    [
        "2025-02-28T23:59:59Z",
        "2024-02-29T00:00:00-03:00",
        "2025-01-01t00:00:00z",
        "2025-01-01 00:00:00+00:00",
        "2025-01-01T00:00:00.5Z",
        "2025-01-01T00:00:00.123456789Z",
        "2024-12-31T23:59:60Z",
        "2025-01-01T00:00:00-00:00",
        "0001-01-02T00:00:00Z",
        "9999-12-31T00:00:00Z",
    ],
)
async def test_every_spelling_of_rfc_3339_is_an_instant(gateway: Gateway, services: Services, value: str) -> None:
    await builders.solicitacao(services)
    query = "query ($x: DateTime) { solicitacoes(filter: {not: {dataSolicitacao: {eq: $x}}}) { totalCount } }"

    data = await gateway.data(query, x=value)
    written = await gateway.data(query.replace("$x}", f'"{value}"}}').replace("query ($x: DateTime)", ""))

    assert data == written == {"solicitacoes": {"totalCount": 1}}


async def test_an_instant_that_was_read_can_be_asked_for(gateway: Gateway, services: Services) -> None:
    row = await builders.solicitacao(services)
    [node] = (await gateway.data("{ solicitacoes { nodes { dataSolicitacao } } }"))["solicitacoes"]["nodes"]

    found = await gateway.data(
        "query ($x: DateTime) { solicitacoes(filter: {dataSolicitacao: {eq: $x}}) { nodes { id } } }",
        x=node["dataSolicitacao"],
    )

    assert found["solicitacoes"]["nodes"] == [{"id": str(row["id"])}]
