"""Backups: what is in an archive, what a restore needs, and what it leaves alone when it refuses."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from chassis.db.migrate import upgrade
from chassis.version import VERSION
from deploy import demo
from deploy.backup import ORDER
from deploy.databases import variable
from deploy.postgres import Cluster, free_ports
from deploy.postgres_clients import connected
from deploy.topology import SERVICES
from tests.deploy.processes import WAIT_SECONDS

NAMES = [service.name for service in SERVICES]
TABLES = {"catalogo": "produto", "pessoas": "pessoa", "servicos": "servico", "solicitacoes": "solicitacao"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], Path]]:
    """The databases of a system with demo data, and a backup of it."""
    directory = tmp_path_factory.mktemp("system")
    with Cluster(directory, free_ports(), durable=False) as cluster:
        urls = {name: cluster.create_database(name) for name in NAMES}
        for name, url in urls.items():
            upgrade(name, url)
        demo.load(urls)
        file = directory / "archive.zip"
        told = run("backup", urls, FILE=file)
        assert told.returncode == 0, told.stderr
        yield urls, file


@pytest.fixture
def urls(system: tuple[dict[str, str], Path]) -> Iterator[dict[str, str]]:
    """The databases, with demo data."""
    urls, file = system
    yield urls
    if counts(urls) != FULL:
        assert restore(urls, file, FORCE=1).returncode == 0


@pytest.fixture
def archive(system: tuple[dict[str, str], Path], tmp_path: Path) -> Path:
    """A copy of the backup."""
    return Path(shutil.copy(system[1], tmp_path))


def run(
    program: str, urls: Mapping[str, str], *arguments: str, **variables: object
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("FILE", "FORCE", "COMPOSE", "DATA_DIR")}
    own = {variable(service): url for service, url in urls.items()}
    return subprocess.run(
        [sys.executable, "-m", f"deploy.{program}", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        env=kept | own | {name: str(value) for name, value in variables.items()},
    )


def restore(urls: Mapping[str, str], file: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    return run("backup", urls, "restore", FILE=file, **variables)


def password_of(url: str) -> str:
    return str(conninfo_to_dict(url)["password"])


def counts(urls: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for service, table in TABLES.items():
        with psycopg.connect(urls[service]) as connection:
            [(found[service],)] = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            ).fetchall()
    return found


FULL = {"catalogo": 200, "pessoas": 500, "servicos": 50, "solicitacoes": 5000}


def empty(urls: Mapping[str, str]) -> None:
    for url in urls.values():
        with psycopg.connect(url) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner")


def rewrite(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes the manifest of an archive."""
    with zipfile.ZipFile(file) as before:
        members = {name: before.read(name) for name in before.namelist()}
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(file, "w") as after:
        for name, content in members.items():
            after.writestr(name, content)


