"""Permissions at the gateway: without a token nothing is allowed, and a field without the scope of its service costs no
request."""

from __future__ import annotations

import asyncio
import json
import random
from itertools import combinations
from typing import Any

import httpx2
import pytest

from bench.gateway.python.reference.executor import ReferenceExecutor
from chassis.request import context
from chassis.request.caller import Caller
from gateway.context import Context
from gateway.errors import formatted
from gateway.execution.operation import ExecutionOutcome, Executor
from gateway.loaders import Loaders
from gateway.settings import Limits
from tests import builders
from tests.applications import Applications, Services
from tests.gateway.operations import Writer
from tests.issuer import bearer, mint

SERVICES = ("catalogo", "pessoas", "servicos", "solicitacoes")
READS = [f"{service}:read" for service in SERVICES]
SUBSETS = [subset for size in range(5) for subset in combinations(READS, size)]
OPERATIONS_PER_SUBSET = 40

PAINEL = """{ solicitacoes(first: 5) { totalCount nodes {
    id pessoa { nomePessoa } servico { nomeServico } produto { nomeProduto categoria { nomeCategoria } } } } }"""


async def run(protected: Applications, query: str, *scopes: str) -> dict[str, Any]:
    answer = await protected.gateway.client.post("/graphql", json={"query": query}, headers=bearer(*scopes))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refusals(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (".".join(map(str, one["path"])), one["extensions"]["code"], one["message"]) for one in answer.get("errors", ())
    ]


