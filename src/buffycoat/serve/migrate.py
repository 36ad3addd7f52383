"""Bring a database to this version: made anew, migrated with a copy kept, or refused."""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from buffycoat.errors import ConfigError
from buffycoat.images import writing
from buffycoat.serve.database import Store


def migrate(store: Store, to: str = "head") -> Path | None:
    """Make the tables, or bring them from an earlier version to this one; all steps or none.

    Args:
        store: The database.
        to: Version to stop at; only tests need another than the newest.

    Returns:
        The copy of the database as it was; None if there was nothing to migrate, or on PostgreSQL,
        whose own backup is its keeper's.

    Raises:
        ConfigError: A newer buffycoat made it, or it is no review database.
    """
    scripts = Config()
    scripts.set_main_option(
        "script_location", str(resources.files("buffycoat.serve").joinpath("migrations"))
    )
    known = ScriptDirectory.from_config(scripts)
    with store.reading() as connection:
        current = _current(connection, known)
    if current is not None and current == known.as_revision_number(to):
        return None
    copy = _copy(store, current) if current is not None and store.is_sqlite else None
    with store.writing() as connection:
        _current(connection, known)
        scripts.attributes["connection"] = connection
        command.upgrade(scripts, to)
    return copy


def _current(connection: Connection, known: ScriptDirectory) -> str | None:
    """The version of a database; None if it is empty."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        if inspect(connection).get_table_names():
            raise ConfigError(
                "--database: holds tables of another program. Name another database, or an empty "
                "one"
            )
        return None
    if current not in {script.revision for script in known.walk_revisions()}:
        newest = known.get_current_head()
        raise ConfigError(
            f"--database: is of version {current}, and this buffycoat knows versions up to "
            f"{newest}. Install the buffycoat that made it, or a newer one"
        )
    return current


def _copy(store: Store, version: str) -> Path:
    """A copy of an SQLite database beside it, whole or not at all."""
    path = Path(str(store.engine.url.database))
    copy = path.with_name(f"{path.name}.version-{version}")
    with writing(copy) as part:
        source, target = sqlite3.connect(path), sqlite3.connect(part)
        try:
            source.backup(target)
        finally:
            target.close()
            source.close()
    return copy
