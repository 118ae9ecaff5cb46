"""The client libraries, and what Relay's compiler makes for them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from deploy.local import ROOT
from tests.clients.node import install, run

HERE = Path(__file__).parent
SDL = ROOT / "gateway" / "schema.graphql"


@pytest.fixture(scope="session")
def packages() -> Path:
    """The clients, installed beside this file."""
    install(HERE)
    return HERE


@pytest.fixture(scope="session")
def artifacts(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What relay-compiler makes of the operations in our files and of the checked-in schema."""
    project = tmp_path_factory.mktemp("relay")
    for path in (packages / "relay.test.js", packages / "live.js", SDL):
        shutil.copy(path, project)
    (project / "artifacts").mkdir()
    (project / "node_modules").symlink_to(packages / "node_modules")
    config = {"src": ".", "schema": SDL.name, "language": "javascript", "artifactDirectory": "artifacts"}
    (project / "relay.config.json").write_text(json.dumps({**config, "eagerEsModules": False}))
    compiler = run(project, "relay-compiler", "relay.config.json")
    assert compiler.returncode == 0, compiler.stdout + compiler.stderr
    return project / "artifacts"
