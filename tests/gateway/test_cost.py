"""The cost of an operation, estimated before it runs: the highest number of requests and rows that it can cause."""

from __future__ import annotations

from typing import Any

import pytest
from graphql.execution.values import VariableValues, get_variable_values

from deploy.local import ROOT
from gateway import schema
from gateway.context import Context
from gateway.execution.cost import SEARCH_COST
from gateway.execution.operation import Executor
from gateway.loaders import Loaders
from gateway.settings import LARGEST_COUNT, Limits
from tests import builders
from tests.applications import Applications, Gateway, Services
from tests.gateway.operations import Writer

CORE = schema.core(schema.build())


def cost(text: str, **variables: Any) -> int:
    executor = Executor(CORE, Limits())
    document = executor.prepare(text)
    assert not document.errors, document.errors
    operation = document.operation(None)
    coerced = get_variable_values(CORE, operation.variable_definitions or (), variables)
    assert isinstance(coerced, VariableValues), coerced
    return executor.compiled(document, operation, coerced).cost(coerced.coerced)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ __typename }", 0),
        ("{ pessoa(id: 1) { id } }", 1 + 1),
        ("{ pessoas { nodes { id } } }", 1 + 100),
        ("{ pessoas(first: 7) { nodes { id } } }", 1 + 7),
        ("{ pessoas(last: 7) { edges { cursor node { id } } } }", 1 + 7),
        ("{ pessoas(first: null) { nodes { id } } }", 1 + 100),
        ("{ pessoas(first: 0) { nodes { id } } }", 1),
        ("{ pessoas(first: -5) { nodes { id } } }", 1),
        ("{ pessoas(first: 2000000000) { nodes { id } } }", 1 + 1000),
        ("{ solicitacoes(first: 10) { nodes { pessoa { id } servico { id } } } }", (1 + 10) + 2 * (1 + 10)),
        ("{ solicitacoes(first: 10) { nodes { produto { categoria { id } } } } }", (1 + 10) + (1 + 10)),
        ("{ solicitacoes(first: 0) { nodes { pessoa { id } } } }", 1),
        ("{ pessoas(first: 10) { nodes { solicitacoes(first: 5) { nodes { id } } } } }", (1 + 10) + (1 + 50)),
        ("{ pessoas(first: 1000) { nodes { solicitacoes(first: 2) { nodes { id } } } } }", (1 + 1000) + (1 + 2000)),
        (
            """{ categorias(first: 4) { nodes { produtos(first: 1000) { nodes {
                solicitacoes(first: 1) { nodes { id } }
            } } } } }""",
            (1 + 4) + (1 + 4000) + (4 + 4000),
        ),
        (
            '{ solicitacoes(first: 1, filter: {pessoa: {id: {eq: "1"}}, or: [{produto: {}}]}) { nodes { id } } }',
            2 + 1 + 1,
        ),
        ("{ a: pessoas(first: 1) { nodes { id } } a: pessoas(first: 1) { nodes { id } } }", 1 + 1),
        ("{ pessoas(first: 9) { nodes { id } } ... @include(if: false) { servicos { nodes { id } } } }", 1 + 9),
        ("{ pessoas(first: 9) { nodes { id } ...A } } fragment A on PessoaConnection { nodes { nomePessoa } }", 1 + 9),
        ('mutation { a: excluirPessoa(id: "1") { pessoa { id } } b: excluirPessoa(id: "2") { errors { code } } }', 2),
        ('mutation { excluirPessoa(id: "1") { pessoa { solicitacoes(first: 3) { nodes { id } } } } }', 1 + 1 + 3),
    ],
)
def test_the_cost_is_requests_plus_rows(text: str, expected: int) -> None:
    assert cost(text) == expected


def test_a_page_below_a_parent_counts_a_row_at_least() -> None:
    many = " ".join(f"a{n}: solicitacoes(first: -1) {{ totalCount }}" for n in range(98))

    for one in ("solicitacoes { totalCount }", "solicitacoes(first: 0) { nodes { id } }"):
        assert cost(f"{{ pessoas(first: 500) {{ nodes {{ {one} }} }} }}") == (1 + 500) + (1 + 500)
    assert cost(f"{{ pessoas(first: 1000) {{ nodes {{ {many} }} }} }}") == 1 + 1000 + 98 * (1 + 1000)


def test_what_is_selected_of_the_page_itself_counts_for_each_parent() -> None:
    wide = " ".join(f"a{n}: startCursor" for n in range(45))
    page = f"solicitacoes(first: 1) {{ nodes {{ id }} pageInfo {{ {wide} }} }}"

    assert cost(f"{{ pessoas(first: 100) {{ nodes {{ {page} }} }} }}") == (1 + 100) + (1 + 100 + 4 * 100)


def test_what_a_filter_lists_counts_at_each_use() -> None:
    query = """query ($f: SolicitacaoFilter!, $ids: [ID!]!) {
        a: solicitacoes(first: 0, filter: $f) { nodes { id } }
        b: solicitacoes(first: 0, filter: {or: [$f, {id: {in: $ids}}, {id: {in: ["1", "2"]}}]}) { nodes { id } }
    }"""

    assert cost(query, ids=[], f={}) == 2 + 2
    assert cost(query, ids=["1"] * 300, f={"pessoaId": {"in": ["1"] * 1000}}) == 2 + 2 + 300 + 2 * 1000


def test_a_long_text_in_a_filter_counts_too() -> None:
    query = "query ($t: String!) { pessoas(first: 0, filter: {nomePessoa: {contains: $t}}) { nodes { id } } }"

    assert cost(query, t="a" * 99) == 1 + SEARCH_COST
    assert cost(query, t="a" * 5000) == 1 + SEARCH_COST + 50
    assert cost(query.replace("$t}", '"' + "a" * 5000 + '"}').replace("($t: String!)", "")) == 1 + SEARCH_COST + 50


