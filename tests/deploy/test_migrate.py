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


def test_the_draft_of_a_migration_lets_the_code_before_it_run(release: Release) -> None:
    models = release.directory / "pessoas" / "models.py"
    name = '    nome_pessoa: Name = name_field("João Silva")\n'
    models.write_text(models.read_text().replace(name, f"{name}    email: str | None = None\n"))

    step = run(release.directory, "deploy.migrate_all", "--new", "pessoas", "add email")
    output, errors = step.communicate(timeout=WAIT_SECONDS)

    assert (step.returncode, errors) == (0, "")
    [draft] = (release.directory / "pessoas" / "migrations").glob(f"{NEXT}_*.py")
    assert draft.name in output
    assert f'oldest_code = "{NOW}"' in draft.read_text()
    assert 'op.add_column("pessoa", sa.Column("email"' in draft.read_text()


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
