from __future__ import annotations

import numpy as np
import pytest

from benchmarks import refinement
from buffycoat.config import RefineConfig
from buffycoat.evaluate.metrics import confusion, prior_weighted_macro_f1
from buffycoat.refine.features import NAMES
from buffycoat.refine.rescue import Scores
from buffycoat.taxonomy import PBC

TAIL = ["PMY"]


def split(seed: int, is_folded: bool = True) -> refinement.Split:
    """PMY is called MY, by a little, wherever it is spiky."""
    rng = np.random.default_rng(seed)
    k = len(PBC)
    targets = np.repeat(np.arange(k), 30)
    probs = 0.9 * np.eye(k)[targets] + 0.1 / k
    pmy, my = PBC.codes.index("PMY"), PBC.codes.index("MY")
    missed = np.flatnonzero(targets == pmy)[:20]
    probs[missed] = 0.05 / k
    probs[missed, my], probs[missed, pmy] = 0.55, 0.40
    probs /= probs.sum(axis=1, keepdims=True)
    features = rng.normal(5, 1, (len(targets), len(NAMES)))
    folds = np.tile(np.arange(3), len(targets) // 3)
    groups = np.arange(len(targets))
    return refinement.Split(
        Scores(probs, None, features), targets, folds if is_folded else None, groups
    )


@pytest.mark.parametrize("is_folded", [True, False])
def test_ours_brings_back_what_the_classifier_misses(is_folded: bool) -> None:
    known, scored = split(0), split(1, is_folded)
    before = scored.scores.probs.argmax(axis=1)
    after, table = refinement.ours(known, scored, PBC, TAIL, RefineConfig())
    assert table[0]["is_on"]
    tail = np.array([PBC.codes.index("PMY")])
    found = refinement.row(scored, before, after, refinement.scorer(np.ones(len(PBC)), tail))
    assert found["corrected"] == 20
    assert found["spoiled"] == 0
    assert found["gain"]["macro_f1"][1] > 0
    assert found["after"]["tail_f1"][0] == pytest.approx(1)


def test_rules_of_a_fold_are_fitted_without_it() -> None:
    known = split(0)
    only = known.folds == 0  # missed cells lie in one fold alone: nothing to learn from elsewhere
    probs = known.scores.probs.copy()
    truth = known.targets
    right = ~only & (truth == PBC.codes.index("PMY"))
    probs[right] = 0.9 * np.eye(len(PBC))[truth[right]] + 0.1 / len(PBC)
    scores = Scores(probs, None, known.scores.features)
    scored = refinement.Split(scores, truth, known.folds, known.groups)
    after, _ = refinement.ours(scored, scored, PBC, TAIL, RefineConfig())
    assert np.array_equal(after, probs.argmax(axis=1))


def test_the_score_of_a_class_mix_is_the_prior_weighted_one() -> None:
    rng = np.random.default_rng(0)
    k = len(PBC)
    table = confusion(rng.integers(0, k, 400), rng.integers(0, k, 400), k)
    counts = rng.integers(1, 900, k)
    metric = refinement.scorer(counts / counts.sum(), np.array([0, 3]))
    assert metric(table)[0] == pytest.approx(prior_weighted_macro_f1(table, counts))
    assert metric(np.stack([table, table])).shape == (2, 2)


def test_another_class_mix_moves_the_scores_alone() -> None:
    known = split(0)
    mix = np.linspace(1, 2, len(PBC))
    moved = known.at(mix / mix.sum())
    assert not np.allclose(moved.scores.probs, known.scores.probs)
    np.testing.assert_allclose(moved.scores.probs.sum(axis=1), 1)
    assert moved.scores.features is known.scores.features
