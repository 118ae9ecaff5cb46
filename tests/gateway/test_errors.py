"""The GraphQL error for a neighbour's failure: it has a code of the closed list, the service and the path, and nothing
internal."""

import json
from typing import Any

import httpx2
import pytest

from gateway.errors import CODES, MOST_SHOWN
from tests import builders
from tests.applications import Gateway, Services

CLOSED = {
    "BAD_USER_INPUT",
    "NOT_FOUND",
    "CONFLICT",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "GONE",
    "RATE_LIMITED",
    "LIMIT_EXCEEDED",
    "UNAVAILABLE",
    "TIMEOUT",
    "INTERNAL",
    "PERSISTED_QUERY_NOT_SUPPORTED",
}
SECRET = "SELECT senha FROM cofre at /srv/chassis/db.py:42"
PROBLEM = {"code": "WHATEVER", "detail": SECRET}


def test_every_code_is_of_the_closed_list() -> None:
    assert set(CODES.values()) <= CLOSED


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx2.Response(500, json=PROBLEM), "UNAVAILABLE"),
        (httpx2.Response(500, text=SECRET), "UNAVAILABLE"),
        (httpx2.Response(503, json=PROBLEM), "UNAVAILABLE"),
        (httpx2.Response(401, json=PROBLEM), "UNAVAILABLE"),
        (httpx2.Response(301, json={"items": []}), "UNAVAILABLE"),
        (httpx2.Response(202, json={"items": []}), "UNAVAILABLE"),
        (httpx2.Response(204), "UNAVAILABLE"),
        (httpx2.Response(404, text=SECRET), "UNAVAILABLE"),
        (httpx2.Response(418, json=PROBLEM), "UNAVAILABLE"),
        (httpx2.Response(200, text=SECRET), "UNAVAILABLE"),
        (httpx2.Response(200, json={"items": [{"id": SECRET}]}), "UNAVAILABLE"),
        (httpx2.Response(200, json={"items": None}), "UNAVAILABLE"),
        (httpx2.Response(405, json=PROBLEM), "INTERNAL"),
        (httpx2.Response(415, json=PROBLEM), "INTERNAL"),
        (httpx2.ConnectError(SECRET), "UNAVAILABLE"),
        (httpx2.RemoteProtocolError(SECRET), "UNAVAILABLE"),
        (httpx2.ReadTimeout(SECRET), "TIMEOUT"),
        (httpx2.ConnectTimeout(SECRET), "TIMEOUT"),
    ],
    ids=lambda one: repr(one)[:36],
)
async def test_a_neighbours_trouble_is_an_error_at_its_path_that_shows_nothing_internal(
    gateway: Gateway, services: Services, answer: Any, code: str
) -> None:
    def disturbed(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    await builders.solicitacao(services)
    await builders.solicitacao(services)
    services.networks["pessoas"].disturb = disturbed

    found = await gateway.run(
        "{ solicitacoes { edges { node { id pessoa { nomePessoa } servico { nomeServico } } } } }"
    )

    servico = {"nomeServico": "Reparo"}
    assert [edge["node"] for edge in found["data"]["solicitacoes"]["edges"]] == [
        {"id": id, "pessoa": None, "servico": servico} for id in ("1", "2")
    ]
    assert [error["path"] for error in found["errors"]] == [
        ["solicitacoes", "edges", n, "node", "pessoa"] for n in (0, 1)
    ]
    assert {error["extensions"]["code"] for error in found["errors"]} == {code}
    assert {error["extensions"]["service"] for error in found["errors"]} == {"pessoas"}
    assert {"trace_id" in error["extensions"] for error in found["errors"]} == {code == "INTERNAL"}
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize(("status", "code"), [(429, "RATE_LIMITED"), (503, "UNAVAILABLE")])
async def test_an_error_says_when_to_come_back_if_the_service_has_said_so(
    gateway: Gateway, services: Services, status: int, code: str
) -> None:
    def disturbed(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
        problem = {"code": code, "detail": "tente de novo em 37 s"}
        return httpx2.Response(status, json=problem, headers={"Retry-After": "37"})

    services.networks["pessoas"].disturb = disturbed

    read = await gateway.run("{ pessoa(id: 1) { id } }")
    write = await gateway.run("mutation { excluirPessoa(id: 1) { errors { code } } }")

    for found in (read, write):
        [error] = found["errors"]
        assert error["extensions"] == {"code": code, "service": "pessoas", "retry_after": 37}


async def test_of_very_many_errors_the_first_are_shown_and_that_there_are_more(
    gateway: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(600)))
    query = """{ pessoas(first: 1000) { nodes {
        a: solicitacoes(first: -1) { totalCount } b: solicitacoes(first: -1) { totalCount }
    } } }"""

    answer = await gateway.run(query)

    *shown, last = answer["errors"]
    assert len(shown) == MOST_SHOWN == 1000
    assert len({tuple(error["path"]) for error in shown}) == 1000
    assert {error["extensions"]["code"] for error in shown} == {"BAD_USER_INPUT"}
    assert last == {
        "message": "há mais erros; são mostrados os primeiros 1000",
        "extensions": {"code": "LIMIT_EXCEEDED", "limit": "MAX_ERRORS", "allowed": 1000},
    }
    assert answer["data"]["pessoas"]["nodes"] == [{"a": None, "b": None}] * 600
