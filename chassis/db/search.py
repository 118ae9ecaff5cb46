"""What migrations do for search: they add a trigram index, and fold names as `chassis.text.fold` does today.

A server without pg_trgm scans the table instead, with the same result.
"""

import sqlalchemy as sa
from alembic import op

from chassis.db.folding import select_older_folds, update_folds
from chassis.text import FOLD_VERSION

TRIGRAM = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX IF NOT EXISTS {table}_nome_busca_trgm ON {table} USING gin (nome_busca gin_trgm_ops);
    END IF;
END $$
"""
TRIGGER = """
CREATE OR REPLACE FUNCTION {table}_fold_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.fold_version := coalesce(nullif(current_setting('solicita.fold', true), ''), '1');
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER {table}_fold_version BEFORE INSERT OR UPDATE OF {name}, nome_busca ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_fold_version()
"""


def add_trigram_index(table: str) -> None:
    """For a migration: adds a trigram index on `table`'s folded name. pg_trgm is a trusted extension, so the database's
    owner may install it."""
    op.execute(TRIGRAM.format(table=table))


def drop_trigram_index(table: str) -> None:
    op.execute(f"DROP INDEX IF EXISTS {table}_nome_busca_trgm")


def add_fold_version(table: str, name: str) -> None:
    """For a migration: makes `table` record the version of `fold` for the column `name` of each row."""
    op.add_column(table, sa.Column("fold_version", sa.SmallInteger(), server_default="1", nullable=False))
    op.execute(TRIGGER.format(table=table, name=name))


def drop_fold_version(table: str) -> None:
    op.execute(f"DROP TRIGGER {table}_fold_version ON {table}")
    op.execute(f"DROP FUNCTION {table}_fold_version()")
    op.drop_column(table, "fold_version")


def fold_all(table: str, name: str) -> None:
    """For a migration, in an autocommit block: folds the rows with older folds, in batches that are transactions of
    their own. What a failed attempt has folded stays folded."""
    if op.get_context().as_sql:
        return
    connection, last, folded = op.get_bind(), 0, {name: "nome_busca"}
    connection.exec_driver_sql(f"SET solicita.fold = '{FOLD_VERSION}'")
    while rows := connection.exec_driver_sql(select_older_folds(table, folded), (last,)).fetchall():
        sql, values = update_folds(table, folded, rows)
        connection.exec_driver_sql(sql, tuple(values))
        last = rows[-1][0]


def index_older_folds(table: str, version: int) -> None:
    """For a migration, in an autocommit block: an index of the rows that code from before fold `version` writes."""
    index = f"{table}_fold_version_idx"
    op.execute("SET lock_timeout = 0")  # it waits for others, but nobody waits for it
    # an invalid index may be left of a failed attempt
    op.drop_index(index, postgresql_concurrently=True, if_exists=True)
    op.create_index(
        index,
        table,
        ["id"],
        postgresql_where=sa.text(f"fold_version < {version}"),
        postgresql_concurrently=True,
        if_not_exists=True,
    )
