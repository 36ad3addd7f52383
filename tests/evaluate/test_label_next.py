"""Which cells to label next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from buffycoat.errors import ManifestError
from buffycoat.evaluate.label_next import choose_next, suggest


def _slow(probs: np.ndarray, known: np.ndarray, count: int) -> list[int]:
    """Uncertainty times distance, written as it is said."""
    chosen: list[int] = []
    for _ in range(count):
        worth = []
        for i, p in enumerate(probs):
            if known[i] or i in chosen:
                worth.append(-1.0)
                continue
            entropy = -sum(x * np.log(x) for x in p if x > 0) / np.log(len(p))
            near = [probs[j] for j in (*np.flatnonzero(known), *chosen)]
            far = [np.sqrt(max(0.0, 1 - np.sqrt(p * q).sum())) for q in near]
            worth.append(entropy * min(far, default=1.0))
        chosen.append(int(np.argmax(worth)))
    return chosen


def test_it_chooses_as_the_slow_rule_does() -> None:
    rng = np.random.default_rng(3)
    probs = rng.dirichlet(np.full(5, 0.3), 40)
    known = np.zeros(40, dtype=bool)
    known[rng.choice(40, 6, replace=False)] = True
    assert choose_next(probs, known, 12) == _slow(probs, known, 12)


def test_unsure_cells_come_first_and_unlike_ones_next() -> None:
    probs = np.array([[0.98, 0.01, 0.01], [0.5, 0.5, 0], [0.5, 0.49, 0.01], [0, 0.5, 0.5]])
    known = np.zeros(4, dtype=bool)
    assert choose_next(probs, known, 2) in ([2, 3], [1, 3])
    known[3] = True
    assert choose_next(probs, known, 1) in ([1], [2])
    assert sorted(choose_next(probs, known, 9)) == [0, 1, 2]
    without = np.array([False, True, True, False])
    assert choose_next(probs, known, 9, without) == [0]


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose_next(np.zeros((0, 3)), np.zeros(0, dtype=bool), 5) == []
    everything = np.ones(2, dtype=bool)
    assert choose_next(np.full((2, 2), 0.5), everything, 5) == []


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Six cells; c5 shows no white cell."""
    unsure = np.array([0.1, 0.5, 0.45, 0.3, 0.05, 0.5])
    table = pd.DataFrame({"cell_id": [f"slide/c{n}.png" for n in range(6)], "label": "LY"})
    table["reasons"] = ["", "", "low_probability", "", "", "low_probability no_cell"]
    table["prob_LY"], table["prob_MO"] = 1 - unsure, unsure
    table.to_parquet(tmp_path / "cells.parquet", index=False)
    return tmp_path / "cells.parquet"


def test_cells_with_a_label_and_pictures_without_a_cell_are_left_out(
    predictions: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("ID,label\nc1.png,MO\nelsewhere.png,LY\n")
    found = suggest(predictions, 9, tmp_path / "labels.csv")
    assert sorted(found.table["cell_id"]) == [f"slide/c{n}.png" for n in (0, 2, 3, 4)]
    assert (found.n_labelled, found.n_without_cell, found.n_open) == (1, 1, 4)
    assert found.predicted == ["LY"] * 4
    # what is like the labelled cell is worth little now
    assert found.table["cell_id"].iloc[0] != "slide/c2.png"
    assert suggest(predictions, 1).table["cell_id"].tolist() == ["slide/c1.png"]


def test_faults_are_named(predictions: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(predictions)
    frame.loc[2, "prob_LY"] = float("nan")
    frame.loc[4, ["prob_LY", "prob_MO"]] = 0.0
    frame.to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(ManifestError, match=r"(?s)c2\.png.*c4\.png"):
        suggest(tmp_path / "bad.parquet", 3)
    (tmp_path / "plain.csv").write_text("ID,labels\na,LY\n")
    with pytest.raises(ManifestError, match="no probabilities"):
        suggest(tmp_path / "plain.csv", 3)
    (tmp_path / "all.csv").write_text("ID,label\n" + "".join(f"c{n},LY\n" for n in range(6)))
    with pytest.raises(ManifestError, match="no cell is left"):
        suggest(predictions, 3, tmp_path / "all.csv")
    (tmp_path / "other.csv").write_text("ID,label\nx,LY\n")
    with pytest.raises(ManifestError, match="none of its IDs"):
        suggest(predictions, 3, tmp_path / "other.csv")
