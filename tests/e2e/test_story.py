"""The tutorial's story over real sockets: six requests, the Painel, and a service that is killed and comes back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from deploy.local import ROOT
from deploy.topology import PROCESSES
from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.scraped import parsed
from tests.system import System

PAINEL = (ROOT / "gateway/playground/examples/1-painel.graphql").read_text()


class Client:
    """REST and GraphQL by the contract's ports."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.http = httpx2.Client(timeout=WAIT_SECONDS)

    def post(self, port: int, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(f"http://localhost:{port + self.offset}{path}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, port: int, path: str) -> httpx2.Response:
        return self.http.get(f"http://localhost:{port + self.offset}{path}")

    def graphql(self, query: str, milliseconds: int = 30_000) -> dict[str, Any]:
        """The answer, for which the gateway has that much time."""
        url, headers = f"http://localhost:{8000 + self.offset}/graphql", {"X-Timeout-Ms": str(milliseconds)}
        return self.http.post(url, json={"query": query}, headers=headers).json()


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    client = Client(system.offset)
    yield client
    client.http.close()


def test_the_tutorials_six_steps_end_in_the_whole_solicitacao(client: Client) -> None:
    categoria = client.post(8001, "/api/categorias/", {"nome_categoria": "Eletrônicos"})
    produto = client.post(8001, "/api/produtos/", {"nome_produto": "Notebook Dell", "categoria_id": categoria["id"]})
    pessoa = client.post(8002, "/api/pessoas/", {"nome_pessoa": "Maria Santos"})
    servico = client.post(8003, "/api/servicos/", {"nome_servico": "Reparo de Hardware"})
    references = {"servico_id": servico["id"], "pessoa_id": pessoa["id"], "produto_id": produto["id"]}
    solicitacao = client.post(8004, "/api/solicitacoes/", references)

    view = client.get(8004, f"/api/solicitacoes/{solicitacao['id']}/").json()

    assert solicitacao == references | {key: solicitacao[key] for key in ("id", "data_solicitacao")}
    assert view == {
        "id": solicitacao["id"],
        "data_solicitacao": solicitacao["data_solicitacao"],
        "servico_solicitado": {"id": servico["id"], "nome_servico": "Reparo de Hardware"},
        "solicitante": {"id": pessoa["id"], "nome_pessoa": "Maria Santos"},
        "produto_associado": {
            "id": produto["id"],
            "nome_produto": "Notebook Dell",
            "categoria": {"id": categoria["id"], "nome_categoria": "Eletrônicos"},
        },
    }


def test_what_the_pipeline_asks_in_kubernetes_is_answered(client: Client) -> None:
    url = f"http://localhost:{8000 + client.offset}/graphql"

    told = subprocess.run(
        [sys.executable, "-m", "deploy.ask_painel", url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )

    assert (told.returncode, told.stderr) == (0, "")
    assert '"nomeCategoria": "Livros"' in told.stdout


def test_a_refusal_has_the_same_words_in_its_status_line_and_in_its_title(client: Client) -> None:
    answer = client.get(8002, "/api/pessoas/?nada=1")

    assert (answer.status_code, answer.reason_phrase) == (422, "Unprocessable Content")
    assert answer.json()["title"] == answer.reason_phrase


def test_the_painel_shows_the_demo_data(client: Client) -> None:
    found = client.graphql(PAINEL)

    edges = found["data"]["solicitacoes"]["edges"]
    assert "errors" not in found
    assert found["data"]["solicitacoes"]["totalCount"] >= 5000
    assert len(edges) == 100
    assert all(edge["node"][name] for edge in edges for name in ("pessoa", "servico", "produto"))


def test_one_request_id_goes_from_the_gateway_to_every_service(client: Client, system: System) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    url = f"http://localhost:{8000 + system.offset}/graphql"
    lists = "{ categorias { totalCount } pessoas { totalCount } servicos { totalCount } solicitacoes { totalCount } }"
    client.http.post(url, json={"query": lists}, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})

    def processes() -> set[str]:
        return {line.split(" ")[0] for line in system.said if trace in line}

    everyone = {"gateway", "catalogo", "pessoas", "servicos", "solicitacoes"}
    eventually(lambda: processes() == everyone, lambda: f"all log the id; so far {processes()}")


def test_every_process_shows_its_metrics(client: Client) -> None:
    client.graphql(PAINEL)

    found = {process.name: parsed(client.get(process.port, "/metrics")) for process in PROCESSES}

    assert {name: one.label("build_info", "process") for name, one in found.items()} == {name: {name} for name in found}
    assert found["gateway"].value("graphql_operations_total", operation="Painel", outcome="ok") >= 1
    assert found["solicitacoes"].value("http_requests_total", route="/api/solicitacoes/query/", status="2xx") >= 1
    assert all(one.value("process_resident_memory_bytes") > 0 for one in found.values())


def test_a_warm_painel_asks_one_service_and_shows_what_changes(client: Client) -> None:
    def requests() -> float:
        services = [process for process in PROCESSES if process.owns_database]
        scraped = [parsed(client.get(process.port, "/metrics")) for process in services]
        return sum(
            one.value("http_requests_total", route=route)
            for one in scraped
            for route in one.label("http_requests_total", "route")
            if route.endswith("/query/")
        )

    def asked() -> float:
        before = requests()
        client.graphql(PAINEL)
        return requests() - before

    eventually(lambda: asked() == 1, lambda: "three of the four requests are saved")

    newest = client.graphql(PAINEL)["data"]["solicitacoes"]["edges"][0]["node"]["pessoa"]
    url = f"http://localhost:{8002 + client.offset}/api/pessoas/{newest['id']}/"
    assert client.http.put(url, json={"nome_pessoa": "Nome Novo"}).status_code == 200

    def shown() -> str:
        return client.graphql(PAINEL)["data"]["solicitacoes"]["edges"][0]["node"]["pessoa"]["nomePessoa"]

    eventually(lambda: shown() == "Nome Novo", lambda: "the change is told")


def test_a_stopped_service_costs_its_own_fields_only_and_comes_back(client: Client, system: System) -> None:
    new = [client.post(8002, "/api/pessoas/", {"nome_pessoa": nome})["id"] for nome in ("Ana", "Bia")]  # in no memory
    for pessoa in new:
        client.post(8004, "/api/solicitacoes/", {"servico_id": 1, "pessoa_id": pessoa, "produto_id": 1})
    pessoas = system.process("pessoas")
    pessoas.suspend()
    try:
        found = client.graphql(PAINEL.replace("first: 100", "first: 2"), milliseconds=3_000)
    finally:
        pessoas.resume()

    nodes = [edge["node"] for edge in found["data"]["solicitacoes"]["edges"]]
    assert all(node["pessoa"] is None and node["servico"] and node["produto"] for node in nodes)
    assert [error["extensions"] for error in found["errors"]] == [{"code": "TIMEOUT", "service": "pessoas"}] * 2

    pessoas.kill()
    eventually(lambda: "errors" not in client.graphql(PAINEL), lambda: "the Painel is whole again")
