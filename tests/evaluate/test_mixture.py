"""The mix behind the calls: exact where it can be known, and never below 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from buffycoat.errors import ShapeError
from buffycoat.evaluate import mixture
from buffycoat.evaluate.proportion import clopper_pearson

ALL = np.ones(3, dtype=bool)
EACH = np.eye(3, dtype=bool)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_the_mix_is_found_again_from_calls_in_its_own_proportion(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rates = 0.6 * np.eye(k) + 0.4 * rng.dirichlet(np.ones(k), k)
    mix = rng.dirichlet(np.full(k, 0.7))
    found = mixture.estimate_mix(1000 * mix @ rates, rates)
    np.testing.assert_allclose(found, mix, atol=1e-3)


def test_two_classes_are_rogan_and_gladens_and_never_below_zero() -> None:
    sensitivity, specificity = 0.9, 0.8
    rates = np.array([[specificity, 1 - specificity], [1 - sensitivity, sensitivity]])
    for called in (0.25, 0.5, 0.89):
        want = (called + specificity - 1) / (sensitivity + specificity - 1)
        found = mixture.estimate_mix(np.array([1 - called, called]) * 100, rates)
        assert found[1] == pytest.approx(want, abs=1e-4)
    assert mixture.estimate_mix(np.array([90, 10]), rates)[1] == pytest.approx(0, abs=1e-3)


def test_the_mix_is_the_likeliest() -> None:
    rng = np.random.default_rng(0)
    rates = 0.7 * np.eye(4) + 0.3 * rng.dirichlet(np.ones(4), 4)
    counts = np.array([40, 1, 0, 19])
    found = mixture.estimate_mix(counts, rates)

    def loss(x: np.ndarray) -> float:
        mix = np.exp(x - x.max())
        return -float(counts @ np.log(mix / mix.sum() @ rates))

    want = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6}).fun
    assert -float(counts @ np.log(found @ rates)) <= want + 1e-3
    assert found.sum() == pytest.approx(1)


def test_many_groups_at_once_and_one_without_cells() -> None:
    rates = mixture.call_rates(np.array([[40, 5, 0], [3, 50, 2], [0, 6, 30]]))
    counts = np.array([[30, 5, 5], [0, 0, 0], [1, 9, 90]])
    found = mixture.estimate_mix(counts, rates)
    assert np.isnan(found[1]).all()
    for row in (0, 2):
        np.testing.assert_allclose(found[row], mixture.estimate_mix(counts[row], rates), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_group_depends_on_the_others(seed: int) -> None:
    """One class alone, on the edge of the simplex, takes far longer than a mix within it."""
    rng = np.random.default_rng(seed)
    rates = mixture.call_rates(rng.integers(0, 30, (6, 6)) + 60 * np.eye(6, dtype=int))
    counts = np.vstack([rng.multinomial(200, np.ones(6) / 6, 4), 100 * np.eye(6, dtype=int)[2]])
    together = mixture.estimate_mix(counts.reshape(1, 5, 6), rates)[0]
    alone = [mixture.estimate_mix(row, rates) for row in counts]
    np.testing.assert_allclose(together, alone, atol=1e-9)


def test_a_class_with_few_labelled_cells_is_taken_as_called_right() -> None:
    table = np.array([[40, 5, 0], [2, 2, 0], [0, 6, 30]])
    assert mixture.is_known(table).tolist() == [True, False, True]
    for rates in (mixture.call_rates(table), mixture.draw_call_rates(table, 5, 0)[2]):
        assert rates[1].tolist() == [0, 1, 0]
        np.testing.assert_allclose(rates.sum(axis=1), 1)
    drawn = mixture.draw_call_rates(table, 20_000, 0)
    np.testing.assert_allclose(drawn.mean(axis=0), mixture.call_rates(table), atol=0.003)


@pytest.mark.parametrize("counts", [[60, 30, 10], [100, 0, 0], [0, 3, 97]])
def test_without_errors_limits_are_those_of_counting(counts: list[int]) -> None:
    perfect = np.broadcast_to(np.eye(3), (40_000, 3, 3))
    low, high = mixture.share_limits(np.array(counts), perfect, EACH, ALL, seed=1)
    want = clopper_pearson(np.array(counts), 100)
    np.testing.assert_allclose(low, want[0], atol=0.004)
    np.testing.assert_allclose(high, want[1], atol=0.004)


def test_a_sum_of_classes_has_the_limits_of_their_sum() -> None:
    perfect = np.broadcast_to(np.eye(3), (40_000, 3, 3))
    both = np.array([[False, True, True]])
    for counts in ([90, 7, 3], [100, 0, 0]):
        found = mixture.share_limits(np.array(counts), perfect, both, ALL, seed=1)
        want = clopper_pearson(sum(counts[1:]), 100)
        np.testing.assert_allclose(np.ravel(found), want, atol=0.004)


def test_a_class_outside_the_whole_is_a_ratio_to_it() -> None:
    perfect = np.broadcast_to(np.eye(3), (40_000, 3, 3))
    whole = np.array([True, True, False])
    low, high = mixture.share_limits(np.array([60, 30, 10]), perfect, EACH, whole, seed=1)
    p_low, p_high = (float(end) for end in clopper_pearson(10, 100))
    assert low[2] == pytest.approx(p_low / (1 - p_low), abs=0.005)
    assert high[2] == pytest.approx(p_high / (1 - p_high), abs=0.005)
    inside = clopper_pearson(60, 90)
    np.testing.assert_allclose([low[0], high[0]], np.ravel(inside), atol=0.004)
    nothing = mixture.share_limits(np.array([0, 0, 10]), perfect[:500], EACH, whole, seed=1)
    assert nothing[1][2] == np.inf
    assert (nothing[0][0], nothing[1][0]) == (0, 1)


def test_few_labelled_cells_widen_the_limits() -> None:
    counts = np.array([50, 30, 20])
    rates = 0.8 * np.eye(3) + 0.2 / 3
    widths = []
    for labelled in (12, 120, 12_000):
        drawn = mixture.draw_call_rates(rates * labelled, 2000, 0)
        low, high = mixture.share_limits(counts, drawn, EACH, ALL, seed=0)
        widths.append(high - low)
    assert (widths[0] > widths[1]).all()
    assert (widths[1] > widths[2]).all()
    low, high = clopper_pearson(counts, 100)
    assert (widths[2] > high - low).all()  # errors cost cells even if they are known


def test_limits_follow_from_the_seed_and_bad_counts_are_refused() -> None:
    drawn = mixture.draw_call_rates(np.eye(3) * 30, 200, 0)
    first, again, other = (
        mixture.share_limits(np.array([5, 3, 2]), drawn, EACH, ALL, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (np.array(first) != np.array(other)).any()
    with pytest.raises(ShapeError, match="counts"):
        mixture.share_limits(np.array([5, 3]), drawn, EACH, ALL, 0)
