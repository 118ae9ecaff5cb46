"""The changes of a service in its database: numbered, read and trimmed. See `chassis.db.change_triggers`."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chassis.db.changes import BATCH
from chassis.db.database import Database

NUMBER = "SELECT head, gone, era, complete_at FROM number_changes()"
READ = "SELECT seq, kind, entity, op, at FROM change WHERE seq > %s ORDER BY seq LIMIT %s"
UNNUMBERED = f"SELECT count(*) FROM (SELECT FROM change WHERE seq IS NULL LIMIT {10 * BATCH}) AS unnumbered"
TRIM = f"""
WITH first AS (
    SELECT seq, at, last FROM change, feed_head WHERE seq > trimmed ORDER BY seq LIMIT {BATCH}
), kept AS (
    SELECT min(seq) AS seq FROM first
    WHERE seq > last - %s AND at >= clock_timestamp() - make_interval(secs => %s)
), old AS (
    SELECT max(seq) AS seq FROM first WHERE seq < coalesce((SELECT seq FROM kept), seq + 1)
), deleted AS (
    DELETE FROM change USING old WHERE change.seq <= old.seq
)
UPDATE feed_head SET trimmed = old.seq FROM old WHERE old.seq > trimmed RETURNING trimmed
"""
"""Deletes changes from the first one on, up to the first that is kept. Never by time alone: a change that a long
transaction has written is older than others in front of it, and nobody may have read it yet."""


class Head(NamedTuple):
    """How far the feed goes."""

    last: int
    trimmed: int
    """The last number that is no longer kept."""
    epoch: UUID
    as_of: datetime | None
    """All that was committed before has a number. None: there may be more."""


class Change(NamedTuple):
    seq: int
    kind: str
    id: int
    op: str
    at: datetime


class ChangeLog:
    """The changes in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def number(self) -> Head:
        """Numbers what has been committed, and returns the head."""
        [row] = await self._database.fetch(NUMBER, ())
        return Head(*row)

    async def read(self, after: int, limit: int) -> list[Change]:
        """The changes after the number `after`."""
        return [Change(*row) for row in await self._database.fetch(READ, (after, limit))]

    async def unnumbered(self) -> int:
        """How many changes have no number yet, of those that are committed; counted up to ten batches."""
        [(count,)] = await self._database.fetch(UNNUMBERED, ())
        return count

    async def trim(self, kept: int, seconds: float) -> Sequence[int]:
        """Deletes a batch of changes that are older than `seconds`, or that are not among the `kept` last ones. Returns
        the last number that was deleted, if there is one."""
        return [last for (last,) in await self._database.fetch(TRIM, (kept, seconds))]
