"""The analyser's white cells, kept with the slide."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, with what the last version of each slide was signed with."""
    op.add_column("slides", sa.Column("wbc", sa.Float))
    database = op.get_bind()
    signed = database.execute(sa.text("SELECT slide, body FROM versions ORDER BY slide, version"))
    known = {row.slide: json.loads(row.body).get("wbc") for row in signed}
    for slide, wbc in known.items():
        database.execute(
            sa.text("UPDATE slides SET wbc = :wbc WHERE id = :slide"), {"wbc": wbc, "slide": slide}
        )
