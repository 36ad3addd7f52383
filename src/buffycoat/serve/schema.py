"""Tables of the review database, as the newest migration leaves them.

`log` is the record: nothing in it is ever changed, and each row carries the SHA-256 of all before
it. `labels`, `readings` and the state of slides follow from it and are written in the same
transaction; `log.check` compares them.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData()

project = Table(
    "project",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("taxonomy", Text, nullable=False),
    Column("has_second_reader", Boolean, nullable=False),
    Column("secret", Text, nullable=False),
)
"""One row: what is reviewed. `taxonomy` is JSON; `secret` serves on loopback only."""

slides = Table(
    "slides",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("patient", Text),
    Column("version", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("wbc", Float),
)
"""`version` is the last signed one, 0 for none; `is_open` says whether labels may change; `wbc` are
the white cells by the analyser, 10^9/L."""

cells = Table(
    "cells",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("slide", Integer, ForeignKey("slides.id"), nullable=False),
    Column("name", Text, nullable=False, unique=True),
    Column("path", Text, nullable=False),
    Column("box", Text),
    Column("predicted", Text, nullable=False),
    Column("probability", Float),
    Column("is_doubtful", Boolean),
    Column("details", Text, nullable=False),
    Column("image_sha256", Text),
    Column("bundle_sha256", Text),
)
"""`path` is relative to the folder of images; `details` is JSON: probabilities, evidence, the place
in a field."""

readings = Table(
    "readings",
    METADATA,
    Column("slide", Integer, ForeignKey("slides.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("reader", Text),
    Column("is_finished", Boolean, nullable=False),
)
"""Who holds a role on a slide; `reader` is null after it was given back."""

labels = Table(
    "labels",
    METADATA,
    Column("cell", Integer, ForeignKey("cells.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("slide", Integer, ForeignKey("slides.id"), nullable=False),
    Column("label", Text),
    Column("seq", Integer, nullable=False),
    Column("reader", Text, nullable=False),
    Column("at", Text, nullable=False),
)
"""The latest decision on each cell by role; a label of null was withdrawn."""

log = Table(
    "log",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("slide", Integer),
    Column("cell", Integer),
    Column("client_id", Text, unique=True),
    Column("body", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
"""`body` is the canonical JSON that was hashed; the other columns repeat parts of it for search."""

versions = Table(
    "versions",
    METADATA,
    Column("slide", Integer, ForeignKey("slides.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("signer", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""Signed differentials, as canonical JSON with its SHA-256."""

users = Table(
    "users",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("is_disabled", Boolean, nullable=False),
    Column("made_at", Text, nullable=False),
)
"""`password` is an argon2id hash; `roles` are joined by spaces."""

sessions = Table(
    "sessions",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("person", Text, ForeignKey("users.name"), nullable=False),
    Column("made_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)
"""`key` is a keyed hash of the cookie; times are seconds of the Unix epoch."""

tokens = Table(
    "tokens",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("person", Text, ForeignKey("users.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("last_used_at", Text),
)
"""For programs; `key` is the SHA-256 of the token."""

Index("cells_by_slide", cells.c.slide)
Index("labels_by_slide", labels.c.slide, labels.c.role)
Index("log_by_cell", log.c.cell)
Index("log_by_slide", log.c.slide, log.c.kind)
