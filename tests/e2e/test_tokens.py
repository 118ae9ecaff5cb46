"""The whole system with AUTH_MODE=jwt, over real sockets, with the tokens of `make token`."""

from __future__ import annotations

import httpx2
import pytest

from deploy import issue_token
from deploy.local import ROOT
from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.scraped import parsed
from tests.system import System

PAINEL = (ROOT / "gateway/playground/examples/1-painel.graphql").read_text()
HOSTS = {"catalogo": 8001, "pessoas": 8002, "servicos": 8003, "solicitacoes": 8004}


def graphql(system: System, query: str, *scopes: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {issue_token.mint(system.directory, scopes=scopes)}"} if scopes else {}
    url = f"http://localhost:{8000 + system.offset}/graphql"
    return httpx2.post(url, json={"query": query}, headers=headers, timeout=30)


def test_the_painel_is_whole_for_who_may_read_all_of_it(protected_system: System) -> None:
    answer = graphql(protected_system, PAINEL, *issue_token.ALL)

    assert answer.status_code == 200
    assert "errors" not in answer.json()
    assert len(answer.json()["data"]["solicitacoes"]["edges"]) == 100


def test_the_painel_has_nulls_where_the_token_may_not_look(protected_system: System) -> None:
    found = graphql(protected_system, PAINEL, "solicitacoes:read", "servicos:read", "catalogo:read").json()

    nodes = [edge["node"] for edge in found["data"]["solicitacoes"]["edges"]]
    assert all(node["pessoa"] is None and node["servico"] and node["produto"] for node in nodes)
    assert {error["extensions"]["code"] for error in found["errors"]} == {"FORBIDDEN"}
    assert {error["message"] for error in found["errors"]} == {"falta o escopo pessoas:read"}


def test_without_a_token_the_gateway_answers_nothing(protected_system: System) -> None:
    assert graphql(protected_system, PAINEL).status_code == 401


@pytest.mark.parametrize(("service", "port"), HOSTS.items())
def test_each_service_asks_by_itself(protected_system: System, service: str, port: int) -> None:
    base = f"http://localhost:{port + protected_system.offset}"
    path = next(iter(httpx2.get(f"{base}/api/", timeout=WAIT_SECONDS).json().values()))

    def status(*scopes: str) -> int:
        headers = {"Authorization": f"Bearer {issue_token.mint(protected_system.directory, scopes=scopes)}"}
        return httpx2.get(base + path, headers=headers, timeout=WAIT_SECONDS).status_code

    assert httpx2.get(base + path, timeout=WAIT_SECONDS).status_code == 401
    assert status(f"{service}:write") == 403
    assert status(f"{service}:read") == 200


def test_while_nobody_is_asked_each_process_says_so_at_its_start(system: System) -> None:
    def said() -> int:
        return sum("authentication is off" in line for line in system.said)

    eventually(lambda: said() == 5, lambda: f"five processes say so, not {said()}")


def test_while_tokens_are_asked_for_nobody_says_otherwise(protected_system: System) -> None:
    assert not any("authentication is off" in line for line in protected_system.said)


def test_with_tokens_too_rows_are_kept_in_memory_and_changes_show(protected_system: System) -> None:
    def name() -> str:
        answer = graphql(protected_system, '{ pessoa(id: "1") { nomePessoa } }', "pessoas:read")
        return answer.json()["data"]["pessoa"]["nomePessoa"]

    def hits() -> float:
        scraped = parsed(httpx2.get(f"http://localhost:{8000 + protected_system.offset}/metrics", timeout=WAIT_SECONDS))
        return scraped.value("cache_rows_total", kind="pessoa", outcome="hit")

    before = hits()
    eventually(lambda: bool(name()) and hits() > before, lambda: "the row comes from memory")

    headers = {"Authorization": f"Bearer {issue_token.mint(protected_system.directory, scopes=['pessoas:write'])}"}
    url = f"http://localhost:{8002 + protected_system.offset}/api/pessoas/1/"
    assert httpx2.put(url, json={"nome_pessoa": "Nome Novo"}, headers=headers, timeout=WAIT_SECONDS).status_code == 200
    eventually(lambda: name() == "Nome Novo", lambda: "the change is told")
