from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks import outliers
from buffycoat.embed.outliers import SCORES
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
    learned, judged = cells
    scores = outliers.leave_one_out(learned, judged, k)
    record = outliers.to_dict(outliers.table(scores, judged.targets, PBC.codes))
    assert list(record["auroc"]) == [*PBC.codes, *outliers.GROUPS]
    for name in SCORES:
        assert all(row[name]["estimate"] > 0.8 for row in record["auroc"].values())
    assert outliers.to_markdown(record["auroc"]).count("\n") == 1 + k + len(outliers.GROUPS)
