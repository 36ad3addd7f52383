"""Alembic's scripts: each brings a database of one version to the next."""
