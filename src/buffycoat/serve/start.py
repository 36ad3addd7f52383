"""From predictions to a review that can be served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from buffycoat.serve import users
from buffycoat.serve.database import Store, explained, file_url
from buffycoat.serve.migrate import migrate
from buffycoat.serve.predictions import Predictions
from buffycoat.serve.project import import_predictions
from buffycoat.serve.review import local_name

SUFFIX = ".review.sqlite"


@dataclass(frozen=True)
class Opened:
    """A database that is ready.

    Attributes:
        store: The database.
        copy: Where it was copied to before it was migrated, if it was.
    """

    store: Store
    copy: Path | None


def url_of(text: str) -> str:
    """The URL of a database: as given, of an SQLite file, or of the one beside predictions."""
    if "://" in text:
        return text
    path = Path(text)
    return file_url(path if path.suffix == ".sqlite" else default_file(path))


def default_file(predictions: Path) -> Path:
    """The SQLite file beside a table of predictions."""
    return predictions.with_name(predictions.stem + SUFFIX)


def open_database(url: str) -> Opened:
    """Open a database, made anew or migrated if need be.

    Raises:
        ConfigError: It cannot be a review database, or a newer buffycoat made it.
        OutputError: It cannot be opened or written.
    """
    store = Store(url)
    with explained(url):
        return Opened(store, migrate(store))


def begin(
    store: Store, predictions: Predictions, *, is_adding: bool = False, second: bool = False
) -> int:
    """Put predictions under review, or go on with them; the number of cells that were added.

    Raises:
        ConfigError: They are not what is under review.
    """
    return import_predictions(
        store, predictions, local_name(), is_adding=is_adding, has_second_reader=second
    )


def has_users(store: Store) -> bool:
    """Whether there are accounts."""
    with store.reading() as reader:
        return users.n_users(reader) > 0
