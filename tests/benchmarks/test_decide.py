from __future__ import annotations

import numpy as np
import pytest

from benchmarks import decide
from buffycoat.evaluate.metrics import confusion, macro_f1
from buffycoat.learn.fit_labels import OutOfFoldScores

COUNTS = np.array([90, 9, 1])


def _cells(n: int = 120) -> OutOfFoldScores:
    rng = np.random.default_rng(0)
    targets = np.arange(n) % 3
    logits = rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[targets]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return OutOfFoldScores(probs, targets, np.arange(n) // 3 % 2, np.arange(n), COUNTS)


def test_a_fold_is_labelled_by_what_the_others_fit() -> None:
    cells = _cells()

    def rule(fitted, own):
        assert set(fitted.folds) | set(own.folds) == {0, 1}
        assert len(set(fitted.folds)) == 1
        return np.full(len(own.targets), fitted.folds[0]), {}

    labels, fits = decide.cross_fitted(rule, cells)
    assert np.array_equal(labels, 1 - cells.folds)
    assert len(fits) == 2


def test_cells_are_drawn_at_the_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "DRAWS", 20)
    monkeypatch.setattr(decide, "DRAWN_CELLS", 4000)
    cells = _cells()
    labels = {"uniform prior": cells.labels(0.0), "training prior": cells.labels(1.0)}
    found = decide.natural_draws(cells, labels)
    for name, called in labels.items():
        expected = cells.score(called)  # each cell weighs the share of its class
        assert found[name]["macro_f1"] == pytest.approx(expected, abs=0.01)
    assert found["uniform prior"]["gain"] == 0
    table = confusion(cells.targets, labels["uniform prior"], 3)
    assert abs(float(macro_f1(table)) - found["uniform prior"]["macro_f1"]) > 0.05


def test_every_rule_is_scored_on_both_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "DRAWS", 5)
    monkeypatch.setattr(decide, "TRAININGS", 2)
    cells = _cells()
    found = decide.compare(cells, cells)
    for split in ("out_of_fold", "eval"):
        assert list(found[split]) == list(decide.RULES)
        assert found[split]["uniform prior"]["moved"] == 0
    assert list(decide.drawn_trainings(cells)) == list(decide.RULES)
