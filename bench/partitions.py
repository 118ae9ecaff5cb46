"""Measures 10,000,000 solicitações in a table with range partitions by id: `make bench-partitions`.

The same rows are read and written in one partition, in 10 and in 100. The statements are those that the service sends.
It needs 6 GB of disk and ten minutes, and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from chassis.db.change_triggers import TRIGGERS
from chassis.db.migrate import upgrade
from deploy.postgres import Cluster, find, free_ports

ROWS, PESSOAS = 10_000_000, 1_000_000
PARTITIONS = (1, 10, 100)
PAGE, DEEP, PARENTS, TRIES, WRITES = 100, 1000, 100, 40, 200
NEEDED_BYTES = 12 * 2**30
MOST_SECONDS = 900
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- make bench-partitions writes from here -->", "<!-- to here -->"

COLUMNS = "id, servico_id, pessoa_id, produto_id, data_solicitacao"
TABLE = "CREATE TABLE solicitacao (LIKE shape INCLUDING DEFAULTS INCLUDING IDENTITY) PARTITION BY RANGE (id)"
PARTITION = "CREATE TABLE part_{n} PARTITION OF solicitacao FOR VALUES FROM ({first}) TO ({last})"
FILL = """
INSERT INTO solicitacao (id, servico_id, pessoa_id, produto_id, data_solicitacao)
OVERRIDING SYSTEM VALUE
SELECT n, 1 + n %% 50, 1 + (n * 7919) %% {pessoas}, 1 + n %% 200, timestamptz '2025-01-01Z' + n * interval '3 seconds'
FROM generate_series(%s::bigint, %s::bigint) AS n
"""
INDEXES = (
    "ALTER TABLE solicitacao ADD PRIMARY KEY (id)",
    "CREATE INDEX ON solicitacao (data_solicitacao, id)",
    "CREATE INDEX ON solicitacao (pessoa_id, id)",
    "CREATE INDEX ON solicitacao (pessoa_id, data_solicitacao, id)",
)
"""Of the indexes of production, those that the questions below use; the others are of the same kind."""

Row = dict[str, str]


def fast(taken: list[float]) -> float:
    """What the fastest tenth took at most: other programs on the machine make some tries slower."""
    return sorted(taken)[len(taken) // 10]


class Measured:
    """One connection, and how long it waits for what it asks."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection, self.rng = connection, random.Random(1)  # noqa: S311

    def ask(self, sql: str, values: Callable[[], tuple[Any, ...]], tries: int = TRIES, warm: int = 10) -> str:
        """Milliseconds, with warm caches and a prepared statement, as in a service that has run for a while."""
        taken: list[float] = []
        for n in range(tries + warm):
            asked = values()
            began = time.perf_counter()
            self.connection.execute(sql.encode(), asked, prepare=True).fetchall()
            if n >= warm:
                taken.append((time.perf_counter() - began) * 1000)
        return f"{fast(taken):.2f}"

    def write(self, sql: str, values: Callable[[], tuple[Any, ...]]) -> str:
        taken: list[float] = []
        for _ in range(WRITES):
            asked = values()
            began = time.perf_counter()
            self.connection.execute(sql.encode(), asked, prepare=True)
            taken.append((time.perf_counter() - began) * 1000)
        return f"{fast(taken):.2f}"

    def one(self, sql: str, *values: Any) -> Any:
        [found] = self.connection.execute(sql.encode(), values).fetchone() or [None]
        return found

    def pessoa(self) -> int:
        return self.rng.randint(1, PESSOAS)


def build(connection: psycopg.Connection[Any], partitions: int) -> None:
    """The table with its rows, its indexes, and the triggers of the feed."""
    each, step = ROWS // partitions, min(ROWS, 1_000_000)
    connection.execute("DROP TABLE solicitacao; DROP TABLE IF EXISTS part_0")  # which was detached
    connection.execute("TRUNCATE change")
    connection.execute("SET maintenance_work_mem = '1GB'")
    with connection.transaction():  # what a transaction has made itself is not written to the log too
        connection.execute(TABLE)
        for n in range(partitions):
            last = "MAXVALUE" if n == partitions - 1 else str((n + 1) * each + 1)
            first = "MINVALUE" if n == 0 else str(n * each + 1)
            connection.execute(PARTITION.format(n=n, first=first, last=last).encode())
        for first in range(1, ROWS, step):
            connection.execute(FILL.format(pessoas=PESSOAS).encode(), (first, first + step - 1))
        for sql in INDEXES:
            connection.execute(sql.encode())
    connection.execute("SELECT setval(pg_get_serial_sequence('solicitacao', 'id'), %s)", (ROWS,))
    connection.execute(TRIGGERS.format(table="solicitacao").encode())
    connection.execute("VACUUM ANALYZE solicitacao")


