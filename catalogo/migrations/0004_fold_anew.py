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
        fold_all("categoria", "nome_categoria")
        index_older_folds("categoria", 2)
        fold_all("produto", "nome_produto")
        index_older_folds("produto", 2)


def downgrade() -> None:
    op.drop_index("produto_fold_version_idx", "produto")
    op.drop_index("categoria_fold_version_idx", "categoria")
