"""The services' databases, which all tests share: they are emptied before each test, faster than with TRUNCATE."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from deploy.postgres import Cluster, free_ports

TRIES = 10
LARGE = 256 * 1024
"""The size of a table in bytes above which TRUNCATE is used, since DELETE leaves the space of the deleted rows
behind."""

TABLES = """
SELECT quote_ident(tablename) FROM pg_tables
WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'feed_head')
ORDER BY tablename = 'change', tablename
"""
"""`change` comes last, as in every write."""
WAITING = """
SELECT query FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query NOT LIKE '%fold_version <%'
"""
"""The statements that wait for a lock. Every process looks now and then for names to fold; that does not count, since
it waits for a locked table too, whatever a test does."""
SEQUENCES = "SELECT quote_ident(sequencename) FROM pg_sequences WHERE schemaname = 'public'"


@contextmanager
def temporary_postgres(directory: Path) -> Generator[Cluster]:
    """A PostgreSQL for a while, whose log nobody reads."""
    with (
        open(os.devnull, "w") as quiet,
        Cluster(directory, free_ports(), durable=False, log=quiet.fileno()) as running,
    ):
        yield running


class SharedDatabase:
    """A database that is emptied again and again, over one connection.

    TRUNCATE gives every table, index and sequence a new file, however little is in it: some 20 ms. So small tables are
    emptied by DELETE. In both cases every table is locked first, as TRUNCATE locks it. So statements that an earlier
    test has left running end first, and the rows that they have written are deleted too.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, options="-c lock_timeout=60s")
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
        for _ in range(TRIES):
            # A statement that an earlier test has left may hold one of the tables and wait for another one.
            with suppress(psycopg.errors.DeadlockDetected):
                self._connection.execute(self._emptying)
                return
        raise TimeoutError("the tables are in use, and each try ended in a deadlock")

    def close(self) -> None:
        self._connection.close()

    def _names(self, query: str) -> list[str]:
        return [row[0] for row in self._connection.execute(query.encode())]
