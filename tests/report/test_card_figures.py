"""The figures of a model card say how sure each of them is."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.evaluate.summary import evaluate
from buffycoat.report.card_figures import figures
from buffycoat.taxonomy import PBC


@pytest.fixture(scope="module")
def record():
    """A split with three cells of the last class, no error in the first, and probabilities."""
    targets = np.repeat(np.arange(10), [12] * 9 + [3])
    probs = np.full((len(targets), 10), 0.02)
    probs[np.arange(len(targets)), targets] = 0.82
    probs[[13, 14, 27]] = np.roll(probs[[13, 14, 27]], 1, axis=1)
    return evaluate(probs, targets, PBC, {"SNE": 900, "LY": 90, "PMY": 10}, np.arange(111) % 2)


def _row(text, start):
    return next(line for line in text.splitlines() if line.startswith(f"| {start} |"))


def test_each_score_has_its_interval_and_each_class_its_prevalence(record):
    row = _row(figures("eval", record), "LY")
    lymphocyte = record["per_class"][1]
    low, high = (lymphocyte["sensitivity_interval"][end] for end in ("low", "high"))
    assert f"{lymphocyte['sensitivity']:.2f} ({low:.2f} to {high:.2f})" in row
    assert "9.00" in row


def test_a_class_without_error_has_exact_limits(record):
    assert "1.00 (0.74 to 1.00)" in _row(figures("eval", record), "SNE")  # 12 of 12


def test_a_class_of_too_few_cells_says_so_and_how_many_they_are(record):
    row = _row(figures("eval", record), "PMY")
    assert row.count("not estimable") == 5
    assert "3 cells, at least 5 are needed" in row
    text = figures("eval", record)
    assert "| Macro-F1 of the estimable classes |" in text


def test_calibration_stands_beside_what_chance_would_leave(record):
    text = figures("eval", record)
    assert f"top class {record['calibration']['ece']:.3f} (by chance alone" in text
    without = figures("eval", record | {"calibration": None})
    assert "Calibration:" not in without


def test_bands_and_severities_are_left_out_where_they_are_not_known(record):
    assert "| Band | Classes |" in figures("eval", record)
    bare = evaluate(np.array([0, 1, 1]), np.array([0, 1, 0]), PBC)
    text = figures("test", bare)
    assert "| Band | Classes |" not in text
    assert "| Severity |" not in text
    assert "not estimable" in text
