"""Folds stored names again after `chassis.text.fold` has changed: existing rows, and rows that older code still writes.

Every table with folded texts has a column `fold_version`. A trigger fills it with the version that the writing
connection has named (`FOLD_OPTION`), or with 1 for code from before there were versions. A migration folds the rows
that exist. The running processes fold the rows that older processes write at the same time, or after a rollback. The
texts become NFC as well.
"""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from chassis.db.database import Database
from chassis.db.repeating import repeating
from chassis.text import FOLD_VERSION, fold_or_none, nfc

log = logging.getLogger("folding")

INTERVAL_SECONDS = 15.0
BATCH = 500
"""Rows that one statement folds. It is small, so that rows are locked only shortly."""

OLDER_FOLD = f"fold_version < {FOLD_VERSION}"
"""Not a parameter, since it must equal the condition of an index."""
UPDATE_FOLDS = """
WITH free AS (
    SELECT {table}.id, {new} FROM unnest(%s::bigint[]{arrays}) AS new (id, {new})
    JOIN {table} ON {table}.id = new.id AND {unchanged}
    ORDER BY {table}.id FOR NO KEY UPDATE OF {table} SKIP LOCKED)
UPDATE {table} SET {changes} FROM free WHERE {table}.id = free.id
"""
"""A row that another transaction is writing, or has changed meanwhile, is left for the next time, so that nothing waits
for this."""

Folded = Mapping[str, str]
"""The columns of a table whose texts are folded, each with the column of its folded form."""


def select_older_folds(table: str, folded: Folded) -> str:
    """SQL for the next rows with older folds, after the id that is its only value: their ids and texts."""
    return f"SELECT id, {', '.join(folded)} FROM {table} WHERE {OLDER_FOLD} AND id > %s ORDER BY id LIMIT {BATCH}"


def update_folds(table: str, folded: Folded, rows: Sequence[Sequence[Any]]) -> tuple[str, list[list[Any]]]:
    """SQL that folds `rows` of `select_older_folds`, and its values."""
    ids, *texts = (list(column) for column in zip(*rows, strict=True))
    values, new, unchanged, changes = [ids], list[str](), list[str](), list[str]()
    for (name, form), was in zip(folded.items(), texts, strict=True):
        values += [was, [text and nfc(text) for text in was], [fold_or_none(text) for text in was]]
        new += [f"was_{name}", f"new_{name}", f"new_{form}"]
        unchanged.append(f"{table}.{name} IS NOT DISTINCT FROM new.was_{name}")
        changes += [f"{name} = free.new_{name}", f"{form} = free.new_{form}"]
    sql = UPDATE_FOLDS.format(
        table=table,
        new=", ".join(new),
        arrays=", %s::text[]" * len(new),
        unchanged=" AND ".join(unchanged),
        changes=", ".join(changes),
    )
    return sql, values


async def fold_older_rows(database: Database, tables: Mapping[str, Folded]) -> None:
    """Folds the rows with an older fold in each table."""
    for table, folded in tables.items():
        last = count = 0
        while rows := await database.fetch(select_older_folds(table, folded), [last]):
            await database.fetch(*update_folds(table, folded, rows))
            last, count = rows[-1][0], count + len(rows)
        if count:
            log.info("names folded anew", extra={"table": table, "rows": count})


@asynccontextmanager
async def keep_folding(
    database: Database, tables: Mapping[str, Folded], every: float = INTERVAL_SECONDS
) -> AsyncGenerator[None]:
    """Folds what older code writes, each `every` seconds, until this context ends."""
    async with repeating(lambda: fold_older_rows(database, tables), every, log, "names are not folded anew yet"):
        yield