def test_to_look_for_a_text_costs_as_much_as_the_longest_page() -> None:
    query = "query ($f: PessoaFilter) { pessoas(first: 10, filter: $f) { nodes { id } } }"
    name = {"contains": "a"}

    assert cost(query, f={"id": {"eq": "1"}, "nomePessoa": {"eq": "a", "startsWith": "a"}}) == 1 + 10
    assert cost(query, f={"nomePessoa": name}) == 1 + 10 + 1000
    assert cost(query, f={"or": [{"nomePessoa": name}, {"not": {"nomePessoa": name}}]}) == 1 + 10 + 2 * 1000
    nested = '{pessoa: {nomePessoa: {contains: "a"}}, produto: {categoria: {nomeCategoria: {contains: "b"}}}}'
    assert cost(f"{{ solicitacoes(first: 1, filter: {nested}) {{ nodes {{ id }} }} }}") == 4 + 1 + 2 * 1000


async def test_a_crowd_of_searches_in_one_operation_is_refused(gateway: Gateway) -> None:
    searches = " ".join(
        f'a{n}: pessoas(filter: {{nomePessoa: {{contains: "{n}"}}}}) {{ totalCount }}' for n in range(50)
    )

    answer = await gateway.client.post("/graphql", json={"query": f"{{ {searches} }}"})

    [error] = answer.json()["errors"]
    assert error["extensions"]["limit"] == "MAX_COST"


def test_a_row_that_shows_a_field_many_times_counts_more() -> None:
    wide = " ".join(f"a{n}: nomePessoa" for n in range(30))

    assert cost(f"{{ pessoas(first: 100) {{ nodes {{ {wide} }} }} }}") == 1 + 3 * 100


def test_page_sizes_filters_and_conditions_may_come_in_variables() -> None:
    query = """query ($n: Int, $last: Int, $f: SolicitacaoFilter, $with: Boolean = false) {
        solicitacoes(first: $n, last: $last, filter: $f) { nodes { id pessoa @include(if: $with) { id } } }
    }"""

    assert cost(query) == 1 + 100
    assert cost(query, n=3) == 1 + 3
    assert cost(query, last=4) == 1 + 4
    assert cost(query, n=None, last=4) == 1 + 4
    assert cost(query, n=10**6) == 1 + 1000
    assert cost(query, n=3, **{"with": True}) == (1 + 3) + (1 + 3)
    assert cost(query, n=3, f={"or": [{"pessoa": {"id": {"eq": "1"}}}, {"not": {"servico": {}}}]}) == 2 + (1 + 3)


def test_a_part_of_a_filter_may_come_in_a_variable() -> None:
    query = "query ($f: SolicitacaoFilter!) { solicitacoes(first: 1, filter: {not: $f, pessoa: {}}) { nodes { id } } }"

    assert cost(query, f={}) == 1 + 1 + 1
    assert cost(query, f={"produto": {"id": {"eq": "1"}}}) == 2 + 1 + 1


async def test_the_estimate_of_the_painel_is_what_it_does(gateway: Gateway, services: Services) -> None:
    for name in ("Ana", "Bia", "Caio"):
        pessoa = (await builders.pessoa(services, name))["id"]
        categoria = (await builders.categoria(services))["id"]
        produto = (await builders.produto(services, "Mesa", categoria))["id"]
        servico = (await builders.servico(services))["id"]
        await builders.solicitacao(services, servico_id=servico, pessoa_id=pessoa, produto_id=produto)
    services.calls.clear()
    query = (ROOT / "gateway/playground/examples/1-painel.graphql").read_text().replace("first: 100", "first: 3")

    answer = await gateway.client.post("/graphql", json={"query": query}, headers={"X-Query-Cost": "1"})

    assert answer.json()["extensions"] == {"cost": {"requested": len(services.calls) + 4 * 3, "allowed": 50_000}}
    assert len(answer.json()["data"]["solicitacoes"]["edges"]) == 3


async def test_no_random_query_causes_more_requests_than_its_cost(
    applications: Applications, services: Services, database_urls: dict[str, str]
) -> None:
    for n in range(6):
        await builders.pessoa(services, f"Maria {n}")
        await builders.servico(services, f"Serviço {n}")
        await builders.categoria(services, f"Móveis {n}")
        await builders.produto(services, f"Mesa {n}", 1 + n)
    builders.insert_solicitacoes(database_urls["solicitacoes"], [(1 + n % 6, 1 + n % 5, 1 + n % 6) for n in range(30)])
    executor = Executor(CORE, Limits(max_cost=LARGEST_COUNT))
    asked = 0
    for seed in range(200):
        writer = Writer(CORE, seed, [])
        document = executor.prepare(writer.query())
        services.calls.clear()
        context = Context(Loaders(applications.gateway_app.state.graphql.operations.remotes))
        result = await executor.run(document, document.operation(None), writer.variables, context)
        asked += len(services.calls)
        if result.cost:
            assert len(services.calls) <= result.cost, seed
    assert asked > 200


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_cost_is_shown_to_who_asks_for_it(gateway: Gateway, method: str) -> None:
    query = {"query": "{ pessoas(first: 7) { nodes { id } } }"}
    sent: dict[str, Any] = {"json": query} if method == "POST" else {"params": query}

    silent = await gateway.client.request(method, "/graphql", **sent)
    told = await gateway.client.request(method, "/graphql", **sent, headers={"X-Query-Cost": "1"})

    assert silent.json() == {"data": {"pessoas": {"nodes": []}}}
    assert told.json() == {**silent.json(), "extensions": {"cost": {"requested": 8, "allowed": 50_000}}}
