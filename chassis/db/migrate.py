"""Migrations, as a step of their own: `python -m chassis.db.migrate pessoas` brings `$DATABASE_URL` up to date.

`--new NAME` writes the next migration from the difference between models and database. Revisions are numbered, in one
line ("0001", "0002"), so that a process can tell without Alembic whether its database is migrated.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.config import Config

ROOT = Path(__file__).parents[2]


def head(service: Path) -> str:
    """The newest revision of a service, by the names of its files."""
    return max(path.name[:4] for path in (ROOT / service / "migrations").glob("[0-9]*.py"))


def config(service: str, database_url: str) -> Config:
    """Alembic's configuration for one service: one `env` for all, a folder of revisions for each."""
    from alembic.config import Config

    found = Config()
    found.set_main_option("script_location", str(ROOT / "chassis/db/alembic"))
    found.set_main_option("version_locations", str(ROOT / service / "migrations"))
    found.set_main_option("path_separator", "os")
    found.attributes["metadata"] = importlib.import_module(f"{service}.models").Base.metadata
    found.attributes["url"] = database_url
    return found


def upgrade(service: str, database_url: str) -> None:
    """Applies every migration that `database_url` still lacks. Safe to run twice, and by two at once."""
    from alembic import command

    command.upgrade(config(service, database_url), "head")


def new(service: str, database_url: str, name: str) -> Path:
    """Writes the next revision; the database must be at the newest one."""
    from alembic import command

    number = f"{int(head(Path(service))) + 1:04d}"
    script: Any = command.revision(config(service, database_url), name, autogenerate=True, rev_id=number)
    return Path(script.path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.db.migrate", description=__doc__)
    parser.add_argument("service", help="catalogo, pessoas, servicos or solicitacoes")
    parser.add_argument("--new", metavar="NAME", help="write a new migration instead of applying them")
    arguments = parser.parse_args()
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise SystemExit("configuration error: DATABASE_URL: set it to the service's database, postgresql://…")
    if arguments.new:
        print(f"wrote {new(arguments.service, url, arguments.new)}: read it, then apply it")
    else:
        upgrade(arguments.service, url)
        print(f"{arguments.service}: database is at revision {head(Path(arguments.service))}")


if __name__ == "__main__":
    main()
