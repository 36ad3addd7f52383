from __future__ import annotations

import numpy as np
import pytest
from benchmarks.averaging import balanced_ece, compare


def _models(count: int, n: int = 4000) -> tuple[list[np.ndarray], np.ndarray]:
    """Models that are each calibrated: the truth is drawn from what one of them says."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(n, 3)) * 2
    targets = np.array([rng.choice(3, p=_probs(row)) for row in shared])
    noisy = [shared + rng.normal(size=shared.shape) * 1.5 for _ in range(count)]
    return [np.log(_probs(logits * 0.6)) for logits in noisy], targets


def _probs(logits: np.ndarray) -> np.ndarray:
    exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def test_an_overconfident_table_has_the_error_that_it_was_made_with():
    targets = np.repeat([0, 1], 50)
    probs = np.tile([0.9, 0.1], (100, 1))
    probs[:40], probs[50:90] = [0.9, 0.1], [0.1, 0.9]
    probs[40:50], probs[90:] = [0.1, 0.9], [0.9, 0.1]  # wrong, and just as sure
    assert balanced_ece(probs, targets, n_bins=1) == pytest.approx(0.1)


def test_every_number_of_models_has_a_row_for_each_mean():
    models, targets = _models(3)
    rows = compare(models, targets)
    assert [(row["models"], row["sets"]) for row in rows] == [
        (1, 3), (1, 3), (2, 3), (2, 3), (3, 1), (3, 1)
    ]  # fmt: skip
    single = [row for row in rows if row["models"] == 1]
    assert single[0] | {"mean": ""} == pytest.approx(single[1] | {"mean": ""})
    arithmetic, geometric = rows[-2:]
    assert arithmetic["mean"] != geometric["mean"]
    means = {row["mean"]: row["stated"] for row in rows[-2:]}
    assert means["geometric"] > means["arithmetic"]  # models that differ blur an arithmetic mean
