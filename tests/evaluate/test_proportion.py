"""Exact limits of a proportion, against scipy's and against Rumke's table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from buffycoat.errors import ShapeError
from buffycoat.evaluate.proportion import clopper_pearson


@given(st.integers(1, 2000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_limits_equal_scipys(n: int, share: float, level: float) -> None:
    count = round(share * n)
    want = binomtest(count, n).proportion_ci(level, method="exact")
    low, high = clopper_pearson(count, n, level)
    assert low == pytest.approx(want.low, abs=1e-9)
    assert high == pytest.approx(want.high, abs=1e-9)


@given(st.integers(1, 50), st.floats(0.01, 0.99))
def test_a_fraction_of_an_event_has_the_limits_of_the_beta_distribution(n: int, share: float):
    """Below one event, and above all but one, too: there a bound to whole events would cut in."""
    for count in (share, n * share, n - share):
        low, high = clopper_pearson(np.array(count), n)
        assert float(low) == pytest.approx(beta.ppf(0.025, count, n - count + 1), abs=1e-9)
        assert float(high) == pytest.approx(beta.ppf(0.975, count + 1, n - count), abs=1e-9)


@pytest.mark.parametrize(
    ("percent", "n", "low", "high"),
    [(0, 100, 0, 4), (1, 100, 0, 6), (10, 100, 4, 18), (50, 100, 39, 61), (5, 200, 2, 10)],
)
def test_limits_are_those_of_rumkes_table(percent: int, n: int, low: int, high: int) -> None:
    """The table gives whole percents: the lower limit down to one, the upper one up."""
    found = clopper_pearson(percent * n // 100, n)
    assert np.floor(100 * found[0]) == low
    assert np.ceil(100 * found[1]) == high


def test_arrays_broadcast_and_no_trials_say_nothing() -> None:
    low, high = clopper_pearson(np.array([0, 3, 10]), 10)
    assert low.shape == (3,)
    assert (low[0], high[-1]) == (0, 1)
    assert (np.diff(low) > 0).all()
    assert [float(end) for end in clopper_pearson(0, 0)] == [0, 1]


@pytest.mark.parametrize(("count", "n"), [(-1, 5), (6, 5), (np.nan, 5)])
def test_impossible_counts_are_refused(count: float, n: int) -> None:
    with pytest.raises(ShapeError, match="count"):
        clopper_pearson(np.array([count]), n)
