"""Another release of this code, in a folder of its own, whose pessoas has more migrations. Tests run it beside, before
and after this code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.local import ROOT

MIGRATION = '''"""{summary}"""

from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
oldest_code = "{oldest_code}"
{more}

def upgrade() -> None:
    op.execute("{sql}")
'''


def run(directory: Path, *module: str, **variables: str) -> subprocess.Popen[str]:
    """Starts a module of the release in `directory`."""
    return subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=directory,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def migrate(directory: Path, url: str) -> subprocess.Popen[str]:
    """Starts the migration step of pessoas."""
    return run(directory, "chassis.db.migrate", "pessoas", DATABASE_URL=url)


class Release:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for folder in ("chassis", "deploy", "catalogo", "pessoas", "servicos", "solicitacoes"):
            shutil.copytree(ROOT / folder, directory / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", directory)

    def add(self, revision: str, sql: str, oldest_code: str, more: str = "") -> None:
        """Adds the migration `revision` to those of pessoas."""
        text: dict[str, Any] = {"summary": sql, "before": f"{int(revision) - 1:04d}", "more": more}
        text |= {"revision": revision, "sql": sql, "oldest_code": oldest_code}
        (self.directory / "pessoas" / "migrations" / f"{revision}_later.py").write_text(MIGRATION.format(**text))
