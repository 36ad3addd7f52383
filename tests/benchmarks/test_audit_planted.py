from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from benchmarks import audit_planted


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["audit_planted", *map(str, arguments)])
    audit_planted.main()


def test_planted_copies_are_searched_for_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = {kind: audit_planted.KINDS[kind] for kind in ("mirrored", "JPEG")}
    monkeypatch.setattr(audit_planted, "KINDS", kinds)
    folder, pairs, recall = tmp_path / "cells", tmp_path / "pairs.csv", tmp_path / "recall.csv"
    _run(monkeypatch, "plant", folder, "--cells", 14, "--planted", 4)
    _run(monkeypatch, "search", folder, "--out", pairs)
    assert json.loads(capsys.readouterr().out)["cells"] == 14 + 12
    _run(monkeypatch, "score", folder, pairs, "--out", recall)
    with recall.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["planted"], row["found"]) for row in rows] == [
        ("mirrored", "4", "4"),
        ("mirrored", "4", "4"),
        ("JPEG", "4", "4"),
    ]
    assert float(rows[0]["low"]) < 0.4
    assert "0 pairs of two photographs" in capsys.readouterr().out


def test_a_false_pair_does_not_count_as_found(tmp_path: Path) -> None:
    audit_planted.plant(tmp_path / "cells", None, 13, 1)
    with (tmp_path / "cells" / audit_planted.TRUTH).open() as file:
        first, second = list(csv.DictReader(file))[:2]
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        f"{first['copy']},{first['photograph']}\n{first['copy']},{second['photograph']}\n"
    )
    rows, false = audit_planted.score(tmp_path / "cells", pairs)
    assert [row["found"] for row in rows[:2]] == [1, 0]
    assert false == [(first["copy"], second["photograph"])]
