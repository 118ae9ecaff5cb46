"""Tells every change: the tables of the feed, and the triggers that write it."""

from chassis.db.change_triggers import (
    create_feed,
    drop_feed,
    stop_telling,
    stop_telling_shown,
    tell_changes,
    tell_shown,
)

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    create_feed()
    tell_changes("categoria")
    tell_changes("produto")
    tell_shown("categoria", "produto", "categoria_id")


def downgrade() -> None:
    stop_telling_shown("categoria", "produto")
    stop_telling("produto")
    stop_telling("categoria")
    drop_feed()
