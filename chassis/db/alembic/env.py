"""How Alembic migrates a service's database: one transaction for all migrations, and one migrating process at once."""

from typing import Any

import psycopg
from alembic import context
from alembic.script import Script
from sqlalchemy import NullPool, create_engine

from chassis.db.search import LOCK_MILLISECONDS

LOCK = 0x50_11_C1_7A
"""An advisory lock: a second migrating process waits for the first. It belongs to the session, since a migration may
commit in between."""

ADD_OLDEST_CODE = """
DO $$ BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = 'alembic_version'::regclass AND attname = 'oldest_code'
    ) THEN
        ALTER TABLE alembic_version ADD COLUMN oldest_code text;
    END IF;
END $$
"""
"""Not ADD COLUMN IF NOT EXISTS, whose lock would block every readiness check until the migration ends."""


def include(_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
    """Leaves trigram indexes out of the comparison: they exist only when the server has pg_trgm, so models do not name
    them."""
    return not (kind == "index" and (name or "").endswith("_trgm"))


def oldest_code(migration: Script) -> str:
    """The oldest code that may run after `migration`: what it says itself, else the revision before, as in any rolling
    restart."""
    before = migration.down_revision
    return getattr(migration.module, "oldest_code", before if isinstance(before, str) else migration.revision)


def record_oldest_code(ctx: Any, heads: set[str], **_: Any) -> None:
    """Stores, beside the revision and in the same transaction, the oldest code that all migrations up to it allow."""
    if heads:
        applied = context.script.iterate_revisions(tuple(heads), "base")
        ctx.execute(ADD_OLDEST_CODE)
        ctx.execute(f"UPDATE alembic_version SET oldest_code = '{max(map(oldest_code, applied))}'")


def run() -> None:
    settings: dict[str, Any] = {
        "target_metadata": context.config.attributes["metadata"],
        "include_object": include,
        "compare_server_default": True,
        "on_version_apply": record_oldest_code,
    }
    if context.is_offline_mode():  # only the SQL, for the lint
        context.configure(dialect_name="postgresql", literal_binds=True, **settings)
        migrate()
        return
    connection: psycopg.Connection = context.config.attributes["connection"]
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=NullPool)
    with engine.connect() as migrating:
        context.configure(connection=migrating, **settings)
        migrate()


def migrate() -> None:
    with context.begin_transaction():
        context.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
        context.execute(f"SELECT pg_advisory_lock({LOCK})")
        context.run_migrations()


run()
