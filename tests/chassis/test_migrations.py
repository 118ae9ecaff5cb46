"""Databases and code of different releases work together, and migrations run while others use the tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

import pessoas.routes
from chassis.db.migrate import NotMigrated, upgrade
from chassis.db.revisions import head
from deploy.local import ROOT
from deploy.postgres import Cluster
from tests.applications import database_settings
from tests.databases import temporary_postgres
from tests.release import Release, migrate, run
from tests.resources import PESSOAS

NOW = head("pessoas")
NEXT = f"{int(NOW) + 1:04d}"
AFTER_NEXT = f"{int(NOW) + 2:04d}"
WAIT_SECONDS = 60
"""Bounds every wait; nothing here measures time."""
ADD = "ALTER TABLE pessoa ADD COLUMN email text"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL whose databases may be at any revision."""
    with temporary_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def empty(server: Cluster) -> str:
    """The URL of pessoas' database, without a table."""
    url = server.create_database("pessoas")
    execute(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return url


@pytest.fixture
def url(empty: str) -> str:
    """The URL of pessoas' database, at this code's revision."""
    upgrade("pessoas", empty)
    return empty


@pytest.fixture
def later(tmp_path: Path) -> Release:
    """A later release, still without a migration of its own."""
    return Release(tmp_path / "later")


def execute(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def recorded(url: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT version_num, oldest_code FROM alembic_version").fetchone()


def outcome(directory: Path, url: str) -> tuple[int, str, str]:
    """Runs the migration step of the release in `directory`: exit code, output, errors."""
    step = migrate(directory, url)
    output, errors = step.communicate(timeout=WAIT_SECONDS)
    return step.returncode, output, errors


async def answers(url: str, *paths: str) -> list[httpx2.Response]:
    """The answer of this code's pessoas with that database."""
    settings = database_settings(url)
    app = pessoas.routes.create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test", timeout=WAIT_SECONDS) as client,
    ):
        return [await client.get(path) for path in paths]


async def test_code_goes_on_with_a_warning_where_a_later_release_says_that_it_may(url: str, later: Release) -> None:
    later.add(NEXT, ADD, oldest_code=NOW)
    assert outcome(later.directory, url)[0] == 0

    code, output, errors = outcome(ROOT, url)
    ready, page = await answers(url, "/health/ready", PESSOAS.path)

    assert (code, errors) == (0, "")
    [warning, result] = output.splitlines()
    assert warning.startswith("WARNING: pessoas: ")
    assert NEXT in warning
    assert NOW in warning
    assert result.endswith(f"at revision {NEXT}")
    assert (ready.status_code, page.status_code) == (200, 200)


async def test_older_code_stops_with_one_line_that_says_what_to_do(url: str, later: Release) -> None:
    later.add(NEXT, ADD, oldest_code=NEXT)
    assert outcome(later.directory, url)[0] == 0

    code, output, errors = outcome(ROOT, url)
    [ready] = await answers(url, "/health/ready")

    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert f"at revision {NEXT}" in errors
    assert f"this code is at {NOW}: run newer code" in errors
    assert (ready.status_code, ready.json()["code"]) == (503, "UNAVAILABLE")
    assert NEXT in ready.json()["detail"]
    assert NOW in ready.json()["detail"]


async def test_a_later_migration_never_lets_older_code_run_than_those_before_it(url: str, later: Release) -> None:
    later.add(NEXT, ADD, oldest_code=NEXT)
    later.add(AFTER_NEXT, "ALTER TABLE pessoa ADD COLUMN telefone text", oldest_code="0001")

    assert outcome(later.directory, url)[0] == 0

    assert recorded(url) == (AFTER_NEXT, NEXT)
    assert outcome(ROOT, url)[0] == 1


async def test_a_database_without_the_record_is_what_it_was_and_the_next_migration_writes_it(
    url: str, later: Release
) -> None:
    execute(url, "ALTER TABLE alembic_version DROP COLUMN oldest_code")

    unchanged = outcome(ROOT, url)
    [ready] = await answers(url, "/health/ready")
    later.add(NEXT, ADD, oldest_code=NOW)
    next_step = outcome(later.directory, url)

    assert unchanged == (0, f"pessoas: database is at revision {NOW}\n", "")
    assert ready.status_code == 200
    assert next_step[0] == 0
    assert recorded(url) == (NEXT, NOW)


async def test_newer_code_without_the_record_is_no_code_to_run_beside(url: str) -> None:
    execute(url, f"UPDATE alembic_version SET version_num = '{NEXT}', oldest_code = NULL")

    code, _, errors = outcome(ROOT, url)
    [ready] = await answers(url, "/health/ready")

    assert (code, errors.count("\n"), ready.status_code) == (1, 1, 503)


def test_the_record_stands_or_falls_with_its_migration(url: str, later: Release) -> None:
    before = recorded(url)
    later.add(NEXT, ADD, oldest_code=NEXT)
    later.add(AFTER_NEXT, "SELECT 1/0", oldest_code=NEXT)

    assert outcome(later.directory, url)[0] == 1

    assert recorded(url) == before


def test_a_database_that_cannot_be_reached_is_one_line(server: Cluster) -> None:
    url = server.url("pessoas").replace("pessoas:", "pessoas:wrong", 1)

    code, output, errors = outcome(ROOT, url)

    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("pessoas: the database cannot be reached: ")
    assert "wrong" not in errors


def refusal(service: str, url: str) -> str:
    with pytest.raises(NotMigrated) as refused:
        upgrade(service, url)
    return str(refused.value)


@pytest.mark.parametrize("url", ["localhost:5432", "pessoas:s3cr3t@localhost/pessoas", "postgresql://[s3cr3t"])
def test_what_is_no_url_is_named_without_its_password(url: str) -> None:
    assert refusal("pessoas", url) == "pessoas: DATABASE_URL is no URL of a database, postgresql://…"


def test_a_role_that_may_not_make_tables_is_named(server: Cluster, empty: str) -> None:
    server.create_database("guest")
    with psycopg.connect(server.url("guest"), autocommit=True) as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute("GRANT CONNECT ON DATABASE guest TO pessoas")
    url = empty.removesuffix("/pessoas") + "/guest"

    assert refusal("pessoas", url) == (
        "pessoas: permission denied for schema public: make the role pessoas the owner of its database"
    )


def test_a_database_that_is_not_utf_8_is_refused(server: Cluster) -> None:
    url = server.create_database("anew")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE anew")
        connection.execute("CREATE DATABASE anew OWNER anew ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")

    assert "the database has the encoding LATIN1" in refusal("pessoas", url)


async def test_a_service_with_the_database_of_another_is_not_ready_and_says_so(empty: str) -> None:
    upgrade("servicos", empty)

    [ready] = await answers(empty, "/health/ready")

    assert ready.status_code == 503
    assert ready.json()["detail"] == "o banco de dados não tem a tabela pessoa: é o de outro serviço?"


def test_a_service_that_does_not_exist_is_one_line() -> None:
    step = run(ROOT, "chassis.db.migrate", "clientes")

    assert step.communicate(timeout=WAIT_SECONDS)[1].splitlines()[-1].endswith("there is no service called clientes")


def test_migrators_at_once_all_end_well(empty: str) -> None:
    steps = [migrate(ROOT, empty) for _ in range(3)]

    assert [(step.communicate(timeout=WAIT_SECONDS)[1], step.returncode) for step in steps] == [("", 0)] * 3


def test_a_migration_lets_queries_pass_between_its_tries_and_succeeds_when_a_long_reader_ends(
    url: str, later: Release
) -> None:
    execute(url, "INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('Ana', 'ana')")
    later.add(NEXT, ADD, oldest_code=NOW)
    with psycopg.connect(url, application_name="long report") as reader:
        reader.execute("SELECT FROM pessoa")
        step = migrate(later.directory, url)
        guard = threading.Timer(WAIT_SECONDS, step.kill)
        guard.start()
        assert step.stdout
        told = [step.stdout.readline() for _ in range(2)]  # it has waited twice

        with psycopg.connect(url, autocommit=True, options="-c statement_timeout=10000") as others:
            for _ in range(20):
                assert others.execute("SELECT nome_pessoa FROM pessoa").fetchall() == [("Ana",)]
                others.execute("UPDATE pessoa SET nome_busca = 'ana'")
        pid = reader.info.backend_pid
        reader.rollback()

    output, errors = step.communicate()
    guard.cancel()
    assert (step.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == f"pessoas: database is at revision {NEXT}"
    for line in told:
        assert f"held by process {pid} (long report, role pessoas), in a transaction since 2" in line
        assert "trying again" in line


def test_a_migration_gives_up_in_the_end_and_names_who_holds_the_lock(empty: str) -> None:
    with psycopg.connect(empty, application_name="somebody") as holder:
        holder.execute("CREATE TABLE alembic_version ()")

        with pytest.raises(NotMigrated, match=r"held by process \d+ \(somebody, role pessoas\).*migrate again"):
            upgrade("pessoas", empty, timeout=0)

        holder.rollback()
    assert upgrade("pessoas", empty) == NOW
