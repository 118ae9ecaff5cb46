"""Rules of the whole repository: migrations match the models, locks name public hosts, and a missing registration is
named."""

import re
import subprocess
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from chassis.db.migrate import config, connect
from chassis.db.revisions import head
from deploy import render, topology
from deploy.local import ROOT
from gateway.schema import RESOURCES, build
from gateway.schema.fields import collection_of
from tests.resources import ALL

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
        *(
            (lock, '"resolved": "(.*)"')
            for lock in ("gateway/playground", "tests/clients", "tests/kubernetes", "bench/gateway/node")
        ),
    ],
)
def test_lock_files_name_public_hosts_only(lock: str, source: str) -> None:
    file = ROOT / lock
    sources = re.findall(source, (file / "package-lock.json" if file.is_dir() else file).read_text())

    assert {url.split("/")[2] for url in sources} <= PUBLIC_HOSTS


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def test_every_folder_that_looks_like_a_service_is_one_and_has_its_five_files() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/models.py")}
    missing = [f"deploy/topology.py lacks {name}" for name in sorted(folders - set(SERVICES))]
    for name in SERVICES:
        files = [f"{name}/{file}" for file in ("models.py", "routes.py", "migrations/0001_tables.py")]
        files.append(f"gateway/schema/{name}.py")
        missing += [f"{file} is missing" for file in files if not (ROOT / file).exists()]

    assert missing == []


def test_what_is_rendered_is_up_to_date() -> None:
    old = [str(file.relative_to(ROOT)) for file, text in render.rendered().items() if file.read_text() != text]

    assert old == [], "run `make render`"


def test_every_collection_of_every_service_is_known_to_the_gateway() -> None:
    known = {collection_of(kind).path for kind in RESOURCES}
    offered = {resource.path for resource in ALL}

    assert known == offered
    sdl = build().as_str()
    assert all(f"  {path.split('/')[2]}(" in sdl for path in offered)


def test_no_tracked_file_is_a_built_bundle() -> None:
    assert [path for path in tracked() if "dist" in path.parts or "node_modules" in path.parts] == []
