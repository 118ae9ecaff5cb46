"""The data of an older PostgreSQL is brought to the newest one, and the old data stays as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chassis.db.migrate import upgrade
from deploy import demo
from deploy.postgres import Cluster, find, free_ports, major
from deploy.topology import SERVICES
from tests.deploy.processes import WAIT_SECONDS
from tests.system import System, free_offset

OLDER = 16
NAMES = [service.name for service in SERVICES]
TABLES = {"catalogo": "produto", "pessoas": "pessoa", "servicos": "servico", "solicitacoes": "solicitacao"}


@pytest.fixture
def before(directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """The rows of demo data that an older PostgreSQL has stored in `directory`."""
    monkeypatch.setenv("PG_BIN", str(find(OLDER).directory))
    with Cluster(directory, free_ports()) as cluster:
        urls = {name: cluster.create_database(name) for name in NAMES}
        for name, url in urls.items():
            upgrade(name, url)
        demo.load(urls)
        found = rows(cluster)
    monkeypatch.delenv("PG_BIN")
    assert major(directory / "postgres") == OLDER
    return found


def rows(cluster: Cluster) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for service, table in TABLES.items():
        with psycopg.connect(cluster.url(service)) as connection:
            found[service] = connection.execute(f"TABLE {table} ORDER BY id").fetchall()  # pyright: ignore
    return found


def upgraded(directory: Path) -> tuple[int, str, str]:
    """Runs the command: its exit code, and what it prints to stdout and stderr."""
    told = subprocess.run(
        [sys.executable, "-m", "deploy.upgrade_database"],
        check=False,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        env={**os.environ, "DATA_DIR": str(directory)},
    )
    return told.returncode, told.stdout, told.stderr


def test_make_run_serves_older_data_and_names_the_command_that_upgrades_it(
    directory: Path, before: dict[str, list[Any]]
) -> None:
    system = System(directory, free_offset(), demo=1)
    try:
        system.says(f"the data is of PostgreSQL {OLDER}: `make upgrade-database` brings it to {find().version}")
        system.says("ready in")
        assert system.ask("pessoas", "GET", "/api/pessoas/1/")[1]["nome_pessoa"] == before["pessoas"][0][1]
    finally:
        system.stop(signal.SIGTERM)


def test_every_row_is_there_afterwards_and_the_old_data_is_kept(directory: Path, before: dict[str, list[Any]]) -> None:
    code, said, wrong = upgraded(directory)
    assert (code, wrong) == (0, "")
    assert f"is of PostgreSQL {find().version} now" in said
    with Cluster(directory, free_ports()) as cluster:
        cluster.create_databases(*NAMES)
        assert rows(cluster) == before
        for name in NAMES:
            upgrade(name, cluster.url(name))  # finds nothing to do
        with psycopg.connect(cluster.url("pessoas")) as connection:
            added = connection.execute("INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('Zé', 'ze') RETURNING id")
            assert added.fetchall() == [(501,)]
    assert major(directory / "postgres") == find().version
    assert sorted(path.name for path in directory.iterdir()) == ["lock", "postgres", f"postgres-{OLDER}"]
    (directory / "again" / "postgres").parent.mkdir()
    (directory / f"postgres-{OLDER}").rename(directory / "again" / "postgres")
    with Cluster(directory / "again", free_ports()) as cluster:
        assert rows(cluster) == before


def test_an_upgrade_that_was_interrupted_before_its_last_step_is_finished_by_the_next_start(
    directory: Path, before: dict[str, list[Any]]
) -> None:
    assert upgraded(directory)[0] == 0
    (directory / "postgres").rename(directory / "postgres.upgraded")
    with Cluster(directory, free_ports()) as cluster:
        cluster.create_databases(*NAMES)
        assert rows(cluster) == before


def test_an_upgrade_that_fails_leaves_the_data_as_it_was(
    directory: Path, before: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_BIN", str(find(OLDER).directory))
    with Cluster(directory, free_ports()) as cluster, psycopg.connect(cluster.url("pessoas")) as connection:
        # An index that cannot be built anew, since the table no longer satisfies what its expression requires.
        connection.execute("CREATE FUNCTION whole(text) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'")
        connection.execute("CREATE INDEX ON pessoa (whole(nome_pessoa))")
        connection.execute(
            "CREATE OR REPLACE FUNCTION whole(text) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1::int'"
        )
    monkeypatch.delenv("PG_BIN")
    code, said, wrong = upgraded(directory)
    assert (code, said) == (1, "")
    assert wrong.startswith("pessoas: the restore failed, and nothing was changed: ")
    assert sorted(path.name for path in directory.iterdir()) == ["lock", "postgres"]
    with Cluster(directory, free_ports()) as cluster:
        assert rows(cluster) == before


def test_the_newest_data_needs_no_upgrade(directory: Path) -> None:
    with Cluster(directory, free_ports(), durable=False):
        pass
    code, said, _ = upgraded(directory)
    assert code == 0
    assert "there is no newer one here: nothing to do" in said


def test_old_data_that_an_earlier_upgrade_has_left_is_not_overwritten(
    directory: Path, before: dict[str, list[Any]]
) -> None:
    kept = directory / f"postgres-{OLDER}"
    kept.mkdir()
    code, _, wrong = upgraded(directory)
    assert code == 1
    assert wrong.startswith(f"{kept} exists, of an earlier upgrade")
    assert before
