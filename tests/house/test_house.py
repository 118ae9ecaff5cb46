"""Rules of the whole repository: migrations match the models, locks name public hosts, and a missing registration is
named."""

import importlib
import re
import subprocess
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from chassis.db.migrate import config, connect
from chassis.db.revisions import head
from deploy import topology
from deploy.local import ROOT
from gateway import resources
from gateway.schema import build

SERVICES = [service.name for service in topology.SERVICES]
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"}


@pytest.mark.parametrize("service", SERVICES)
def test_models_and_migrations_agree(service: str, database_urls: dict[str, str]) -> None:
    with connect(database_urls[service]) as connection:
        command.check(config(service, connection))


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_one_numbered_line(service: str) -> None:
    script = ScriptDirectory.from_config(config(service))

    assert script.get_heads() == [head(service)]
    assert [one.revision for one in script.walk_revisions()] == [f"{n:04d}" for n in range(int(head(service)), 0, -1)]


@pytest.mark.parametrize("service", SERVICES)
def test_every_migration_says_the_oldest_code_that_may_run_after_it(service: str) -> None:
    migrations = ScriptDirectory.from_config(config(service)).walk_revisions()

    assert all("0001" <= one.module.oldest_code <= one.revision for one in migrations)


@pytest.mark.parametrize(
    ("lock", "source"),
    [
        ("uv.lock", r'(?:registry|url) = "(https?://[^"]*)"'),
        *((lock, '"resolved": "(.*)"') for lock in ("gateway/playground", "tests/clients", "examples/typescript")),
    ],
)
def test_lock_files_name_public_hosts_only(lock: str, source: str) -> None:
    file = ROOT / lock
    sources = re.findall(source, (file / "package-lock.json" if file.is_dir() else file).read_text())

    assert {url.split("/")[2] for url in sources} <= PUBLIC_HOSTS


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def test_every_folder_that_looks_like_a_service_is_registered_everywhere() -> None:
    """The registrations that are still missing after `cp -r servicos novo`."""
    folders = {path.parent.name for path in ROOT.glob("*/models.py")}
    project = (ROOT / "pyproject.toml").read_text()
    missing = [f"deploy/topology.py lacks {name}" for name in folders - set(SERVICES)]
    for name in sorted(folders):
        for file in ("app.py", "repository.py", "routes.py", "pyproject.toml", "migrations/0001_tables.py"):
            missing += [] if (ROOT / name / file).exists() else [f"{name}/{file} is missing"]
        missing += [] if f'"{name}"' in project else [f"pyproject.toml lacks {name}"]
        missing += (
            []
            if re.search(rf"^  {name}:", (ROOT / "compose.yaml").read_text(), re.M)
            else [f"compose.yaml lacks {name}"]
        )
        missing += [] if (ROOT / "gateway/schema" / f"{name}.py").exists() else [f"gateway/schema/{name}.py is missing"]
        missing += [] if (ROOT / "tests" / name).is_dir() else [f"tests/{name} is missing"]
        importlib.import_module(f"{name}.app")
    assert missing == []


def test_every_collection_of_every_service_is_known_to_the_gateway() -> None:
    known = {resource.path for resource in vars(resources).values() if isinstance(resource, resources.Resource)}
    offered = {
        path
        for name in SERVICES
        for path in re.findall(r'^    "(/api/[a-z]+/)",', (ROOT / name / "routes.py").read_text(), re.M)
    }

    assert known == offered
    sdl = build().as_str()
    assert all(f"  {path.split('/')[2]}(" in sdl for path in offered)


def test_no_tracked_file_is_a_built_bundle() -> None:
    assert [path for path in tracked() if "dist" in path.parts or "node_modules" in path.parts] == []
