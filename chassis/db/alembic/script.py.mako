"""${message}"""

from alembic import op
import sqlalchemy as sa
import sqlmodel
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# The oldest code that may run on the database after this: the code before it may, since it still serves while this is
# applied. Write an older revision where that one may too.
oldest_code = ${repr(config.attributes["oldest_code"] or up_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
