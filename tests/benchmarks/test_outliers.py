from __future__ import annotations

import numpy as np
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from benchmarks import outliers, outliers_retrained
from buffycoat.config import load
from buffycoat.embed.outliers import OF_EMBEDDINGS
from buffycoat.taxonomy import PBC


def test_areas_are_those_of_scikit_learn_for_every_sample() -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [8, 6, 5])
    scores = rng.integers(0, 9, len(targets)).astype(float)  # with ties
    weights = outliers.draw(targets)[:20]
    found = outliers.areas(scores, targets == 1, weights)
    expected = [roc_auc_score(targets == 1, scores, sample_weight=w) for w in weights]
    np.testing.assert_allclose(found, expected)
    assert (weights[0] == 1).all()
    assert (weights[:, targets == 1].sum(axis=1) == 6).all()


def test_a_class_left_out_is_not_learned_and_has_a_row() -> None:
    rng = np.random.default_rng(0)
    k = len(PBC.codes)
    centres = rng.normal(size=(k, 24))
    cells = []
    for count in (12, 6):
        targets = np.repeat(np.arange(k), count)
        rows = centres[targets] + 0.2 * rng.normal(size=(len(targets), 24))
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cells.append(outliers.Cells(unit.astype(np.float32), targets))
    learned, scored = cells
    scores = outliers.leave_one_out(learned, scored, k)
    record = outliers.to_dict(outliers.table(scores, scored.targets, PBC.codes))
    assert list(record["auroc"]) == [*PBC.codes, *outliers.GROUPS]
    for name in OF_EMBEDDINGS:
        assert all(row[name]["estimate"] > 0.8 for row in record["auroc"].values())
    assert outliers.to_markdown(record["auroc"]).count("\n") == 1 + k + len(outliers.GROUPS)


def test_a_classifier_that_is_sure_of_nothing_finds_a_cell_strange() -> None:
    logits = np.array([[9.0, 0, 0], [0.1, 0, 0], [-9, -9, -9]])
    found = outliers_retrained.own_scores(logits)
    assert list(found) == list(outliers_retrained.OWN)
    energy, doubt = found.values()
    assert energy[0] < energy[1] < energy[2]
    np.testing.assert_allclose(doubt[2], 2 / 3)
    assert doubt[0] < 0.001 < doubt[1] < doubt[2]


def test_a_network_trained_without_a_class_is_kept_and_scores_its_cells(tmp_path) -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(3), 6)
    images = rng.integers(0, 60, (18, 40, 40, 3)).astype(np.uint8)
    images += (80 * targets).astype(np.uint8)[:, None, None, None]
    cells = outliers_retrained.Cells(images, targets)
    config = load(
        "cpu", [*outliers_retrained.RECIPE, "classify.input_px=32", "classify.epochs=1"]
    ).classify
    file = tmp_path / "without.safetensors"
    found = outliers_retrained.score_without(1, cells, cells, 3, config, file)
    assert set(found) == {*OF_EMBEDDINGS, *outliers_retrained.OWN}
    assert all(np.isfinite(values).all() and len(values) == 18 for values in found.values())
    assert load_file(file)["classifier.weight"].shape[0] == 2
    written = file.stat().st_mtime_ns
    again = outliers_retrained.score_without(1, cells, cells, 3, config, file)
    assert file.stat().st_mtime_ns == written
    assert all(np.array_equal(found[name], again[name]) for name in found)
