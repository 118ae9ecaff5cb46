"""Unusual requests over HTTP: each is read in exactly one way, and none causes an internal error."""

from __future__ import annotations

from typing import Any

import pytest

from tests import builders
from tests.applications import Gateway, Services
from tests.gateway.test_errors import CLOSED

GRAPHQL_JSON = {"Accept": "application/graphql-response+json"}
JSON = {"Content-Type": "application/json", **GRAPHQL_JSON}
CODES = CLOSED - {"GONE"}


async def test_in_a_url_an_empty_parameter_is_an_absent_one(gateway: Gateway) -> None:
    empty = {"query": "query Q { __typename }", "operationName": "", "variables": "", "extensions": ""}

    answer = await gateway.client.get("/graphql", params=empty, headers=GRAPHQL_JSON)

    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("query ($x: String) { pessoas(after: $x) { totalCount } }", r'"\ud800"'),
        ("query ($x: String!) { pessoas(filter: {nomePessoa: {eq: $x}}) { totalCount } }", r'"\udfff\ud800"'),
        ("query ($x: PessoaFilter) { pessoas(filter: $x) { totalCount } }", r'{"\ud800": 1}'),
        ("mutation ($x: String!) { criarPessoa(input: {nomePessoa: $x}) { errors { code } } }", r'"\ud800"'),
    ],
)
async def test_a_variable_that_is_no_unicode_is_a_bad_request(gateway: Gateway, query: str, value: str) -> None:
    body = f'{{"query": "{query}", "variables": {{"x": {value}}}}}'

    answer = await gateway.client.post("/graphql", content=body, headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_variable_outside_the_basic_plane_is_text_like_any_other(gateway: Gateway) -> None:
    mutation = "mutation ($x: String!) { criarPessoa(input: {nomePessoa: $x}) { pessoa { nomePessoa } } }"
    body = f'{{"query": "{mutation}", "variables": {{"x": "\\ud83c\\udfc3"}}}}'

    answer = await gateway.client.post("/graphql", content=body, headers=JSON)

    assert answer.json()["data"]["criarPessoa"]["pessoa"] == {"nomePessoa": "\N{RUNNER}"}


@pytest.mark.parametrize("id", ["0", "-1"])
async def test_an_id_that_no_row_can_have_does_not_spoil_its_neighbours(
    gateway: Gateway, services: Services, id: str
) -> None:
    row = await builders.pessoa(services)

    answer = await gateway.run(
        "query ($id: ID!, $other: ID!) { a: pessoa(id: $other) { id } b: pessoa(id: $id) { id } }",
        id=row["id"],
        other=id,
    )

    assert answer["data"] == {"a": None, "b": {"id": str(row["id"])}}
    assert [error["path"] for error in answer["errors"]] == [["a"]]
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "id"}


@pytest.mark.parametrize(
    "body",
    [
        [{"query": "{ __typename }"}],
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ab"}}},
        {"query": "{"},
        {"query": "{ nada }"},
        {"query": "subscription { nada }"},
        {"query": "query A { __typename }", "operationName": "B"},
        {"query": "query ($x: Int!) { pessoas(first: $x) { totalCount } }", "variables": {"x": "um"}},
        {"query": "query ($x: PessoaFilter) { pessoas(filter: $x) { totalCount } }", "variables": {"x": {"z": 1}}},
        {"query": "{ pessoas(first: 99999999999) { totalCount } }"},
        {"query": "{ pessoas(first: 1001) { totalCount } }"},
        {"query": "{ pessoas(last: -1) { totalCount } }"},
        {"query": '{ pessoas(after: "") { totalCount } }'},
        {"query": '{ pessoas(before: "WyJub21lX3NlcnZpY28iLCJ4IiwxXQ") { totalCount } }'},
        {"query": '{ pessoas(filter: {id: {in: ["x"]}}) { totalCount } }'},
        {"query": "{ pessoas(filter: {or: null}) { totalCount } }"},
        {"query": "{ pessoas(orderBy: null) { totalCount } }"},
        {"query": '{ pessoas(filter: {nomePessoa: {eq: "\\u0000"}}) { totalCount } }'},
        {"query": '{ solicitacoes(filter: {dataSolicitacao: {gte: "ontem"}}) { totalCount } }'},
        {"query": '{ solicitacoes(filter: {dataSolicitacao: {gte: "2025-99-99T00:00:00Z"}}) { totalCount } }'},
        {
            "query": "query ($i: [ID!]) { pessoas(filter: {id: {in: $i}}) { totalCount } }",
            "variables": {"i": ["1"] * 5001},
        },
    ],
    ids=lambda body: str(body)[:80],
)
async def test_what_a_caller_did_wrong_has_a_code_of_the_closed_list_and_is_no_fault_of_ours(
    gateway: Gateway, body: Any
) -> None:
    answer = await gateway.client.post("/graphql", json=body, headers=GRAPHQL_JSON)

    codes = [error["extensions"]["code"] for error in answer.json()["errors"]]
    assert codes
    assert set(codes) <= CODES - {"INTERNAL", "UNAVAILABLE", "TIMEOUT"}
    assert answer.status_code == (200 if "data" in answer.json() else 400)
    assert answer.headers["content-type"].startswith("application/graphql-response+json")


async def test_the_schema_can_be_asked_for(gateway: Gateway) -> None:
    data = await gateway.data("{ __schema { queryType { name } subscriptionType { name } } }")

    assert data == {"__schema": {"queryType": {"name": "Query"}, "subscriptionType": {"name": "Subscription"}}}
