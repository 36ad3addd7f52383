"""A database that does not answer: said on the console, answered so that the same is sent again."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from buffycoat.serve.database import is_disk_full

Serve = Callable[..., Any]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: the failure is made here."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


def locked() -> OperationalError:
    original = sqlite3.OperationalError("database is locked")
    original.sqlite_errorname = "SQLITE_BUSY"
    return OperationalError("SELECT 1 -- smear 1", {"patient": "P7"}, original)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (locked(), "OperationalError: database is locked (SQLITE_BUSY)"),
        (PoolTimeoutError("QueuePool limit"), "no connection to the database was free"),
    ],
)
def test_why_is_on_the_console_without_names(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    error: Exception, said: str,
) -> None:  # fmt: skip
    served = serve()
    client = served.client()

    def fail() -> Any:
        raise error

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(served.review.worklist, "rows", lambda *_: fail())
        answer = client.raw("/slides/1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert caplog.messages == [f"GET /slides/{{slide}}: the database failed: {said}"]
    assert client.get("/slides/1")["id"] == "smear 1"


@pytest.mark.parametrize("code", ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"])
def test_each_word_of_sqlite_for_a_full_disk(code: str) -> None:
    original = sqlite3.OperationalError("disk I/O error")
    original.sqlite_errorcode = getattr(sqlite3, code)
    assert is_disk_full(OperationalError("SELECT 1", {}, original))
    assert not is_disk_full(locked())
