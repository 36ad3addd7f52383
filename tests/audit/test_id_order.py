from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from buffycoat.audit import id_order


def _frame(ids: list[str], labels: list[str | None], splits: list[str], originals=None):
    return pd.DataFrame(
        {
            "cell_id": ids,
            "label": labels,
            "split": splits,
            "original_id": originals or [None] * len(ids),
        }
    ).astype("string")


def test_the_score_is_macro_f1() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 80)
    is_in = rng.random(80) < 0.5
    scored = is_in[1:]
    true, copied = codes[1:][scored], codes[:-1][scored]
    expected = f1_score(true, copied, labels=np.unique(true), average="macro")
    assert id_order.copy_score(codes, is_in) == pytest.approx(expected)


def test_numbers_count_as_numbers_and_class_names_in_ids_do_not() -> None:
    labels = ["LY"] * 15 + ["MO"] * 15
    ids = [f"{label}_{number}.jpg" for number, label in enumerate(labels, start=1)]
    assert len(id_order.check(_frame(ids, labels, ["train"] * 30)).findings) == 1
    mixed = list(np.random.default_rng(0).permutation(30))
    ids = [f"{label}_{number}.jpg" for number, label in zip(mixed, labels, strict=True)]
    assert not id_order.check(_frame(ids, labels, ["train"] * 30)).findings


def test_held_out_cells_beside_training_cells_of_their_class_are_found() -> None:
    rng = np.random.default_rng(1)
    blocks = rng.permutation(np.repeat(["LY", "MO", "EO"], 30))
    ids, labels, splits = [], [], []
    for number, label in enumerate(blocks):
        for offset in range(2):  # a training cell, then a held-out cell of the same patient
            ids.append(f"{2 * number + offset}.png")
            labels.append(label)
            splits.append(("train", "eval")[offset])
    [finding] = id_order.check(_frame(ids, labels, splits)).findings
    assert finding.message.startswith("eval")
    assert finding.number == 1.0


def test_twins_that_share_an_id_are_no_order() -> None:
    rng = np.random.default_rng(2)
    labels = list(rng.choice(["LY", "MO"], 40))
    ids = [f"{number}" for number in range(40)] + [f"pristine/{number}" for number in range(40)]
    originals = [f"pristine/{number}" for number in range(40)] + [None] * 40
    frame = _frame(ids, labels * 2, ["train"] * 80, originals)
    assert not id_order.check(frame).findings


def test_too_few_cells_are_not_checked() -> None:
    few = _frame(["1", "2", "3"], ["LY", "LY", "MO"], ["train"] * 3)
    assert "fewer than 20" in id_order.check(few).not_checked
    none = _frame([str(i) for i in range(30)], [None] * 30, ["test"] * 30)
    assert id_order.check(none).not_checked
