from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffycoat.errors import ConfigError, ShapeError
from buffycoat.fuse.prior import apply_prior, estimate_prior, shares, uniform
from buffycoat.fuse.prior import given as given_mix

positive = st.lists(st.floats(1e-4, 1.0), min_size=3, max_size=3).map(
    lambda values: np.array(values) / sum(values)
)


def test_it_is_bayes() -> None:
    likelihood = np.array([[0.2, 0.5, 0.9]])
    before, after = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6])
    posterior = {name: likelihood * p for name, p in (("before", before), ("after", after))}
    probs = posterior["before"] / posterior["before"].sum()
    expected = posterior["after"] / posterior["after"].sum()
    np.testing.assert_allclose(apply_prior(probs, before, after), expected)


@given(positive, positive, positive)
def test_there_and_back_is_the_identity(p: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    there = apply_prior(p[None], a, b)
    assert there.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(apply_prior(there, b, a), p[None], rtol=1e-6, atol=1e-12)


def test_a_class_that_cannot_occur_gets_nothing_and_a_sure_row_stays_a_row() -> None:
    moved = apply_prior(np.array([[1.0, 0.0]]), uniform(2), np.array([0.0, 1.0]))
    assert moved.tolist() == [[0.0, 1.0]]


def test_a_class_without_cells_still_has_a_share() -> None:
    prior = shares(np.array([9, 0, 1]))
    assert prior.sum() == pytest.approx(1.0)
    assert (prior > 0).all()


@pytest.mark.parametrize(
    ("before", "after"),
    [([0.0, 1.0], [0.5, 0.5]), ([0.5, 0.5], [-0.5, 1.5]), ([0.5, np.nan], [0.5, 0.5])],
)
def test_priors_that_are_none_are_refused(before: list[float], after: list[float]) -> None:
    with pytest.raises(ConfigError, match="prior"):
        apply_prior(np.array([[0.5, 0.5]]), np.array(before), np.array(after))


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ShapeError, match="priors"):
        apply_prior(np.array([[0.5, 0.5]]), uniform(3), uniform(2))


def test_a_mix_is_stated_in_any_order_and_scale() -> None:
    assert given_mix("LY=30, SNE=60,PC=10", ["SNE", "LY", "PC"]) == pytest.approx([0.6, 0.3, 0.1])


def test_all_faults_of_a_mix_are_listed_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        given_mix("SNE=1,SNE=2,XX=1,LY=-3", ["SNE", "LY", "PC"])
    for part in ("SNE is named twice", "'XX' is no class", "'LY=-3'", "PC is missing"):
        assert part in str(caught.value)
    with pytest.raises(ConfigError, match="all classes are 0"):
        given_mix("SNE=0,LY=0", ["SNE", "LY"])


def test_the_class_mix_of_unlabelled_cells_is_found_by_calibrated_probabilities():
    rng = np.random.default_rng(0)
    truth = np.array([0.9, 0.08, 0.02])
    classes = rng.choice(3, size=20_000, p=truth)
    features = rng.normal(size=(20_000, 3)) + 2.5 * np.eye(3)[classes]
    # Under a uniform prior the log odds of Gaussians with one spread are linear.
    logits = 2.5 * features
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert estimate_prior(probs, uniform(3)) == pytest.approx(truth, abs=0.01)


def test_a_class_of_which_no_cell_is_there_keeps_half_a_cell():
    probs = np.tile([1.0, 0.0], (10, 1))
    assert estimate_prior(probs, uniform(2)) == pytest.approx([10 / 10.5, 0.5 / 10.5])
    with pytest.raises(ShapeError, match="at least one cell"):
        estimate_prior(probs[:0], uniform(2))
