"""Compares the revision of a database with that of this code, and says whether this code may run on it.

Beside its revision, every migration stores the oldest revision of the code that may still run on the database. So code
that was rolled back after a migration knows whether it may serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

FIND_TABLE = "SELECT to_regclass('alembic_version')::text"
"""Selects the name of Alembic's table, or null when it does not exist. It runs first, since a query on a missing table
would put an error into PostgreSQL's log."""
READ_REVISION = "SELECT version_num, to_jsonb(alembic_version) ->> 'oldest_code' FROM alembic_version"
"""`oldest_code` is read from JSON, since a database that was last migrated before that column existed does not have it.
"""


NO_REVISION = "0000"

MISSING_TABLES = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL"
"""Selects those of the named tables that do not exist. All services count their revisions alike, so a service with the
URL of another's database would find it migrated."""


def head(service: str) -> str:
    """The newest revision of a service, like "0002", by the names of its files; NO_REVISION before its first one."""
    return max((path.name[:4] for path in (ROOT / service / "migrations").glob("[0-9]*.py")), default=NO_REVISION)


@dataclass(frozen=True)
class Revisions:
    """The revision of this code, and that of its database, which is None before the first migration."""

    code: str
    database: str | None = None
    oldest_code: str | None = None
    """The oldest code that may run on the database, when its migrations have said so."""

    @property
    def behind(self) -> bool:
        """Whether the database still lacks migrations."""
        return self.database is None or self.database < self.code

    @property
    def ahead(self) -> bool:
        """Whether newer code has migrated the database."""
        return self.database is not None and self.database > self.code

    @property
    def too_far_ahead(self) -> bool:
        """Whether this code must not run on the database, because newer code has migrated it and does not say that this
        code may."""
        return self.ahead and (self.oldest_code is None or self.oldest_code > self.code)
