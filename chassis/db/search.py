"""What migrations do that Alembic has no word for: folded texts, and what is built while others use the table.

A server without pg_trgm scans the table to search it, with the same result.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from chassis.db.folding import select_older_folds, update_folds
from chassis.text import FOLD_VERSION

LOCK_MILLISECONDS = 1500
"""How long a migration waits for a lock, while every later query waits behind it. It is longer than PostgreSQL's
`deadlock_timeout` (1 s), after which an autovacuum gives way, and shorter than what a service's statements wait (1.8
s)."""

HAS_TRIGRAMS = "SELECT FROM pg_available_extensions WHERE name = 'pg_trgm'"
TRIGRAM = """
DO $$ BEGIN
    IF EXISTS ({has_trigrams}) THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX IF NOT EXISTS {table}_{column}_trgm ON {table} USING gin ({column} gin_trgm_ops);
    END IF;
END $$
"""
TRIGGER = """
CREATE OR REPLACE FUNCTION {table}_fold_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.fold_version := coalesce(nullif(current_setting('solicita.fold', true), ''), '1');
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER {table}_fold_version BEFORE INSERT OR UPDATE OF {columns} ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_fold_version()
"""

# -- for a table that the same migration creates ------------------------------------------------------------------


def add_trigram_index(table: str, column: str = "nome_busca") -> None:
    """Adds a trigram index on a folded form. pg_trgm is a trusted extension, so the database's owner may install it."""
    op.execute(TRIGRAM.format(table=table, column=column, has_trigrams=HAS_TRIGRAMS))


def drop_trigram_index(table: str, column: str = "nome_busca") -> None:
    op.execute(f"DROP INDEX IF EXISTS {table}_{column}_trgm")


# -- for the folded texts of a table ------------------------------------------------------------------------------


def add_fold_version(table: str, name: str) -> None:
    """Makes `table` record the version of `fold` for the column `name` of each row."""
    op.add_column(table, sa.Column("fold_version", sa.SmallInteger(), server_default="1", nullable=False))
    add_fold_trigger(table, name, "nome_busca")


def drop_fold_version(table: str) -> None:
    drop_fold_trigger(table)
    op.drop_column(table, "fold_version")


def add_fold_trigger(table: str, *columns: str) -> None:
    """Keeps `fold_version` for these columns: the texts that are folded, and their folded forms. Replaces the trigger
    that the table has."""
    op.execute(TRIGGER.format(table=table, columns=", ".join(columns)))


def drop_fold_trigger(table: str) -> None:
    op.execute(f"DROP TRIGGER {table}_fold_version ON {table}")
    op.execute(f"DROP FUNCTION {table}_fold_version()")


def fold_all(table: str, name: str) -> None:
    """In an autocommit block: folds the rows with older folds, in batches that are transactions of their own. What a
    failed attempt has folded stays folded."""
    if op.get_context().as_sql:
        return
    connection, last, folded = op.get_bind(), 0, {name: "nome_busca"}
    connection.exec_driver_sql(f"SET solicita.fold = '{FOLD_VERSION}'")
    while rows := connection.exec_driver_sql(select_older_folds(table, folded), (last,)).fetchall():
        sql, values = update_folds(table, folded, rows)
        connection.exec_driver_sql(sql, tuple(values))
        last = rows[-1][0]


def index_older_folds(table: str, version: int) -> None:
    """In an autocommit block: an index of the rows that code from before fold `version` writes."""
    _build_index(f"{table}_fold_version_idx", table, ["id"], sa.text(f"fold_version < {version}"))


# -- for a table that has rows: others read and write meanwhile ---------------------------------------------------


def build_index(name: str, table: str, columns: Sequence[Any], where: Any = None, using: str = "btree") -> None:
    """An index, built concurrently."""
    with op.get_context().autocommit_block():
        _build_index(name, table, columns, where, using)


def _build_index(name: str, table: str, columns: Sequence[Any], where: Any = None, using: str = "btree") -> None:
    op.execute("SET lock_timeout = 0")  # it waits for others, but nobody waits for it
    # an invalid index may be left of a failed attempt
    op.drop_index(name, postgresql_concurrently=True, if_exists=True)
    op.create_index(
        name,
        table,
        columns,
        if_not_exists=True,
        postgresql_where=where,
        postgresql_using=using,
        postgresql_concurrently=True,
    )
    op.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")


def add_search_index(table: str, column: str) -> None:
    """A trigram index on a folded form, built concurrently, where the server has pg_trgm."""
    if op.get_context().as_sql or op.get_bind().exec_driver_sql(HAS_TRIGRAMS).all():
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        build_index(f"{table}_{column}_trgm", table, [sa.text(f"{column} gin_trgm_ops")], using="gin")


def add_check(table: str, name: str, condition: str) -> None:
    """A check of new rows. Those that exist are not looked at, which would take long."""
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")


def validate_check(table: str, name: str) -> None:
    """Looks at the rows that existed when the check was added."""
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
