"""The services' databases, which all tests share: they are emptied before each test, faster than with TRUNCATE."""

from __future__ import annotations

import psycopg

LARGE = 256 * 1024
"""The size of a table in bytes above which TRUNCATE is used, since DELETE leaves the space of the deleted rows
behind."""

TABLES = """
SELECT quote_ident(tablename) FROM pg_tables
WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'feed_head')
"""
SEQUENCES = "SELECT quote_ident(sequencename) FROM pg_sequences WHERE schemaname = 'public'"


class SharedDatabase:
    """A database that is emptied again and again, over one connection.

    TRUNCATE gives every table, index and sequence a new file, however little is in it: some 20 ms. So small tables are
    emptied by DELETE. In both cases every table is locked first, as TRUNCATE locks it. So statements that an earlier
    test has left running end first, and the rows that they have written are deleted too.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        tables, sequences = self._names(TABLES), self._names(SEQUENCES)
        size = ", ".join(f"pg_relation_size('{table}')" for table in tables)
        # In one statement rows may be deleted in any order, since foreign keys are checked when it ends.
        fed = [table for table in tables if table not in ("change", "idempotency")]
        silent, telling = (
            "".join(f"ALTER TABLE {one} {how} TRIGGER USER;" for one in fed) for how in ("DISABLE", "ENABLE")
        )
        deletions = ", ".join(f"deletion{n} AS (DELETE FROM {table})" for n, table in enumerate(tables))
        restarts = ", ".join(f"setval('{sequence}', 1, false)" for sequence in sequences)
        self._emptying = f"""
            DO $$
            DECLARE deleted bigint;
            BEGIN
                LOCK TABLE {", ".join(tables)};
                IF greatest({size}) > {LARGE} THEN
                    {silent} TRUNCATE {", ".join(tables)}; {telling}
                ELSE
                    WITH {deletions} SELECT 0 INTO deleted;
                    DELETE FROM change; -- what the deletions have told
                END IF;
                PERFORM {restarts};
            END $$
        """.encode()

    def empty(self) -> None:
        """Returns when no table has a row and every id begins at 1 again."""
        self._connection.execute(self._emptying)

    def close(self) -> None:
        self._connection.close()

    def _names(self, query: str) -> list[str]:
        return [row[0] for row in self._connection.execute(query.encode())]
