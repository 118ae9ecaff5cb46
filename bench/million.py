"""Measures deep pages and search in 1,000,000 rows: `python -m bench.million`; with PG_BIN set, on that PostgreSQL.

It times the first page and page 1,000 by keyset. It searches with the trigram index if the server has pg_trgm, and
shows each plan.
"""

import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from chassis.db.database import FOLD_OPTION
from chassis.db.filters import like
from chassis.db.migrate import upgrade
from chassis.text import fold
from deploy.demo import NOMES, SOBRENOMES
from deploy.postgres import Cluster, find, free_ports

ROWS, PAGE, PAGES, TRIES = 1_000_000, 100, 1000, 25
ORDERINGS = {"id": "id", "nome_pessoa": "nome_busca, id"}


def fill(connection: psycopg.Connection[Any]) -> None:
    chosen = random.Random(1)  # noqa: S311  # the same names in every run
    with connection.cursor() as cursor, cursor.copy("COPY pessoa (nome_pessoa, nome_busca) FROM STDIN") as copy:
        for n in range(ROWS):
            name = f"{chosen.choice(NOMES)} {chosen.choice(SOBRENOMES)} {chosen.choice(SOBRENOMES)} {n}"
            copy.write_row((name, fold(name)))
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE pessoa")


def milliseconds(connection: psycopg.Connection[Any], sql: str, values: list[Any]) -> float:
    """The median of several tries with warm caches."""
    taken: list[float] = []
    for _ in range(TRIES):
        began = time.perf_counter()
        connection.execute(sql.encode(), values).fetchall()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def plan(connection: psycopg.Connection[Any], sql: str, values: list[Any]) -> str:
    rows = connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}".encode(), values)
    return "\n".join(row[0] for row in rows.fetchall())


def pages(connection: psycopg.Connection[Any], name: str, columns: str) -> None:
    first = f"SELECT id, nome_pessoa FROM pessoa ORDER BY {columns} LIMIT {PAGE + 1}"
    last_row = connection.execute(
        f"SELECT {columns} FROM pessoa ORDER BY {columns} OFFSET {PAGE * (PAGES - 1) - 1} LIMIT 1".encode()
    ).fetchone()
    assert last_row
    marks = ", ".join(["%s"] * len(last_row))
    deep = f"SELECT id, nome_pessoa FROM pessoa WHERE ({columns}) > ({marks}) ORDER BY {columns} LIMIT {PAGE + 1}"
    shallow_ms, deep_ms = milliseconds(connection, first, []), milliseconds(connection, deep, list(last_row))
    print(f"\npage 1 by {name}: {shallow_ms:.2f} ms; page {PAGES}: {deep_ms:.2f} ms")
    print(plan(connection, deep, list(last_row)))


def search(connection: psycopg.Connection[Any], term: str) -> None:
    sql = f"SELECT id, nome_pessoa FROM pessoa WHERE nome_busca LIKE %s ORDER BY id LIMIT {PAGE + 1}"
    values = [f"%{like(term)}%"]
    print(f"\nsearch {term!r}: {milliseconds(connection, sql, values):.2f} ms")
    print(plan(connection, sql, values))


def main() -> None:
    print(f"PostgreSQL {find().version}")
    with (
        tempfile.TemporaryDirectory() as directory,
        Cluster(Path(directory), free_ports(), durable=False, log=os.open(os.devnull, os.O_WRONLY)) as cluster,
    ):
        url = cluster.create_database("pessoas")
        upgrade("pessoas", url)
        with psycopg.connect(url, options=FOLD_OPTION) as connection:
            fill(connection)
            trigrams = connection.execute("SELECT FROM pg_indexes WHERE indexname = 'pessoa_nome_busca_trgm'").rowcount
            print(f"{ROWS:,} rows; trigram index: {'yes' if trigrams else 'no, this server lacks pg_trgm'}")
            for name, columns in ORDERINGS.items():
                pages(connection, name, columns)
            for term in ("conceição", "joão da silva", "999123", "não há"):
                search(connection, term)


if __name__ == "__main__":
    main()
