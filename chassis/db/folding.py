"""Folds stored names again after `chassis.text.fold` has changed: existing rows, and rows that older code still writes.

Every table with names has a column `fold_version`. A trigger fills it with the version that the writing connection has
named (`FOLD_OPTION`), or with 1 for code from before there were versions. A migration folds the rows that exist. The
running processes fold the rows that older processes write at the same time, or after a rollback. Names become NFC as
well.
"""

import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from chassis.db.database import Database
from chassis.db.repeating import repeating
from chassis.text import FOLD_VERSION, fold, nfc

log = logging.getLogger("folding")

INTERVAL_SECONDS = 15.0
BATCH = 500
"""Rows that one statement folds. It is small, so that rows are locked only shortly."""

OLDER_FOLD = f"fold_version < {FOLD_VERSION}"
"""Not a parameter, since it must equal the condition of an index."""
SELECT_OLDER_FOLDS = f"SELECT id, {{name}} FROM {{table}} WHERE {OLDER_FOLD} AND id > %s ORDER BY id LIMIT {BATCH}"
UPDATE_FOLDS = """
WITH free AS (
    SELECT {table}.id, new.name, new.folded
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS new (id, was, name, folded)
    JOIN {table} ON {table}.id = new.id AND {table}.{name} = new.was
    ORDER BY {table}.id FOR NO KEY UPDATE OF {table} SKIP LOCKED)
UPDATE {table} SET {name} = free.name, nome_busca = free.folded FROM free WHERE {table}.id = free.id
"""
"""A row that another transaction is writing, or has changed meanwhile, is left for the next time, so that nothing waits
for this."""


def fold_values(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The values of UPDATE_FOLDS for rows of SELECT_OLDER_FOLDS."""
    ids, names = zip(*rows, strict=True)
    return [list(ids), list(names), [nfc(name) for name in names], [fold(name) for name in names]]


async def fold_older_rows(database: Database, names: Iterable[tuple[str, str]]) -> None:
    """Folds the rows with an older fold in each (table, name column)."""
    for table, name in names:
        last = count = 0
        while rows := await database.fetch(SELECT_OLDER_FOLDS.format(table=table, name=name), [last]):
            await database.fetch(UPDATE_FOLDS.format(table=table, name=name), fold_values(rows))
            last, count = rows[-1][0], count + len(rows)
        if count:
            log.info("names folded anew", extra={"table": table, "rows": count})


@asynccontextmanager
async def keep_folding(
    database: Database, names: Sequence[tuple[str, str]], every: float = INTERVAL_SECONDS
) -> AsyncGenerator[None]:
    """Folds what older code writes, each `every` seconds, until this context ends."""
    async with repeating(lambda: fold_older_rows(database, names), every, log, "names are not folded anew yet"):
        yield
