from __future__ import annotations

from argparse import Namespace

import numpy as np
import pytest
from benchmarks.downstream import METHODS, Rows

from benchmarks import arms, downstream
from buffycoat.bundle import files
from buffycoat.learn import prepare
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.training_set import build_training_set
from buffycoat.progress import Silent
from buffycoat.sources.read import read

K = 4
CELLS = 80


@pytest.fixture
def rows() -> Rows:
    """Each cell twice; "both" mends half of the errors of "augmentation" in the second version."""
    rng = np.random.default_rng(0)
    truth = np.arange(CELLS) % K
    wrong = rng.random(CELLS) < 0.4
    missed = np.where(wrong, (truth + 1) % K, truth)
    mended = np.where(wrong & (np.arange(CELLS) % 2 == 0), truth, missed)
    second = np.arange(2 * CELLS) >= CELLS
    return Rows(
        targets=np.tile(truth, 2),
        cell=np.tile(np.arange(CELLS), 2),
        groups={"clean": ~second, "degraded": second, "all": second | True},
        calls={
            "augmentation": np.tile(missed, 2),
            "both": np.concatenate([missed, mended]),
        },
        is_restored=second,
    )


def test_differences_are_paired_and_of_the_right_sign(rows):
    table = downstream.tabulate(rows, K)
    same = table["clean"]["differences"]["both - augmentation"]
    assert same["estimate"] == 0
    assert same["low"] is None  # no cell tells them apart
    better = table["degraded"]["differences"]["both - augmentation"]
    assert 0 < better["low"] < better["estimate"] < better["high"]
    scores = table["degraded"]["macro_f1"]
    gain = scores["both"]["estimate"] - scores["augmentation"]["estimate"]
    assert better["estimate"] == pytest.approx(gain)


def test_arms_that_were_not_given_are_not_compared(rows):
    assert list(downstream.tabulate(rows, K)["all"]["differences"]) == ["both - augmentation"]


def test_versions_of_a_cell_are_one_observation(rows):
    table = downstream.tabulate(rows, K)
    assert (table["all"]["n"], table["all"]["cells"]) == (2 * CELLS, CELLS)
    once, twice = (table[name]["macro_f1"]["augmentation"] for name in ("clean", "all"))
    assert twice["high"] - twice["low"] == pytest.approx(once["high"] - once["low"], rel=0.15)


def test_shares_of_restored_cells_are_those_of_the_group(rows):
    table = downstream.tabulate(rows, K)
    shares = [table[name]["share_restored"] for name in ("clean", "degraded", "all")]
    assert shares == [0.0, 1.0, 0.5]


def test_each_training_cell_is_scored_by_the_model_that_has_not_seen_it(
    tiny_bundle, rendered_cells, tmp_path
):
    fitted = files.read(tiny_bundle)
    learned = read(rendered_cells).of_split("train")
    cells = prepare.load_cells(learned, fitted.config, None, Silent(), 0)
    store = StageStore(tmp_path / "stages")
    data = build_training_set(cells, fitted.taxonomy, fitted.config, store)
    folder = tiny_bundle.parent / "stages"
    models = arms.load_arms([f"none={folder}", f"augmentation={folder}"], data, fitted, "one")
    options = Namespace(cache=tmp_path, limit=None)
    found, temperatures = downstream.out_of_fold(data, models, fitted, options)
    assert list(found.calls) == list(METHODS)
    # The same models under two names agree wherever they see the same.
    assert np.array_equal(found.calls["none"], found.calls["augmentation"])
    row = int(np.flatnonzero(data.folds.fold == 1)[0])
    logits = models["none"].models[1].view_logits(cells.images[row : row + 1])
    assert found.calls["none"][row] == logits[0, 0].argmax()
    assert set(temperatures["none"]["original"]) == {0, 1}
    table = downstream.tabulate(found, len(fitted.taxonomy))
    assert "| augmentation - none |" in downstream.markdown(table)
