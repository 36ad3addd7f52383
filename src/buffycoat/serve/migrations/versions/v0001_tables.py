"""The tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table of the first version."""
    op.create_table(
        "project",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("made_at", sa.Text, nullable=False),
        sa.Column("taxonomy", sa.Text, nullable=False),
        sa.Column("has_second_reader", sa.Boolean, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
    )
    _cells()
    _record()
    _people()


def _cells() -> None:
    op.create_table(
        "slides",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("patient", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
    )
    op.create_table(
        "cells",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slide", sa.Integer, sa.ForeignKey("slides.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("box", sa.Text),
        sa.Column("predicted", sa.Text, nullable=False),
        sa.Column("probability", sa.Float),
        sa.Column("is_doubtful", sa.Boolean),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("image_sha256", sa.Text),
        sa.Column("bundle_sha256", sa.Text),
    )
    op.create_index("cells_by_slide", "cells", ["slide"])
    op.create_table(
        "readings",
        sa.Column("slide", sa.Integer, sa.ForeignKey("slides.id"), primary_key=True),
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column("reader", sa.Text),
        sa.Column("is_finished", sa.Boolean, nullable=False),
    )
    op.create_table(
        "labels",
        sa.Column("cell", sa.Integer, sa.ForeignKey("cells.id"), primary_key=True),
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column("slide", sa.Integer, sa.ForeignKey("slides.id"), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_index("labels_by_slide", "labels", ["slide", "role"])


def _record() -> None:
    op.create_table(
        "log",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("slide", sa.Integer),
        sa.Column("cell", sa.Integer),
        sa.Column("client_id", sa.Text, unique=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("log_by_cell", "log", ["cell"])
    op.create_index("log_by_slide", "log", ["slide", "kind"])
    op.create_table(
        "versions",
        sa.Column("slide", sa.Integer, sa.ForeignKey("slides.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("signer", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("is_disabled", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.Text, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, sa.ForeignKey("users.name"), nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, sa.ForeignKey("users.name"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("made_at", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
