"""Live queries with the client libraries that frontends use, over a gateway that is killed and started again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deploy import issue_token
from deploy.local import ROOT
from deploy.postgres import free_ports
from deploy.topology import by_name
from tests.clients.node import run
from tests.system import System


def test_the_usual_libraries_follow_go_on_and_are_refused(
    packages: Path, artifacts: Path, system: System, protected_system: System
) -> None:
    port = free_ports()
    environment = system.process("gateway").environ() | {"PORT": str(port), "PYTHONPATH": str(ROOT)}
    variables = {
        "ARTIFACTS": artifacts,
        "LIVE_PORT": port,
        "GATEWAY_COMMAND": json.dumps({"args": [sys.executable, "-m", "chassis.serve", "gateway"], "env": environment}),
        "PESSOAS_URL": f"http://localhost:{by_name('pessoas').port + system.offset}",
        "PROTECTED_URL": f"http://localhost:{8000 + protected_system.offset}/graphql",
        "TOKEN": issue_token.mint(protected_system.directory, scopes=["catalogo:read"]),
    }

    tests = run(packages, "node", "--test", "--test-reporter=spec", "live.js", **variables)

    assert tests.returncode == 0, tests.stdout + tests.stderr


def test_the_page_on_graphql_shows_how_to_go_on() -> None:
    shown = (ROOT / "docs" / "graphql.md").read_text()

    assert (ROOT / "gateway/playground/src/following.js").read_text() in shown
