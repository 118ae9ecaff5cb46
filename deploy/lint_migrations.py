"""Lints the SQL of every migration with squawk, which knows the steps that lock a table or break the previous code.

`python -m deploy.lint_migrations` is a part of `make check`. If a migration breaks a rule and is safe all the same, it
names the rule with the reason, as in `excused = {"ban-drop-column": "nothing since 0005 reads it"}`. The lint does not
see SQL in a DO block.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from alembic import command
from alembic.script import Script, ScriptDirectory

from chassis.db.migrate import config
from deploy.postgres import OLDEST
from deploy.topology import SERVICES

EXCUSED = {
    "require-statement-timeout": "an index that is built concurrently takes as long as its table is large",
    "prefer-bigint-over-smallint": "only fold_version is one, and there will not be 32,767 versions of the fold",
}
EXCUSED_FIRST = {
    "prefer-text-field": "Alembic makes its own table with the first migration: a varchar that never grows"
}


def sql(service: str, migration: Script) -> str:
    """The SQL that Alembic would send for one migration."""
    settings = config(service)
    settings.output_buffer = written = io.StringIO()
    command.upgrade(settings, f"{migration.down_revision or 'base'}:{migration.revision}", sql=True)
    return written.getvalue()


def is_safe(service: str, migration: Script) -> bool:
    """Whether squawk finds nothing that is not excused; prints what it finds."""
    excused: dict[str, str] = EXCUSED | getattr(migration.module, "excused", {})
    excused |= {} if migration.down_revision else EXCUSED_FIRST
    name = f"{service} {migration.revision} as SQL"
    squawk = [Path(sys.executable).with_name("squawk"), f"--pg-version={OLDEST}", f"--stdin-filepath={name}"]
    rules = [f"--exclude={rule}" for rule in excused]
    result = subprocess.run(
        [*squawk, *rules], input=sql(service, migration), capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        print(result.stdout, result.stderr)
    return result.returncode == 0


def main() -> int:
    safe = [
        is_safe(service.name, migration)
        for service in SERVICES
        for migration in ScriptDirectory.from_config(config(service.name)).walk_revisions()
    ]
    print(f"{sum(safe)} of {len(safe)} migrations are safe")
    return 0 if all(safe) else 1


if __name__ == "__main__":
    sys.exit(main())
