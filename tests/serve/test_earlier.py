"""A database that an earlier version made is opened, migrated, and worked on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from buffycoat.serve import schema
from buffycoat.serve.database import Store
from buffycoat.serve.log_check import check
from buffycoat.serve.migrate import migrate

DUMPS = sorted(Path(__file__).parent.glob("made_by_*.sql"))
"""Dumps of SQLite databases as that version left them: a slide signed, amended, open again."""


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
def test_a_database_of_an_earlier_version_is_worked_on(
    dump: Path, tmp_path: Path, serve_from: Callable[..., Any]
) -> None:
    path = tmp_path / "review.sqlite"
    made = sqlite3.connect(path)
    made.executescript(dump.read_text(encoding="utf-8"))
    before = made.execute("SELECT seq, hash FROM log ORDER BY seq").fetchall()
    made.close()
    store = Store(f"sqlite:///{path}")
    copy = migrate(store)
    assert copy is not None
    assert copy.is_file()
    with store.reading() as reader:
        found = check(reader)
        assert (found.is_whole, found.n, found.head) == (True, *before[-1])
        tokens = reader.execute(select(schema.tokens)).all()
    assert [(token.person, token.last_used_at) for token in tokens] == [("anna", None)]
    client = serve_from(store, add=False).client("anna")
    row = client.get("/slides/1")
    assert (row["status"], row["version"], row["wbc"]) == ("amending", 1, 7.5)
    cells = client.cells(1)
    assert sorted(cell["label"] for cell in cells if cell["label"]) == ["ARTEFACT", "BL"]
    one = next(cell for cell in cells if cell["label"] == "BL")
    assert client.decide(("decision-9", one["n"], "MO", one["seq"]))["accepted"]
    client.finish(1)
    assert client.sign(1, "signature-2")["version"] == 2
    assert client.get("/log/check")["is_whole"]
    assert [token["purpose"] for token in client.get("/users/anna/tokens")["tokens"]] == ["export"]
    store.close()


def test_there_is_a_dump_of_the_version_before() -> None:
    assert DUMPS