@pytest.mark.parametrize("query", [PAINEL, "{ __typename }", "{ __schema { types { name } } }", "{ nada }", "{"])
@pytest.mark.parametrize("token", [None, "bad", mint(exp=1), "very long " * 5000], ids=["none", "bad", "old", "long"])
async def test_without_a_good_token_nothing_is_executed_nor_told(
    protected: Applications, query: str, token: str | None
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for accept in ("application/json", "application/graphql-response+json"):
        answer = await protected.gateway.client.post(
            "/graphql", json={"query": query}, headers=headers | {"Accept": accept}
        )
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith('Bearer realm="solicita"')
        assert ('error="invalid_token"' in challenge) == (token is not None)
        assert answer.headers["content-type"].startswith(accept)
        assert "data" not in answer.json()
        assert [one["extensions"]["code"] for one in answer.json()["errors"]] == ["UNAUTHENTICATED"]
    by_get = await protected.gateway.client.get("/graphql", params={"query": query}, headers=headers)
    assert by_get.status_code == 401
    assert protected.services.calls == []


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_another_scheme_is_no_token_and_two_authorizations_are_an_invalid_request(
    protected: Applications, accept: str
) -> None:
    async def asked(*authorization: str) -> tuple[int, str, str]:
        headers = httpx2.Headers([("Accept", accept), *(("Authorization", one) for one in authorization)])
        answer = await protected.gateway.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        [error] = answer.json()["errors"]
        return answer.status_code, error["extensions"]["code"], answer.headers["www-authenticate"]

    assert await asked("Basic YTpi") == (401, "UNAUTHENTICATED", 'Bearer realm="solicita"')
    status, code, challenge = await asked(f"Bearer {mint(*READS)}", f"Bearer {mint(*READS)}")
    assert (status, code) == (400, "BAD_USER_INPUT")
    assert 'error="invalid_request"' in challenge


async def test_the_page_is_for_everybody_and_has_a_place_for_the_token(
    protected: Applications, applications: Applications
) -> None:
    html = {"Accept": "text/html"}
    protected_page = await protected.gateway.client.get("/graphql", headers=html)
    open_page = await applications.gateway.client.get("/graphql", headers=html)

    assert protected_page.status_code == 200
    assert '<body data-auth="jwt">' in protected_page.text
    assert protected_page.text.replace(' data-auth="jwt"', "") == open_page.text
    assert protected_page.headers["content-security-policy"] == open_page.headers["content-security-policy"]
    assert (await protected.gateway.client.get("/health/ready")).status_code == 200


async def test_a_page_that_asks_is_answered_by_its_token_only(protected: Applications) -> None:
    asked = await protected.gateway.client.get(
        "/graphql", params={"query": "{ __typename }"}, headers={"Accept": "application/json, text/html;q=0.9, */*"}
    )

    assert asked.status_code == 401


async def test_the_token_travels_to_every_service(protected: Applications, services: Services) -> None:
    await builders.solicitacao(services)
    protected.services.calls.clear()
    token = mint(*READS)

    answer = await protected.gateway.client.post(
        "/graphql", json={"query": PAINEL}, headers={"Authorization": f"bearer {token}"}
    )

    assert "errors" not in answer.json()
    assert {call.service for call in protected.services.calls} == set(SERVICES)
    assert {call.authorization for call in protected.services.calls} == {f"Bearer {token}"}


async def test_two_callers_at_the_same_time_do_not_share_a_read(protected: Applications, services: Services) -> None:
    await builders.pessoa(services)
    protected.services.calls.clear()
    headers = [bearer("pessoas:read", sub=subject) for subject in ("ana", "bia")]
    body = {"query": "{ pessoas { totalCount } }"}

    await asyncio.gather(
        *(protected.gateway.client.post("/graphql", json=body, headers=one) for one in headers for _ in range(3))
    )

    sent = {call.authorization for call in protected.services.calls}
    assert sent == {one["Authorization"] for one in headers}


async def test_a_denied_field_is_null_forbidden_at_its_path_and_costs_no_request(
    protected: Applications, services: Services
) -> None:
    await builders.solicitacao(services)
    protected.services.calls.clear()

    answer = await run(protected, PAINEL, "solicitacoes:read", "pessoas:read")

    node = answer["data"]["solicitacoes"]["nodes"][0]
    assert node["pessoa"] == {"nomePessoa": "João Silva"}
    assert node["servico"] is node["produto"] is None
    assert sorted(refusals(answer)) == [
        ("solicitacoes.nodes.0.produto", "FORBIDDEN", "falta o escopo catalogo:read"),
        ("solicitacoes.nodes.0.servico", "FORBIDDEN", "falta o escopo servicos:read"),
    ]
    assert [call.service for call in protected.services.calls] == ["solicitacoes", "pessoas"]


async def test_a_filter_by_what_may_not_be_read_is_forbidden_too(protected: Applications) -> None:
    query = '{ solicitacoes(filter: {pessoa: {nomePessoa: {contains: "a"}}}) { totalCount } }'
    answer = await run(protected, query, "solicitacoes:read")

    assert refusals(answer) == [("solicitacoes", "FORBIDDEN", "falta o escopo pessoas:read")]
    assert protected.services.calls == []


@pytest.mark.parametrize(
    "mutation",
    [
        'criarPessoa(input: {nomePessoa: "Ana"})',
        'atualizarPessoa(id: "1", input: {nomePessoa: "Bia"})',
        'atualizarPessoa(id: "x", input: {nomePessoa: "Bia"})',
        'excluirPessoa(id: "1")',
    ],
)
async def test_a_write_without_its_scope_is_forbidden_and_costs_no_request(
    protected: Applications, services: Services, mutation: str
) -> None:
    await builders.pessoa(services)
    protected.services.calls.clear()
    field = mutation.partition("(")[0]

    answer = await run(protected, f"mutation {{ {mutation} {{ pessoa {{ id }} errors {{ code }} }} }}", *READS)

    assert answer["data"] == {field: None}
    assert refusals(answer) == [(field, "FORBIDDEN", "falta o escopo pessoas:write")]
    assert protected.services.calls == []
    assert len((await services.pessoas.get("/api/pessoas/")).json()) == 1


async def test_a_write_shows_what_was_written_but_nothing_beyond(protected: Applications, services: Services) -> None:
    await builders.solicitacao(services)
    mutation = """mutation { criarSolicitacao(input: {servicoId: "1", pessoaId: "1", produtoId: "1"})
        { solicitacao { id pessoa { id } } errors { code } } }"""

    blind = await run(protected, mutation, "solicitacoes:write")
    seeing = await run(protected, mutation, "solicitacoes:write", "pessoas:read", "servicos:read", "catalogo:read")
    [error] = blind["errors"]

    assert (error["path"], error["extensions"]) == (
        ["criarSolicitacao"],
        {"code": "FORBIDDEN", "service": "solicitacoes"},
    )
    assert error["message"] == "faltam os escopos servicos:read, pessoas:read, catalogo:read"
    assert seeing["data"]["criarSolicitacao"] == {"solicitacao": {"id": "2", "pessoa": {"id": "1"}}, "errors": []}


def comparable(result: ExecutionOutcome) -> tuple[bytes | None, list[str]]:
    errors = [formatted(error) for error in result.errors]
    return result.data, sorted(json.dumps([one.get("path"), one["extensions"]["code"]]) for one in errors)


@pytest.mark.parametrize("scopes", SUBSETS, ids=lambda scopes: " ".join(scopes) or "none")
async def test_both_executors_let_a_caller_see_the_same(
    protected: Applications, services: Services, database_urls: dict[str, str], scopes: tuple[str, ...]
) -> None:
    for n in range(6):
        await builders.pessoa(services, f"Maria {n}")
        await builders.servico(services, f"Serviço {n}")
        await builders.produto(services, f"Mesa {n}")
    builders.insert_solicitacoes(
        database_urls["solicitacoes"], [(1 + n % 7, 1 + n * 5 % 8, 1 + n * 3 % 7) for n in range(30)]
    )
    executor = Executor(
        protected.gateway_app.state.graphql.operations.executor.schema, Limits(max_cost=10**9)
    )  # a random operation may have any cost
    reference = ReferenceExecutor(executor.schema, executor.limits)
    remotes: Any = protected.gateway_app.state.graphql.operations.remotes
    may_ask = {scope.partition(":")[0] for scope in scopes}
    rng, forbidden = random.Random(str(scopes)), 0
    with context.acting_for(Caller("ana", frozenset(scopes), mint(*scopes))):
        for _ in range(OPERATIONS_PER_SUBSET):
            seed = rng.randrange(10**9)
            writer = Writer(executor.schema, seed, [])
            text = writer.query()
            document = executor.prepare(text)
            operation = document.operation(None)
            protected.services.calls.clear()

            results = [
                await execute(document, operation, writer.variables, Context(Loaders(remotes)))
                for execute in (executor.run, reference.run)
            ]

            assert comparable(results[0]) == comparable(results[1]), (seed, text, writer.variables)
            assert {call.service for call in protected.services.calls} <= may_ask, (seed, text)
            forbidden += any(one.startswith("falta") for one in map(str, results[0].errors))
    assert forbidden or len(scopes) == len(READS)
