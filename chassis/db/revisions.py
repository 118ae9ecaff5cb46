"""Which revision a database is at, and whether this code may run on it.

Every migration leaves beside its revision the oldest revision of the code that may still run on the database. So code
that was rolled back after its database was migrated knows whether it may serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

EXISTS = "SELECT to_regclass('alembic_version')::text"
"""Asked first: asking a table that is not there would put an error into PostgreSQL's log."""
FOUND = "SELECT version_num, to_jsonb(alembic_version) ->> 'oldest_code' FROM alembic_version"
"""`oldest_code` as JSON: a database that was last migrated before there was one has no such column."""


def head(service: str) -> str:
    """The newest revision of a service, by the names of its files: "0002"."""
    return max(path.name[:4] for path in (ROOT / service / "migrations").glob("[0-9]*.py"))


@dataclass(frozen=True)
class Revisions:
    """The revision of this code beside that of its database; None: it has none yet."""

    code: str
    database: str | None = None
    oldest_code: str | None = None
    """The oldest code that may run on the database, where its migrations have said so."""

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
        """Whether this code must not run on it. Where nothing says that older code may, it must not."""
        return self.ahead and (self.oldest_code is None or self.oldest_code > self.code)
