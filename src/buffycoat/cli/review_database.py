"""The database that a review command is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console
from buffycoat.errors import ManifestError

if TYPE_CHECKING:
    from buffycoat.serve.database import Store

Database = Annotated[
    str,
    typer.Option(
        help="sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME, or the predictions it is of.",
        show_default=False,
    ),
]


def ready_database(url: str) -> Store:
    """A database, made anew or migrated if need be."""
    from buffycoat.serve.start import open_database

    opened = open_database(url)
    if opened.copy is not None:
        text = f"Database migrated; as it was it is {opened.copy}"
        errors_console().print(escape(text), highlight=False, soft_wrap=True)
    return opened.store


def existing_database(database: str) -> Store:
    """A database that must be there."""
    from sqlalchemy.engine import make_url

    from buffycoat.serve.start import url_of

    url = url_of(database)
    parsed = make_url(url)
    if parsed.drivername == "sqlite" and not Path(str(parsed.database)).is_file():
        raise ManifestError(f"--database {parsed.database}: no such file. Check the path")
    return ready_database(url)
