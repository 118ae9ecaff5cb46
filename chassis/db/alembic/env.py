"""How Alembic reaches a service's database: one transaction for all migrations, one migrator at a time."""

from typing import Any

from alembic import context
from sqlalchemy import NullPool, create_engine, text

LOCK = 0x50_11_C1_7A
"""An advisory lock: a second migrator waits for the first."""


def include(_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
    """Trigram indexes exist only where the server has pg_trgm: models do not know them."""
    return not (kind == "index" and (name or "").endswith("_trgm"))


def run() -> None:
    url: str = context.config.attributes["url"]
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=context.config.attributes["metadata"],
            include_object=include,
            compare_server_default=True,
        )
        with context.begin_transaction():
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            context.run_migrations()


run()
