"""Trigram index for search, where the server has pg_trgm."""

from chassis.db.search import add_trigram_index, drop_trigram_index

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    add_trigram_index("pessoa")


def downgrade() -> None:
    drop_trigram_index("pessoa")
