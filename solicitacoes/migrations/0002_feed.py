"""Tells every change: the tables of the feed, and the triggers that write it."""

from chassis.db.change_triggers import create_feed, drop_feed, stop_telling, tell_changes

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    create_feed()
    tell_changes("solicitacao")


def downgrade() -> None:
    stop_telling("solicitacao")
    drop_feed()