def questions(on: Measured) -> Row:
    deep = PAGE * (DEEP - 1)
    date = on.one("SELECT data_solicitacao FROM solicitacao WHERE id = %s", ROWS - deep)
    select = f"SELECT {COLUMNS} FROM solicitacao"
    child = f"{select} WHERE pessoa_id = parent.id ORDER BY data_solicitacao DESC, id DESC LIMIT 6"
    return {
        "page 1 by id": on.ask(f"{select} ORDER BY id LIMIT 101", lambda: ()),
        "page 1,000 by id": on.ask(f"{select} WHERE id > %s ORDER BY id LIMIT 101", lambda: (deep,)),
        "page 1 by date, newest first": on.ask(
            f"{select} ORDER BY data_solicitacao DESC, id DESC LIMIT 101", lambda: ()
        ),
        "page 1,000 by date": on.ask(
            f"{select} WHERE (data_solicitacao, id) < (%s, %s) ORDER BY data_solicitacao DESC, id DESC LIMIT 101",
            lambda: (date, ROWS - deep),
        ),
        "one pessoa's, by id": on.ask(f"{select} WHERE pessoa_id = %s ORDER BY id LIMIT 101", lambda: (on.pessoa(),)),
        f"the newest 5 of each of {PARENTS} pessoas": on.ask(
            f"SELECT c.* FROM unnest(%s::bigint[]) AS parent(id), LATERAL ({child}) AS c",
            lambda: ([on.pessoa() for _ in range(PARENTS)],),
        ),
        "100 rows by their ids": on.ask(
            f"{select} WHERE id = ANY(%s)", lambda: ([on.rng.randint(1, ROWS) for _ in range(100)],)
        ),
        "all of them counted": on.ask("SELECT count(*) FROM solicitacao", lambda: (), tries=3, warm=1),
    }


def writes(on: Measured) -> Row:
    new = (
        "INSERT INTO solicitacao (servico_id, pessoa_id, produto_id) VALUES (%s, %s, %s) RETURNING id, data_solicitacao"
    )
    return {
        "an insert": on.write(new, lambda: (1, on.pessoa(), 1)),
        "an update": on.write(
            "UPDATE solicitacao SET produto_id = 2 WHERE id = %s", lambda: (on.rng.randint(1, ROWS),)
        ),
        "a deletion": on.write("DELETE FROM solicitacao WHERE id = %s", lambda: (on.rng.randint(ROWS // 2, ROWS),)),
    }


def told(on: Measured, partitions: int) -> Row:
    """What the feed is told, and how long it takes to take a partition away and tell it."""
    if partitions == 1:
        return {"told: by the parent, by a partition": "-", "to detach the oldest partition, s": "-"}
    connection = on.connection

    def events() -> int:
        return on.one("SELECT count(*) FROM change")

    before = events()
    connection.execute("UPDATE solicitacao SET produto_id = 3 WHERE id = 1")
    by_parent = events() - before
    connection.execute("UPDATE part_0 SET produto_id = 4 WHERE id = 1")
    by_partition = events() - before - by_parent
    rows, before, began = on.one("SELECT count(*) FROM part_0"), events(), time.perf_counter()
    with connection.transaction():
        connection.execute("LOCK TABLE part_0 IN SHARE MODE")
        connection.execute(
            "INSERT INTO change (kind, entity, op) SELECT 'solicitacao', id, 'deleted' FROM part_0 ORDER BY id"
        )
        connection.execute("ALTER TABLE solicitacao DETACH PARTITION part_0")
    took = time.perf_counter() - began
    assert events() - before == rows
    return {
        "told: by the parent, by a partition": f"{by_parent}, {by_partition}",
        "to detach the oldest partition, s": f"{took:.2f} ({rows:,} deletions told)",
    }


def measure(connection: psycopg.Connection[Any], partitions: int) -> Row:
    began = time.monotonic()
    build(connection, partitions)
    on = Measured(connection)
    size = on.one("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('solicitacao')")
    print(
        f"{partitions} built in {time.monotonic() - began:.0f} s, {size / 2**30:.2f} GiB", file=sys.stderr, flush=True
    )
    found = questions(on) | writes(on) | {"bytes of a row, with these indexes": f"{size / ROWS:.0f}"}
    return found | told(on, partitions)


def table(columns: dict[int, Row]) -> str:
    head = [f"{n} partition{'s' * (n > 1)}" for n in columns]
    lines = [["ms", *head], ["---", *["--:"] * len(head)]]
    lines += [[name, *(row[name] for row in columns.values())] for name in next(iter(columns.values()))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(text: str) -> None:
    whole = DOCUMENT.read_text()
    DOCUMENT.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{text}\n{END}", whole, flags=re.S))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.partitions", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/scale.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        if shutil.disk_usage(directory).free < NEEDED_BYTES:
            print(f"{directory} has less than {NEEDED_BYTES / 2**30:.0f} GiB free", file=sys.stderr)
            return 1
        quiet = os.open(os.devnull, os.O_WRONLY)
        with Cluster(Path(directory) / "data", free_ports(), durable=False, log=quiet) as cluster:
            url = cluster.create_database("solicitacoes")
            upgrade("solicitacoes", url)
            columns, until = dict[int, Row](), time.monotonic() + MOST_SECONDS
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE TABLE shape (LIKE solicitacao INCLUDING DEFAULTS INCLUDING IDENTITY)")
                for partitions in PARTITIONS:
                    left = max(1, round((until - time.monotonic()) * 1000))
                    connection.execute(f"SET statement_timeout = {left}".encode())  # ends the run in time
                    columns[partitions] = measure(connection, partitions)
    text = f"{ROWS:,} rows of {PESSOAS:,} pessoas, PostgreSQL {find().version}.\n\n{table(columns)}"
    print(text)
    if arguments.write:
        write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
