"""Errors along the maturation line, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.evaluate.maturation import stage_scores
from buffycoat.taxonomy import PBC

LINE = ["PMY", "MY", "MMY", "BNE", "SNE"]


def test_scores_are_those_of_a_plain_loop() -> None:
    table = np.random.default_rng(3).integers(0, 9, (10, 10))
    (row,) = stage_scores(table, PBC)
    assert row["classes"] == LINE
    exact, near, off, distance = [], [], [], []
    for code in LINE:
        calls = dict(zip(PBC.codes, table[PBC.codes.index(code)], strict=True))
        total = sum(calls.values())
        gaps = {c: abs(LINE.index(c) - LINE.index(code)) for c in LINE}
        exact.append(calls[code] / total)
        near.append(sum(calls[c] for c in LINE if gaps[c] <= 1) / total)
        off.append(sum(calls[c] for c in PBC.codes if c not in LINE) / total)
        distance.append(sum(calls[c] * gaps[c] for c in LINE) / sum(calls[c] for c in LINE))
    expected = [np.mean(part) for part in (exact, near, off, distance)]
    assert [row[n] for n in ("exact", "within_one", "off_line", "stages_off")] == pytest.approx(
        expected
    )


def test_a_line_without_cells_has_no_row() -> None:
    table = np.zeros((10, 10), dtype=int)
    table[PBC.codes.index("LY"), PBC.codes.index("PMY")] = 5
    assert stage_scores(table, PBC) == []


def test_cells_that_all_leave_the_line_have_no_distance() -> None:
    table = np.zeros((10, 10), dtype=int)
    table[PBC.codes.index("MY"), PBC.codes.index("MO")] = 5
    (row,) = stage_scores(table, PBC)
    assert row["off_line"] == 1
    assert row["stages_off"] is None
