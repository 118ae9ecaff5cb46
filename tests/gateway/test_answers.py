"""A service's answer is accepted only if it is what was asked for: these rows, each once, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from bench.gateway.python.reference.executor import ReferenceExecutor
from gateway.context import Context
from gateway.errors import formatted
from gateway.loaders import Loaders
from tests.applications import Applications, Services
from tests.neighbours import Disturbance

Document = dict[str, Any]
Change = Callable[[Document], None]


def changed(change: Change) -> Disturbance:
    """The good answer of a query or a write, changed."""

    def disturbed(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        assert answer.is_success, answer.text
        found = json.loads(answer.content)
        change(found)
        return httpx2.Response(answer.status_code, json=found)

    return disturbed


def as_status(status: int) -> Disturbance:
    def disturbed(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        return httpx2.Response(status, content=answer.content, headers={"Location": "/api/pessoas/query/"})

    return disturbed


def add(*path: str | int) -> Change:
    """The first of a list comes again, at its end."""

    def change(found: Any) -> None:
        for step in path:
            found = found[step]
        found.append(found[0])

    return change


def put(value: Any, *path: str | int) -> Change:
    def change(found: Any) -> None:
        for step in path[:-1]:
            found = found[step]
        found[path[-1]] = value

    return change


def without(*path: str | int) -> Change:
    def change(found: Any) -> None:
        for step in path[:-1]:
            found = found[step]
        del found[path[-1]]

    return change


ONE = "{ found: pessoa(id: 1) { nomePessoa } }"
LINKS = "{ solicitacoes { nodes { found: pessoa { nomePessoa } servico { id } } } }"
PAGE = "{ found: pessoas(first: 2) { totalCount nodes { nomePessoa } } }"
LAST = "{ found: pessoas(last: 2) { nodes { nomePessoa } } }"
BELOW = "{ pessoas { nodes { found: solicitacoes(first: 3) { totalCount nodes { id } } } } }"
PRODUTOS = "{ categorias { nodes { found: produtos(first: 3) { nodes { id } } } } }"
FILTER = '{ found: solicitacoes(filter: {pessoa: {nomePessoa: {contains: "a"}}}) { nodes { id } } }'
ATUALIZAR = 'mutation { found: atualizarPessoa(id: 1, input: {nomePessoa: "Ana"}) { pessoa { nomePessoa } } }'
CRIAR = 'mutation { found: criarPessoa(input: {nomePessoa: "Ana"}) { pessoa { nomePessoa } } }'
EXCLUIR = "mutation { found: excluirSolicitacao(id: 1) { solicitacao { id } } }"

CASES: dict[str, tuple[str, str, Disturbance]] = {
    "one: another": (ONE, "pessoas", changed(put(2, "items", 0, "id"))),
    "one: twice": (ONE, "pessoas", changed(add("items"))),
    "one: no id of any row": (ONE, "pessoas", changed(put(0, "items", 0, "id"))),
    "bulk: one nobody asked for": (LINKS, "pessoas", changed(put(77, "items", 1, "id"))),
    "bulk: one twice": (LINKS, "pessoas", changed(add("items"))),
    "bulk: by 307": (LINKS, "pessoas", as_status(307)),
    "bulk: by 202": (LINKS, "pessoas", as_status(202)),
    "page: one too many": (PAGE, "pessoas", changed(add("items"))),
    "page from the end: one too many": (LAST, "pessoas", changed(add("items"))),
    "page: no count": (PAGE, "pessoas", changed(without("count"))),
    "page: less than none": (PAGE, "pessoas", changed(put(-1, "count"))),
    "page: by 206": (PAGE, "pessoas", as_status(206)),
    "groups: a parent nobody asked for": (BELOW, "solicitacoes", changed(put(77, "groups", 0, "id"))),
    "groups: a parent twice": (BELOW, "solicitacoes", changed(add("groups"))),
    "groups: a parent missing": (BELOW, "solicitacoes", changed(without("groups", 1))),
    "groups: a parent without its id": (BELOW, "solicitacoes", changed(without("groups", 0, "id"))),
    "groups: a row of another parent": (BELOW, "solicitacoes", changed(put(2, "groups", 0, "items", 0, "pessoa_id"))),
    "groups: a produto of another categoria": (
        PRODUTOS,
        "catalogo",
        lambda request, answer: (
            changed(put(2, "groups", 0, "items", 0, "categoria", "id"))(request, answer)
            if b"per" in request.content
            else answer
        ),
    ),
    "groups: a row too many": (BELOW, "solicitacoes", changed(add("groups", 0, "items"))),
    "groups: no count": (BELOW, "solicitacoes", changed(without("groups", 2, "count"))),
    "ids: one twice": (FILTER, "pessoas", changed(add("ids"))),
    "ids: none of any row": (FILTER, "pessoas", changed(put(0, "ids", 0))),
    "ids: too many": (FILTER, "pessoas", changed(put([*range(1, 5002)], "ids"))),
    "ids: by 302": (FILTER, "pessoas", as_status(302)),
    "change: another row": (ATUALIZAR, "pessoas", changed(put(2, "id"))),
    "change: by 201": (ATUALIZAR, "pessoas", as_status(201)),
    "creation: by 200": (CRIAR, "pessoas", as_status(200)),
    "creation: by 303": (CRIAR, "pessoas", as_status(303)),
    "creation: no id of any row": (CRIAR, "pessoas", changed(put(0, "id"))),
    "deletion: another row": (EXCLUIR, "solicitacoes", changed(put(2, "id"))),
    "deletion: by 202": (EXCLUIR, "solicitacoes", as_status(202)),
}


def founds(data: Any) -> list[Any]:
    """All values that the answer has under the key `found`."""
    if isinstance(data, list):
        return [one for part in data for one in founds(part)]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(data, dict):
        return []
    members: Document = data  # pyright: ignore[reportUnknownVariableType]
    return [one for key, value in members.items() for one in ([value] if key == "found" else founds(value))]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("many")
async def test_an_answer_to_something_else_is_none(applications: Applications, services: Services, case: str) -> None:
    text, service, disturbance = CASES[case]
    graphql = applications.gateway_app.state.graphql
    document = graphql.operations.executor.prepare(text)
    services.networks[service].disturb = disturbance

    reference = ReferenceExecutor(graphql.operations.executor.schema, graphql.operations.executor.limits)

    for execute in (graphql.operations.executor.run, reference.run):
        result = await execute(
            document, document.operation(None), {}, Context(Loaders(graphql.operations.remotes), "key")
        )

        assert result.data, result.errors
        shown = founds(json.loads(result.data))
        assert shown
        assert set(map(type, shown)) == {type(None)}, "nothing of it is shown"
        errors = [formatted(error)["extensions"] for error in result.errors]
        assert errors == [{"code": "UNAVAILABLE", "service": service}] * len(shown)


@pytest.mark.usefixtures("many")
async def test_rows_that_come_in_another_order_are_an_answer_too(
    applications: Applications, services: Services
) -> None:
    """The order of ids and of parents was not requested, so it does not matter."""

    def reversed_(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        found = json.loads(answer.content)
        for member in ("items", "groups"):
            if b'"ids"' in _request.content and member in found:
                found[member].reverse()
        return httpx2.Response(200, json=found)

    before = [await applications.gateway.data(query) for query in (LINKS, BELOW)]
    for network in services.networks.values():
        network.disturb = reversed_
    after = [await applications.gateway.data(query) for query in (LINKS, BELOW)]

    assert after == before
