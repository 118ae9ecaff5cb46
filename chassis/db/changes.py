"""The tables in which a service's database keeps what has changed in it. `chassis.feed` reads them.

`change` has one row for each row that was created, updated or deleted. Triggers write it
(`chassis.db.change_triggers`), in the transaction of the change itself. Its `seq` is null until the transaction has
committed and somebody has numbered it. `feed_head` has one row: the last number, the last one that was trimmed, and the
epoch, which a restore renews.
"""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Index, MetaData, Table, Text, Uuid, func, text

CHANGE, FEED_HEAD = "change", "feed_head"
BATCH = 1000
"""How many changes are numbered or trimmed at once, so that their locks are short."""


def add_change_tables(metadata: MetaData) -> None:
    """Adds the two tables to those of a service."""
    # Tables and no models, since nobody uses their rows as objects, and `change` has no primary key: an index of all
    # ids would cost each write, and nobody looks for an id.
    Table(
        CHANGE,
        metadata,
        Column("id", BigInteger, Identity(always=True), nullable=False),
        Column("seq", BigInteger),
        Column("kind", Text, nullable=False),
        Column("entity", BigInteger, nullable=False),
        Column("op", Text, nullable=False),
        Column("at", DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False),
        Index("change_seq_idx", "seq", unique=True, postgresql_where=text("seq IS NOT NULL")),
        Index("change_unnumbered_idx", "id", postgresql_where=text("seq IS NULL")),
    )
    Table(
        FEED_HEAD,
        metadata,
        Column("singleton", Boolean, primary_key=True, server_default=text("true")),
        Column("last", BigInteger, server_default="0", nullable=False),
        Column("trimmed", BigInteger, server_default="0", nullable=False),
        Column("epoch", Uuid, server_default=func.gen_random_uuid(), nullable=False),
    )
