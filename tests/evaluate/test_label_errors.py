"""Labels that contradict what other cells' models say."""

from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.evaluate.label_errors import rank_labels, suspects_table
from buffycoat.evaluate.scored import Scored
from buffycoat.taxonomy import PBC

pytest.importorskip("cleanlab", reason="needs the extra 'labels'")
K = len(PBC)


def _cells(seed: int = 0, n: int = 300, rare: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """True columns and probabilities; the last class is rare, and its cells get 0.4 at most."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, K - 1, n)
    truth[:rare] = K - 1
    probs = np.full((n, K), 0.2 / (K - 1))
    probs[np.arange(n), truth] = 0.8
    probs[:rare] = 0.6 / (K - 1)
    probs[:rare, K - 1] = 0.4
    return truth, probs * rng.uniform(0.9, 1.1, probs.shape)


def test_flipped_labels_come_first() -> None:
    truth, probs = _cells()
    given = truth.copy()
    flipped = np.arange(40, 55)
    given[flipped] = (truth[flipped] + 1) % (K - 1)
    probs /= probs.sum(axis=1, keepdims=True)
    found = rank_labels(given, probs)
    assert found.count == len(flipped)
    assert {*found.order[: found.count]} == {*flipped}
    assert sorted(found.order) == list(range(len(given)))


def test_a_rare_class_is_not_suspicious_for_its_low_probabilities() -> None:
    given, probs = _cells()
    probs /= probs.sum(axis=1, keepdims=True)
    assert rank_labels(given, probs).count == 0


def test_the_table_says_what_speaks_against_the_label() -> None:
    truth, probs = _cells(n=60, rare=5)
    probs /= probs.sum(axis=1, keepdims=True)
    given = [PBC.codes[column] for column in truth]
    given[30] = "BA" if truth[30] != PBC.codes.index("BA") else "LY"
    given[40] = "NE"
    names = [f"c{n}" for n in range(60)]
    table, n_wrong = suspects_table(Scored(names, given, given, probs, PBC))
    assert n_wrong == len(table) == 1
    (row,) = table.to_dict("records")
    assert (row["cell_id"], row["label"]) == ("c30", given[30])
    assert row["suggested"] == PBC.codes[truth[30]]
    assert row["is_abstained"]
    (reason,) = json.loads(row["evidence"])
    assert f"labelled {given[30]}" in reason["text"]
    longer, n_wrong = suspects_table(Scored(names, given, given, probs, PBC), count=100)
    assert n_wrong == 1
    assert len(longer) == 59  # without the cell that is labelled by its group
    assert longer["cell_id"].iloc[0] == "c30"
    assert longer["cell_id"].is_unique
