"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
oldest_code = "0001"


def upgrade() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("idempotency_pkey")),
    )
    op.create_index(op.f("idempotency_created_at_idx"), "idempotency", ["created_at"], unique=False)
    op.create_table(
        "solicitacao",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("servico_id", sa.BigInteger(), nullable=False),
        sa.Column("pessoa_id", sa.BigInteger(), nullable=False),
        sa.Column("produto_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "data_solicitacao", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("solicitacao_pkey")),
    )
    op.create_index(
        op.f("solicitacao_data_solicitacao_id_idx"), "solicitacao", ["data_solicitacao", "id"], unique=False
    )
    op.create_index(
        op.f("solicitacao_pessoa_id_data_solicitacao_id_idx"),
        "solicitacao",
        ["pessoa_id", "data_solicitacao", "id"],
        unique=False,
    )
    op.create_index(op.f("solicitacao_pessoa_id_id_idx"), "solicitacao", ["pessoa_id", "id"], unique=False)
    op.create_index(
        op.f("solicitacao_produto_id_data_solicitacao_id_idx"),
        "solicitacao",
        ["produto_id", "data_solicitacao", "id"],
        unique=False,
    )
    op.create_index(op.f("solicitacao_produto_id_id_idx"), "solicitacao", ["produto_id", "id"], unique=False)
    op.create_index(
        op.f("solicitacao_servico_id_data_solicitacao_id_idx"),
        "solicitacao",
        ["servico_id", "data_solicitacao", "id"],
        unique=False,
    )
    op.create_index(op.f("solicitacao_servico_id_id_idx"), "solicitacao", ["servico_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("solicitacao_servico_id_id_idx"), table_name="solicitacao")
    op.drop_index(op.f("solicitacao_servico_id_data_solicitacao_id_idx"), table_name="solicitacao")
    op.drop_index(op.f("solicitacao_produto_id_id_idx"), table_name="solicitacao")
    op.drop_index(op.f("solicitacao_produto_id_data_solicitacao_id_idx"), table_name="solicitacao")
    op.drop_index(op.f("solicitacao_pessoa_id_id_idx"), table_name="solicitacao")
    op.drop_index(op.f("solicitacao_pessoa_id_data_solicitacao_id_idx"), table_name="solicitacao")
    op.drop_index(op.f("solicitacao_data_solicitacao_id_idx"), table_name="solicitacao")
    op.drop_table("solicitacao")
    op.drop_index(op.f("idempotency_created_at_idx"), table_name="idempotency")
    op.drop_table("idempotency")
