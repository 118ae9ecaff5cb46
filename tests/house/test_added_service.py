"""A service is added as docs/extending.md says: in five files, and all that follows is rendered. It is then tested like
the others, and the gateway answers a nested query that includes it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from deploy.local import ROOT
from deploy.postgres import free_ports
from deploy.topology import GATEWAY
from tests.deploy.processes import WAIT_SECONDS
from tests.project_copy import ProjectCopy, SystemOfCopy
from tests.system import PORTS

pytestmark = pytest.mark.system

RECIPE = (ROOT / "docs" / "extending.md").read_text().partition("\n## Add a service\n")[2].partition("\n## ")[0]
FILES = {
    *("fornecedores/models.py", "fornecedores/routes.py", "fornecedores/migrations/0001_tables.py"),
    *("deploy/topology.py", "gateway/schema/fornecedores.py"),
}
LINKED = {"gateway/schema/pessoas.py"}
"""What the recipe adds to so that a Pessoa leads to its fornecedores."""
RENDERED = {
    *(
        "compose.yaml",
        "compose.override.yaml",
        "deploy/edge/Caddyfile",
        "deploy/observability/prometheus.yaml",
        "deploy/kubernetes/base/databases.yaml",
        "deploy/kubernetes/base/edges.yaml",
        "deploy/kubernetes/base/migrations/jobs.yaml",
        "deploy/kubernetes/base/processes.yaml",
        "deploy/kubernetes/overlays/production/autoscalers.yaml",
        "deploy/kubernetes/overlays/production/backups.yaml",
        "deploy/kubernetes/overlays/production/kustomization.yaml",
        "deploy/kubernetes/overlays/production/routes.yaml",
        ".env.example",
        "pyproject.toml",
        "gateway/settings.py",
        "gateway/schema.graphql",
    ),
    *("docs/rest.md", "docs/configuration.md", "docs/operations.md", "fornecedores/openapi.json"),
}
STEP = re.compile(r"In\s`([\w/]+\.py)`|^```python\n(.*?)^```$", re.M | re.S)
DIALECT = ("crud", "bodies", "pages", "conditional", "idempotency", "preferences", "identity", "http")
PORT = 8006
"""The first port that is free."""
CREATE = """mutation ($input: CriarFornecedorInput!) {
  criarFornecedor(input: $input) { fornecedor { nomeFornecedor pessoaId } errors { code field } }
}"""
CHANGES = "subscription { fornecedorMudou { operacao id fornecedor { nomeFornecedor } } }"
NESTED = """{
  pessoas(first: 9, filter: {nomePessoa: {eq: "Ana"}}) { nodes { nomePessoa
    fornecedores(first: 9) { totalCount nodes { nomeFornecedor
      pessoa { nomePessoa fornecedores(first: 9, orderBy: NOME_FORNECEDOR_DESC) { nodes { nomeFornecedor } } }
    } }
  } }
  fornecedores(filter: {pessoa: {nomePessoa: {startsWith: "an"}}}) { totalCount }
}"""


def follow(copy: ProjectCopy) -> None:
    """Does what the recipe says, from the first command to the last."""
    copy.run("deploy.new_service", "fornecedores")
    file = ""
    for named, lines in STEP.findall(RECIPE):
        file = named or file
        if lines:
            add(copy, file, lines)
    (copy.directory / "fornecedores/migrations/0001_tables.py").unlink()
    copy.run("deploy.migrate_all", "--new", "fornecedores", "tables")
    copy.run("deploy.render")
    copy.run("ruff", "check", "--fix", "--quiet")
    copy.run("ruff", "format", "--quiet")


def add(copy: ProjectCopy, file: str, lines: str) -> None:
    """Adds lines to a file. The first one is there already, and the others follow it; new imports go to the top."""
    text = (copy.directory / file).read_text()
    first = lines.partition("\n")[0] + "\n"
    if first not in text and lines.startswith("from "):
        first = re.findall(r"^(?:from|import) .*\n", text, re.M)[0]
        lines = lines + first
    copy.replace(file, first, lines)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> ProjectCopy:
    """The project with the service fornecedores."""
    made = ProjectCopy(tmp_path_factory.mktemp("copy"))
    follow(made)
    return made


def test_the_recipe_changes_five_files_and_all_else_is_rendered(copy: ProjectCopy) -> None:
    assert copy.changed() == FILES | LINKED | RENDERED


def test_the_new_service_keeps_the_rules_of_the_house(copy: ProjectCopy) -> None:
    copy.run("ruff", "check", "--quiet")
    copy.run(
        "pyright",
        "--pythonpath",
        sys.executable,
        "fornecedores",
        "gateway/schema",
        "gateway/settings.py",
        "deploy/topology.py",
    )
    subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=copy.directory, check=True)
    copy.run("deploy.lint_migrations")
    copy.run(
        "pytest",
        "-q",
        "-x",
        "-m",
        "not system",
        "tests/house/test_house.py",
        "tests/house/test_compose.py",
        "tests/kubernetes",
    )


def test_every_test_of_the_rest_dialect_passes_over_the_new_service(copy: ProjectCopy) -> None:
    files = [f"tests/chassis/test_{name}.py" for name in DIALECT]
    told = copy.run("pytest", "-q", "-x", *files, "tests/feed/test_changes.py", "tests/openapi", "-k", "fornecedores")

    [passed] = re.findall(r"(\d+) passed", told)
    assert int(passed) > 100


def test_the_running_gateway_answers_a_nested_query_with_the_new_service(copy: ProjectCopy, tmp_path: Path) -> None:
    system = SystemOfCopy(copy, tmp_path / "data", free_ports(PORTS + 1) - GATEWAY.port)
    try:
        system.says("open GraphiQL")
        _, ana = system.ask("pessoas", "POST", "/api/pessoas/", {"nome_pessoa": "Ana"})
        body = {"nome_fornecedor": "Alfa", "pessoa_id": ana["id"]}
        collection = f"http://localhost:{PORT + system.offset}/api/fornecedores/"
        created = httpx2.post(collection, json=body, timeout=WAIT_SECONDS)
        assert (created.status_code, created.json()) == (201, {"id": 1, **body})
        written = {"nomeFornecedor": "Beta", "pessoaId": str(ana["id"])}
        _, answer = system.ask("gateway", "POST", "/graphql", {"query": CREATE, "variables": {"input": written}})
        assert answer == {"data": {"criarFornecedor": {"fornecedor": written, "errors": []}}}

        _, answer = system.ask("gateway", "POST", "/graphql", {"query": NESTED})

        gateway = f"http://localhost:{GATEWAY.port + system.offset}/graphql"
        accept = {"Accept": "text/event-stream"}
        with httpx2.stream("POST", gateway, json={"query": CHANGES}, headers=accept, timeout=WAIT_SECONDS) as events:
            httpx2.delete(f"{collection}1/", timeout=WAIT_SECONDS)
            told = next(line for line in events.iter_lines() if line.startswith("data: {"))
    finally:
        system.stop(signal.SIGTERM)

    change = {"operacao": "EXCLUIDA", "id": "1", "fornecedor": None}
    assert told == f"data: {json.dumps({'data': {'fornecedorMudou': change}}, separators=(',', ':'))}"
    of_ana = {"nomePessoa": "Ana", "fornecedores": {"nodes": [{"nomeFornecedor": "Beta"}, {"nomeFornecedor": "Alfa"}]}}
    nodes = [{"nomeFornecedor": name, "pessoa": of_ana} for name in ("Alfa", "Beta")]
    assert answer == {
        "data": {
            "pessoas": {"nodes": [{"nomePessoa": "Ana", "fornecedores": {"totalCount": 2, "nodes": nodes}}]},
            "fornecedores": {"totalCount": 2},
        }
    }
