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
        "categoria",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("nome_categoria", sa.Text(), nullable=False),
        sa.Column("nome_busca", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("categoria_pkey")),
    )
    op.create_index(op.f("categoria_nome_busca_id_idx"), "categoria", ["nome_busca", "id"], unique=False)
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
        "produto",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("nome_produto", sa.Text(), nullable=False),
        sa.Column("nome_busca", sa.Text(collation="C"), nullable=False),
        sa.Column("categoria_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["categoria_id"], ["categoria.id"], name=op.f("produto_categoria_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("produto_pkey")),
    )
    op.create_index(op.f("produto_categoria_id_id_idx"), "produto", ["categoria_id", "id"], unique=False)
    op.create_index(
        op.f("produto_categoria_id_nome_busca_id_idx"), "produto", ["categoria_id", "nome_busca", "id"], unique=False
    )
    op.create_index(op.f("produto_nome_busca_id_idx"), "produto", ["nome_busca", "id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("produto_nome_busca_id_idx"), table_name="produto")
    op.drop_index(op.f("produto_categoria_id_nome_busca_id_idx"), table_name="produto")
    op.drop_index(op.f("produto_categoria_id_id_idx"), table_name="produto")
    op.drop_table("produto")
    op.drop_index(op.f("idempotency_created_at_idx"), table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index(op.f("categoria_nome_busca_id_idx"), table_name="categoria")
    op.drop_table("categoria")
