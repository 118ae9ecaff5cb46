"""A trigram index for `search` and `contains`, where the server has pg_trgm; elsewhere a scan answers the same."""

from alembic import op

TRIGRAM = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX IF NOT EXISTS {table}_nome_busca_trgm ON {table} USING gin (nome_busca gin_trgm_ops);
    END IF;
END $$
"""


def add_trigram_index(table: str) -> None:
    """For a migration: indexes `table`'s folded name by its trigrams. pg_trgm is a trusted extension: an owner may."""
    op.execute(TRIGRAM.format(table=table))


def drop_trigram_index(table: str) -> None:
    op.execute(f"DROP INDEX IF EXISTS {table}_nome_busca_trgm")
