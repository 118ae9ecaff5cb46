"""Frontends' own tools: the specification's audits, Apollo, urql and Relay on the gateway; and the painel's types."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy.local import ROOT
from tests.clients.node import install, run

HERE = Path(__file__).parent
PLAYGROUND = ROOT / "gateway" / "playground"
SDL = ROOT / "gateway" / "schema.graphql"
PAINEL = PLAYGROUND / "examples" / "1-painel.graphql"


@pytest.fixture(scope="module")
def graphql_url(gateway_url: str) -> str:
    return f"{gateway_url}/graphql"


@pytest.fixture
def painel(tmp_path: Path) -> Path:
    """A copy of the painel's sources where they stand in the repository, for a developer who changes them."""
    install(PLAYGROUND)
    folder = tmp_path / "gateway" / "playground"
    shutil.copytree(PLAYGROUND, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "__pycache__"))
    (folder / "node_modules").symlink_to(PLAYGROUND / "node_modules")
    shutil.copy(SDL, tmp_path / "gateway")
    return folder


def test_the_gateway_passes_all_61_audits_of_graphql_over_http(packages: Path, graphql_url: str) -> None:
    audited = run(packages, "node", "audits.js", GATEWAY_URL=graphql_url)

    assert audited.returncode == 0, audited.stderr
    results: list[dict[str, Any]] = json.loads(audited.stdout)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


@pytest.mark.parametrize("client", sorted(path.name for path in HERE.glob("*.test.js")))
def test_a_client_reads_pages_writes_and_understands_errors(
    packages: Path, artifacts: Path, graphql_url: str, client: str
) -> None:
    variables = {"GATEWAY_URL": graphql_url, "PAINEL": PAINEL, "ARTIFACTS": artifacts}

    tests = run(packages, "node", "--test", "--test-reporter=spec", client, **variables)

    assert tests.returncode == 0, tests.stdout + tests.stderr


def test_the_typed_documents_of_the_painel_follow_from_the_schema_and_its_types_are_right(painel: Path) -> None:
    generated = run(painel, "npm", "run", "generate", "--", "--check")
    checked = run(painel, "npm", "run", "check")

    assert generated.returncode == 0, generated.stdout + generated.stderr
    assert checked.returncode == 0, checked.stdout


def test_a_code_that_the_schema_gets_stops_the_painel_from_compiling(painel: Path) -> None:
    schema = painel.parent / SDL.name
    schema.write_text(SDL.read_text().replace("enum CodigoErro {", "enum CodigoErro {\n  NOVO"))

    written = run(painel, "npm", "run", "generate")
    checked = run(painel, "npm", "run", "check")

    assert written.returncode == 0, written.stdout + written.stderr
    assert checked.returncode != 0
    assert "'\"NOVO\"' does not satisfy the expected type 'never'" in checked.stdout


@pytest.mark.parametrize(
    ("file", "right", "wrong", "script", "complaint"),
    [
        ("views/Solicitacao.tsx", "?.nomePessoa", "?.nomePesoa", "check", "Property 'nomePesoa' does not exist"),
        (
            "views/Solicitacao.tsx",
            "pessoa?.nomePessoa",
            "pessoa.nomePessoa",
            "check",
            "'row.pessoa' is possibly 'null'",
        ),
        ("graphql/pessoas.graphql", "nomePessoa }", "nomePesoa }", "generate", 'Cannot query field "nomePesoa"'),
    ],
)
def test_a_mistake_in_the_painel_is_refused(
    painel: Path, file: str, right: str, wrong: str, script: str, complaint: str
) -> None:
    source = painel / "painel" / "src" / file
    assert right in source.read_text()
    source.write_text(source.read_text().replace(right, wrong))

    refused = run(painel, "npm", "run", script)

    assert refused.returncode != 0
    assert complaint in refused.stdout + refused.stderr
