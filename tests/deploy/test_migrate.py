"""The commands of a developer for migrations: drafting one, and linting all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.db.revisions import head
from deploy.local import ROOT
from tests.deploy.processes import WAIT_SECONDS
from tests.release import Release, run

NOW = head("pessoas")
NEXT = f"{int(NOW) + 1:04d}"


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path / "release")


def lint(directory: Path) -> tuple[int, str]:
    """The exit code of the lint in `directory`, and its output."""
    step = run(directory, "deploy.lint_migrations")
    output, errors = step.communicate(timeout=WAIT_SECONDS)
    return step.returncode, output + errors


def draft(release: Release, field: str) -> tuple[int, str, str]:
    """Adds a field to Pessoa and drafts its migration: exit code, output, errors."""
    models = release.directory / "pessoas" / "models.py"
    name = '    nome_pessoa: Name = name_field("João Silva")\n'
    text = models.read_text().replace("table_parts, tables", "table_parts, tables, text_field")
    models.write_text(text.replace(name, f"{name}    {field}\n"))
    step = run(release.directory, "deploy.migrate_all", "--new", "pessoas", "add email")
    output, errors = step.communicate(timeout=WAIT_SECONDS)
    return step.returncode, output, errors


def drafted(release: Release) -> list[str]:
    migrations = (release.directory / "pessoas" / "migrations").glob("*_add_email*.py")
    return [path.read_text() for path in sorted(migrations)]


def test_the_draft_of_a_migration_lets_the_code_before_it_run(release: Release) -> None:
    code, output, errors = draft(release, "email: str | None = None")

    assert (code, errors) == (0, "")
    [migration] = drafted(release)
    assert f"{NEXT}_add_email.py" in output
    assert f'oldest_code = "{NOW}"' in migration
    assert 'op.add_column("pessoa", sa.Column("email"' in migration


def test_the_draft_gives_the_rows_that_exist_what_a_required_field_says(release: Release) -> None:
    field = 'email: str = text_field("a@b", max_length=99, ordered=True, existing="Não há")'
    code, _, errors = draft(release, field)

    assert (code, errors) == (0, "")
    first, second = drafted(release)
    assert 'sa.Column("email", sa.Text(), server_default="Não há", nullable=False)' in first
    assert 'sa.Column("email_busca", sa.Text(collation="C"), server_default="nao ha", nullable=False)' in first
    assert 'add_fold_trigger("pessoa", "nome_pessoa", "nome_busca", "email", "email_busca")' in first
    assert 'build_index("pessoa_email_busca_id_idx", "pessoa", ["email_busca", "id"])' in second
    assert [f'oldest_code = "{NOW}"' in migration for migration in (first, second)] == [True, True]
    assert lint(release.directory)[0] == 0


def test_there_is_no_draft_without_a_value_for_the_rows_that_exist(release: Release) -> None:
    code, output, errors = draft(release, 'email: str = text_field("a@b", max_length=99)')

    assert (code, output) == (1, "")
    assert errors == "pessoas: pessoa.email is required: say what the rows that exist get, by `existing=`\n"
    assert drafted(release) == []


def test_all_migrations_are_safe() -> None:
    assert lint(ROOT)[0] == 0


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("ALTER TABLE pessoa DROP COLUMN nome_busca", "ban-drop-column"),
        ("ALTER TABLE pessoa ADD COLUMN email text NOT NULL", "adding-required-field"),
        ("CREATE INDEX i ON pessoa (nome_pessoa)", "require-concurrent-index-creation"),
        ("ALTER TABLE pessoa RENAME COLUMN nome_busca TO busca", "renaming-column"),
    ],
)
def test_an_unsafe_step_is_named_until_the_migration_says_why_it_may(release: Release, sql: str, rule: str) -> None:
    release.add(NEXT, sql, oldest_code=NOW)
    code, said = lint(release.directory)
    release.add(NEXT, sql, oldest_code=NOW, more=f'excused = {{"{rule}": "nothing reads it"}}')
    excused, _ = lint(release.directory)

    assert (code, excused) == (1, 0), said
    assert rule in said
    assert f"pessoas {NEXT}" in said
