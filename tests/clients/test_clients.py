"""Frontends' own tools against the running gateway: the specification's audits, Apollo, urql, Relay and TypeScript."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy.local import ROOT
from deploy.postgres import free_ports
from tests.clients.node import install, run

HERE = Path(__file__).parent
EXAMPLE = ROOT / "examples" / "typescript"
SDL = ROOT / "gateway" / "schema.graphql"
PAINEL = ROOT / "gateway" / "playground" / "examples" / "1-painel.graphql"


@pytest.fixture(scope="module")
def graphql_url(gateway_url: str) -> str:
    return f"{gateway_url}/graphql"


@pytest.fixture(scope="module")
def packages() -> Path:
    """The clients, installed beside this file."""
    install(HERE)
    return HERE


@pytest.fixture(scope="module")
def artifacts(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What relay-compiler makes of the queries in relay.test.js and of the checked-in schema."""
    project = tmp_path_factory.mktemp("relay")
    for path in (packages / "relay.test.js", SDL):
        shutil.copy(path, project)
    (project / "artifacts").mkdir()
    (project / "node_modules").symlink_to(packages / "node_modules")
    config = {"src": ".", "schema": SDL.name, "language": "javascript", "artifactDirectory": "artifacts"}
    (project / "relay.config.json").write_text(json.dumps({**config, "eagerEsModules": False}))
    compiler = run(project, "relay-compiler", "relay.config.json")
    assert compiler.returncode == 0, compiler.stdout + compiler.stderr
    return project / "artifacts"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the TypeScript example, where it stands in the repository, with its types generated."""
    install(EXAMPLE)
    root = tmp_path_factory.mktemp("repository")
    folder = root / "examples" / "typescript"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "generated.ts"))
    (folder / "node_modules").symlink_to(EXAMPLE / "node_modules")
    (root / "gateway").symlink_to(SDL.parent)
    done = run(folder, "npm", "run", "generate")
    assert done.returncode == 0, done.stdout + done.stderr
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


def test_the_typescript_example_is_generated_type_checked_and_prints_the_painel(
    generated: Path, graphql_url: str
) -> None:
    checked = run(generated, "npm", "run", "check")
    printed = run(generated, "npm", "start", GATEWAY_URL=graphql_url)

    assert checked.returncode == 0, checked.stdout
    assert printed.returncode == 0, printed.stdout + printed.stderr
    *rows, total = printed.stdout.splitlines()[-11:]
    assert all(row.count(" | ") == 4 and "?" not in row for row in rows)
    assert total.endswith(" ao todo")


def test_the_typescript_example_creates_a_pessoa_or_says_what_to_mend(generated: Path, graphql_url: str) -> None:
    created = run(generated, "npm", "run", "criar", "Ana Lima", GATEWAY_URL=graphql_url)
    refused = run(generated, "npm", "run", "criar", " ", GATEWAY_URL=graphql_url)

    assert created.returncode == 0, created.stdout + created.stderr
    assert "Ana Lima tem o id " in created.stdout
    assert refused.returncode == 1
    assert "nomePessoa: não pode ficar em branco (corrija o campo)" in refused.stderr


def test_a_code_that_the_schema_gets_stops_the_typescript_example_from_compiling(
    generated: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "examples" / "typescript"
    shutil.copytree(generated, folder, symlinks=True)
    schema = tmp_path / "gateway" / SDL.name
    schema.parent.mkdir()
    schema.write_text(SDL.read_text().replace("enum CodigoErro {", "enum CodigoErro {\n  NOVO"))

    written = run(folder, "npm", "run", "generate")
    checked = run(folder, "npm", "run", "check")

    assert written.returncode == 0, written.stdout + written.stderr
    assert checked.returncode != 0
    assert "'\"NOVO\"' does not satisfy the expected type 'never'" in checked.stdout


def test_the_typescript_example_says_that_the_gateway_is_away(generated: Path) -> None:
    url = f"http://127.0.0.1:{free_ports()}/graphql"

    failed = run(generated, "npm", "--silent", "start", GATEWAY_URL=url)

    said = (
        f"O gateway não responde em {url} (ECONNREFUSED). Ele está no ar (make run)? O endereço vem de GATEWAY_URL.\n"
    )
    assert (failed.returncode, failed.stderr) == (1, said)


def test_the_typescript_example_says_that_it_was_answered_by_something_else(generated: Path, graphql_url: str) -> None:
    failed = run(generated, "npm", "--silent", "start", GATEWAY_URL=graphql_url.replace("/graphql", "/none"))

    assert failed.returncode == 1
    assert "respondeu 404" in failed.stderr
    assert " at " not in failed.stderr


def test_the_typescript_example_says_that_node_is_too_old() -> None:
    failed = run(EXAMPLE, "node", "--no-experimental-strip-types", "needs-node-24.js")  # as one before 22.18

    assert failed.returncode == 1
    assert failed.stderr.startswith("É preciso o Node 24")


@pytest.mark.parametrize(
    ("file", "right", "wrong", "script", "complaint"),
    [
        ("painel.ts", "?.nomePessoa", "?.nomePesoa", "check", "Property 'nomePesoa' does not exist"),
        ("painel.ts", "pessoa?.nomePessoa", "pessoa.nomePessoa", "check", "'pessoa' is possibly 'null'"),
        ("painel.graphql", "nomePessoa", "nomePesoa", "generate", 'Cannot query field "nomePesoa" on type "Pessoa"'),
    ],
)
def test_a_mistake_in_the_typescript_example_is_refused(
    generated: Path, file: str, right: str, wrong: str, script: str, complaint: str
) -> None:
    source = generated / file
    before = source.read_text()
    source.write_text(before.replace(right, wrong))

    refused = run(generated, "npm", "run", script)

    source.write_text(before)
    assert refused.returncode != 0
    assert complaint in refused.stdout + refused.stderr
