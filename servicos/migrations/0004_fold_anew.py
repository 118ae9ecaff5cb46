"""Folds the existing names anew, makes them NFC, and adds an index of the rows that older code writes later."""

from alembic import op

from chassis.db.search import fold_all, index_older_folds

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        fold_all("servico", "nome_servico")
        index_older_folds("servico", 2)


def downgrade() -> None:
    op.drop_index("servico_fold_version_idx", "servico")
