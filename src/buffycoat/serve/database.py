"""The database: SQLite or PostgreSQL, one writer at a time, nothing acknowledged before it is safe.

Writers queue: the log is a chain, so its order is one. SQLite runs in WAL mode with
synchronous=FULL and BEGIN IMMEDIATE; on PostgreSQL each writer takes one advisory lock.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from buffycoat.errors import ConfigError, OutputError
from buffycoat.optional import require

KINDS = ("sqlite", "postgresql+psycopg")
LOCK = 0x62_75_66_66_79
"""PostgreSQL's advisory lock of writers, "buffy" in ASCII; the same for every server of a cluster's
database, and of other databases not seen."""
WAIT_S = 10
"""How long a writer waits for others before it gives up."""
POOL = {"pool_size": 20, "max_overflow": 30}
"""Connections: more than the server's 40 threads, which then never wait for one."""
ONE_STATE = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""Execution options of a PostgreSQL connection that reads: all its statements see what the first
saw. By default each sees what was committed before it, and a check of the log beside writers would
compare the log with later labels. SQLite's transactions see one state anyhow."""
FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
"""SQLite's codes of a full disk; the last one meets readers too, whose shared memory is a file."""
IS_WRITER = "is_writer"
"""Execution option of a connection that writes."""


class Store:
    """A review database.

    Attributes:
        engine: SQLAlchemy's.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(_checked(url))
        # SQLite's own waiting is sleeping and trying again: with 30 threads that write, the
        # slowest of 300 writes took 1.8 to 3.2 s, and 0.1 to 1.1 s with this queue.
        self._queue = threading.Lock() if self.is_sqlite else contextlib.nullcontext()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing."""
        with self.engine.connect() as connection:
            yield connection if self.is_sqlite else connection.execution_options(**ONE_STATE)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer overlaps; committed at the end of the block."""
        with self._queue, self.engine.connect() as connection:
            writer = connection.execution_options(**{IS_WRITER: True})
            with writer.begin():
                if not self.is_sqlite:
                    writer.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
                yield writer

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def file_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return URL.create("sqlite", database=str(path.resolve())).render_as_string()


def _checked(url: str) -> URL:
    try:
        found = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"--database: expected sqlite:///FILE or postgresql+psycopg://HOST/NAME ({error})"
        ) from error
    if found.drivername not in KINDS:
        raise ConfigError(
            f"--database: {found.drivername!r} is no database that can be used. Expected "
            "sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        )
    if found.drivername == "sqlite" and found.database in (None, "", ":memory:"):
        raise ConfigError("--database: expected a file, such as sqlite:///review.sqlite")
    return found


def _engine(url: URL) -> Engine:
    if url.drivername == "sqlite":
        options = {"timeout": WAIT_S, "check_same_thread": False}
        engine = create_engine(url, connect_args=options, **POOL)
        event.listen(engine, "connect", _open_file)
        event.listen(engine, "begin", _begin)
        return engine
    require("psycopg", extra="serve")
    options = f"-c synchronous_commit=on -c lock_timeout={WAIT_S * 1000}"
    return create_engine(
        url,
        pool_pre_ping=True,
        connect_args={"options": options, "connect_timeout": WAIT_S},
        **POOL,
    )


def _open_file(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin` alone
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    is_writer = connection.get_execution_options().get(IS_WRITER)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")


def is_disk_full(error: DBAPIError) -> bool:
    """Whether the database has no room left to write."""
    state = getattr(error.orig, "sqlstate", None)
    code = getattr(error.orig, "sqlite_errorcode", None)
    return state == "53100" or code in FULL


def reason_of(error: DBAPIError) -> str:
    """What the database said, in a line, with its code; without the values of the statement."""
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    said = str(error.orig).strip().partition("\n")[0]
    return f"{said} ({code})" if code else said


@contextlib.contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn a database's failure at the start into a message.

    Raises:
        OutputError: It cannot be opened or written.
    """
    try:
        yield
    except DBAPIError as error:
        shown = make_url(url).render_as_string(hide_password=True)
        raise OutputError(
            f"--database {shown}: cannot be used ({reason_of(error)}). Check that it runs, that it "
            "may be written to, and that its disk has room"
        ) from error
