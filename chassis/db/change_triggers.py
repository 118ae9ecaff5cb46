"""What migrations do for the feed of changes: its tables, its triggers, and the function that numbers changes.

The triggers are statement triggers with transition tables. So bulk writes, cascades of foreign keys, COPY and psql are
told too. A write to the table tells itself in its own transaction, and nobody else can see it before that commits.

Changes are numbered after their commit, and not when they are written: a follower that has read number 5 would never
look for a number 4 that is committed later. `number_changes` locks the row of `feed_head` first. Only its next
statement looks for what has no number: that statement has a snapshot of its own, so it sees what the previous holder of
the lock has numbered. In one statement with the lock, rows would get a second number. Changes of one row keep their
order, since the second one gets its `id` while it holds the row's lock, hence after the first one's commit.
"""

import sqlalchemy as sa
from alembic import op

from chassis.db.changes import BATCH, CHANGE, FEED_HEAD

MAX_TOLD = 1000
"""When a row changes that more rows than these show, only the row itself is told."""

NUMBER = f"""
CREATE FUNCTION number_changes(OUT head bigint, OUT gone bigint, OUT era uuid, OUT complete_at timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    counted bigint;
BEGIN
    complete_at := clock_timestamp();
    PERFORM FROM {CHANGE} WHERE seq IS NULL ORDER BY id LIMIT 1;
    IF FOUND THEN
        SELECT last INTO head FROM {FEED_HEAD} FOR UPDATE;
        WITH free AS (
            SELECT place, row_number() OVER (ORDER BY id) AS nth
            FROM (SELECT ctid AS place, id FROM {CHANGE} WHERE seq IS NULL ORDER BY id LIMIT {BATCH}) AS unnumbered
        )
        UPDATE {CHANGE} SET seq = head + free.nth FROM free WHERE {CHANGE}.ctid = free.place;
        GET DIAGNOSTICS counted = ROW_COUNT;
        IF counted > 0 THEN
            UPDATE {FEED_HEAD} SET last = last + counted;
        END IF;
        IF counted = {BATCH} THEN
            complete_at := NULL;
        END IF;
    END IF;
    SELECT last, trimmed, epoch INTO head, gone, era FROM {FEED_HEAD};
END $$
"""
"""Numbers what is committed, and returns the head. All that was committed before `complete_at` has a number; null means
that more may be left. `enable_seqscan` is off since a plan is kept: one from when the table was small would read all of
it later."""

TELL = f"""
CREATE FUNCTION tell_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {CHANGE} (kind, entity, op) SELECT TG_TABLE_NAME, id, TG_ARGV[0] FROM changed;
    RETURN NULL;
END $$
"""
REFUSE = """
CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of % would not be told to followers: use DELETE', TG_TABLE_NAME;
END $$
"""
TRIGGERS = """
CREATE TRIGGER {table}_tell_insert AFTER INSERT ON {table}
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tell_changes('created');
CREATE TRIGGER {table}_tell_update AFTER UPDATE ON {table}
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tell_changes('updated');
CREATE TRIGGER {table}_tell_delete AFTER DELETE ON {table}
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tell_changes('deleted');
CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate()
"""
TELL_SHOWN = """
CREATE FUNCTION {table}_tell_{child}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Waits for every transaction that is adding a {child} to one of these, and keeps others from beginning: their
    -- rows would show the old state, and the statement below would not see them.
    PERFORM FROM {table} WHERE id IN (SELECT id FROM changed) ORDER BY id FOR UPDATE;
    INSERT INTO change (kind, entity, op)
    SELECT '{child}', id, 'updated'
    FROM (
        SELECT shown.id, count(*) OVER (PARTITION BY changed.id) AS siblings
        FROM changed CROSS JOIN LATERAL (
            SELECT id FROM {child} WHERE {child}.{column} = changed.id ORDER BY id LIMIT {most} + 1
        ) AS shown
    ) AS told WHERE siblings <= {most};
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_tell_{child} AFTER UPDATE ON {table}
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_tell_{child}()
"""


def create_feed() -> None:
    """The tables of the feed, empty, in an epoch of their own."""
    op.create_table(
        CHANGE,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entity", sa.BigInteger(), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
    )
    op.create_index("change_seq_idx", CHANGE, ["seq"], unique=True, postgresql_where=sa.text("seq IS NOT NULL"))
    op.create_index("change_unnumbered_idx", CHANGE, ["id"], postgresql_where=sa.text("seq IS NULL"))
    op.create_table(
        FEED_HEAD,
        sa.Column("singleton", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("last", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("trimmed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("epoch", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.PrimaryKeyConstraint("singleton", name=op.f("feed_head_pkey")),
    )
    op.execute(f"INSERT INTO {FEED_HEAD} DEFAULT VALUES")
    for function in (NUMBER, TELL, REFUSE):
        op.execute(function)


def drop_feed() -> None:
    op.execute("DROP FUNCTION number_changes()")
    op.execute("DROP FUNCTION tell_changes()")
    op.execute("DROP FUNCTION refuse_truncate()")
    op.drop_table(FEED_HEAD)
    op.drop_table(CHANGE)


def tell_changes(table: str) -> None:
    """From now on each change of a row of `table` is told. It waits for the transactions that are writing to the table,
    and not for readers."""
    op.execute(TRIGGERS.format(table=table))


def stop_telling(table: str) -> None:
    for what in ("tell_insert", "tell_update", "tell_delete", "refuse_truncate"):
        op.execute(f"DROP TRIGGER {table}_{what} ON {table}")


def tell_shown(table: str, child: str, column: str) -> None:
    """When a row of `table` changes, the rows of `child` that refer to it by `column` and show it have changed too."""
    op.execute(TELL_SHOWN.format(table=table, child=child, column=column, most=MAX_TOLD))


def stop_telling_shown(table: str, child: str) -> None:
    op.execute(f"DROP TRIGGER {table}_tell_{child} ON {table}")
    op.execute(f"DROP FUNCTION {table}_tell_{child}()")
