"""Adds the version of the fold that each folded name was written with."""

from chassis.db.search import add_fold_version, drop_fold_version

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    add_fold_version("servico", "nome_servico")


def downgrade() -> None:
    drop_fold_version("servico")