def test_an_archive_names_its_version_and_the_revisions(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == [*(f"{service}.dump" for service in ORDER), "manifest.json"]
        manifest = json.loads(opened.read("manifest.json"))
    assert manifest["version"] == VERSION
    assert {name: len(one["revision"]) for name, one in manifest["databases"].items()} == dict.fromkeys(NAMES, 4)


def test_only_its_owner_may_read_an_archive(system: tuple[dict[str, str], Path]) -> None:
    assert stat.S_IMODE(system[1].stat().st_mode) == 0o600


def test_solicitacoes_is_dumped_before_the_services_that_own_what_it_refers_to() -> None:
    assert ORDER[0] == "solicitacoes"
    assert set(ORDER) == set(NAMES)


def test_an_empty_place_gets_everything_and_new_rows_get_the_next_ids(urls: dict[str, str], archive: Path) -> None:
    empty(urls)
    told = restore(urls, archive)
    assert told.returncode == 0, told.stderr
    assert counts(urls) == FULL
    with psycopg.connect(urls["pessoas"]) as connection:
        added = connection.execute("INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('Zé', 'ze') RETURNING id")
        assert added.fetchall() == [(501,)]
        connection.rollback()
    for name in NAMES:
        upgrade(name, urls[name])  # the migrations find it as they left it
    again = run("backup", urls, FILE=archive.with_name("again.zip"))
    assert again.returncode == 0, again.stderr


def test_a_restore_begins_another_epoch_of_each_feed_and_its_triggers_go_on(
    urls: dict[str, str], archive: Path
) -> None:
    epoch, told = (
        "SELECT epoch FROM feed_head",
        "SELECT kind, op FROM change WHERE seq IS NULL ORDER BY id DESC LIMIT 1",
    )

    def read(service: str) -> object:
        with psycopg.connect(urls[service]) as connection:
            return connection.execute(epoch).fetchone()

    before = {name: read(name) for name in NAMES}
    for _ in range(2):
        assert restore(urls, archive, FORCE=1).returncode == 0
        after = {name: read(name) for name in NAMES}
        assert not set(before.values()) & set(after.values())
        before |= after
    with psycopg.connect(urls["pessoas"]) as connection:
        connection.execute("DELETE FROM pessoa WHERE id = 1")
        assert connection.execute(told).fetchone() == ("pessoa", "deleted")


def test_rows_that_are_there_are_replaced_only_by_force(urls: dict[str, str], archive: Path) -> None:
    with psycopg.connect(urls["pessoas"]) as connection:
        connection.execute("DELETE FROM pessoa WHERE id > 100")
        connection.execute("CREATE TABLE later (id bigint)")
    refused = restore(urls, archive)
    assert refused.returncode == 1
    assert "rows already (in solicitacao)" in refused.stderr
    assert "FORCE=1" in refused.stderr
    assert counts(urls) == FULL | {"pessoas": 100}
    assert restore(urls, archive, FORCE=1).returncode == 0
    assert counts(urls) == FULL
    with psycopg.connect(urls["pessoas"]) as connection:
        assert connection.execute("SELECT to_regclass('later')").fetchall() == [(None,)]


def test_a_restored_database_is_still_closed_to_other_roles(urls: dict[str, str], archive: Path) -> None:
    assert restore(urls, archive, FORCE=1).returncode == 0
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(urls["servicos"], dbname="pessoas")


def test_nothing_is_restored_while_a_service_is_connected(urls: dict[str, str], archive: Path) -> None:
    with psycopg.connect(urls["servicos"]):
        refused = restore(urls, archive, FORCE=1)
    assert refused.returncode == 1
    assert "servicos: 1 other connections use the database: stop the services" in refused.stderr


@pytest.mark.parametrize("part", ["truncated", "changed"])
def test_a_damaged_archive_changes_nothing(urls: dict[str, str], archive: Path, part: str) -> None:
    content = bytearray(archive.read_bytes())
    if part == "truncated":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    refused = restore(urls, archive, FORCE=1)
    assert refused.returncode == 1
    assert "is damaged" in refused.stderr or "no complete archive" in refused.stderr
    assert counts(urls) == FULL


def test_when_one_database_cannot_be_restored_none_is(urls: dict[str, str], archive: Path) -> None:
    with zipfile.ZipFile(archive) as before:
        members = {name: before.read(name) for name in before.namelist()}
    with psycopg.connect(urls["pessoas"]) as connection:
        connection.execute("DELETE FROM pessoa")
    last = f"{ORDER[-1]}.dump"
    members[last] = members[last][: len(members[last]) // 2]  # with a right checksum, so that only pg_restore notices
    with zipfile.ZipFile(archive, "w") as after:
        for name, content in members.items():
            after.writestr(name, content)
    refused = restore(urls, archive, FORCE=1)
    assert refused.returncode == 1
    assert f"{ORDER[-1]}: " in refused.stderr
    assert "nothing was changed" in refused.stderr
    assert counts(urls) == FULL | {"pessoas": 0}


def test_an_archive_of_newer_code_is_refused_by_its_revision(urls: dict[str, str], archive: Path) -> None:
    rewrite(archive, lambda manifest: manifest["databases"]["servicos"].update(revision="9999", oldest_code="9999"))
    refused = restore(urls, archive, FORCE=1)
    assert refused.returncode == 1
    assert "servicos: the archive is at revision 9999, too new for this code" in refused.stderr
    assert counts(urls) == FULL


def test_an_archive_of_a_newer_postgresql_is_refused(urls: dict[str, str], archive: Path) -> None:
    rewrite(archive, lambda manifest: manifest["databases"]["servicos"].update(postgres=99))
    refused = restore(urls, archive, FORCE=1)
    assert refused.returncode == 1
    assert "servicos: the archive is of PostgreSQL 99" in refused.stderr


def test_an_archive_that_exists_is_not_overwritten(urls: dict[str, str], archive: Path) -> None:
    before = archive.read_bytes()
    refused = run("backup", urls, FILE=archive)
    assert refused.returncode == 1
    assert "exists: choose another FILE" in refused.stderr
    assert archive.read_bytes() == before


def test_a_backup_that_fails_leaves_no_file(urls: dict[str, str], tmp_path: Path) -> None:
    with psycopg.connect(urls["pessoas"]) as connection:
        connection.execute("ALTER ROLE pessoas PASSWORD 'another'")
    failed = run("backup", urls, FILE=tmp_path / "archive.zip")
    with psycopg.connect(urls["pessoas"].replace(password_of(urls["pessoas"]), "another")) as connection:
        connection.execute(sql.SQL("ALTER ROLE pessoas PASSWORD {}").format(password_of(urls["pessoas"])))
    assert failed.returncode == 1
    assert "pessoas: psql failed" in failed.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(("zip", "unfinished"))] == []


def test_psql_opens_the_database_of_a_service_as_its_role(urls: dict[str, str]) -> None:
    told = run("psql", urls, "pessoas", "-At", "-c", "SELECT current_user, current_database(), count(*) FROM pessoa")
    assert told.stdout == "pessoas|pessoas|500\n"


def test_psql_needs_the_url_of_its_service_only_and_takes_it_from_a_file(urls: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(urls["pessoas"] + "\n")
    given = {f"{variable('pessoas')}_FILE": file}
    assert run("psql", {}, "pessoas", "-Atc", "SELECT current_user", **given).stdout == "pessoas\n"
    assert run("backup", {}, **given).stderr == (
        "not set: CATALOGO_DATABASE_URL, SERVICOS_DATABASE_URL, SOLICITACOES_DATABASE_URL (or the same with _FILE)\n"
    )


def test_psql_without_a_service_says_which_there_are() -> None:
    told = run("psql", {}, "clientes")
    assert told.returncode == 2
    assert told.stderr.startswith("say which service: make psql SERVICE=catalogo|pessoas|")


def test_without_data_psql_and_backup_say_what_to_set(tmp_path: Path) -> None:
    for program, arguments in (("psql", ["pessoas"]), ("backup", [])):
        told = run(program, {}, *arguments, DATA_DIR=tmp_path / "nothing")
        assert told.returncode == 1
        assert "set DATA_DIR as for `make run`" in told.stderr


STAND_IN = """#!{python}
import os, sys
assert sys.argv[1:3] == ["compose", "exec"], sys.argv
*_, container, program = (words := [word for word in sys.argv[3:] if word != "-T"])[:2]
os.environ |= {{"PGSERVICEFILE": {file!r}, "PGSERVICE": container.removesuffix("-db")}}
options = [word for word in words[2:] if not word.startswith(("--username=", "--dbname="))]
os.execv(os.path.join({programs!r}, program), [program, *options])
"""


def test_the_databases_of_containers_are_reached_with_the_programs_that_are_in_them(
    urls: dict[str, str], tmp_path: Path
) -> None:
    with connected(urls) as programs:
        docker = tmp_path / "docker"  # there is no engine here, so a program in its place runs what it is told to run
        service_file = programs.variables["PGSERVICEFILE"]
        docker.write_text(STAND_IN.format(python=sys.executable, programs=str(programs.directory), file=service_file))
        docker.chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        given: dict[str, object] = {"COMPOSE": 1, "PATH": path, "FILE": tmp_path / "c.zip"}
        backed_up = run("backup", {}, **given)
        assert backed_up.returncode == 0, backed_up.stderr
        assert "FORCE=1" in run("backup", {}, "restore", **given).stderr
        assert run("backup", {}, "restore", FORCE=1, **given).returncode == 0
    assert counts(urls) == FULL
