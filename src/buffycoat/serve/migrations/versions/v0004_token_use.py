"""When a program's token was used last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; of tokens that were used before, nothing is known."""
    op.add_column("tokens", sa.Column("last_used_at", sa.Text))
