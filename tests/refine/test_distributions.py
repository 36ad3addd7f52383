from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.errors import BundleError
from buffycoat.refine.distributions import LEVELS, Distributions
from buffycoat.refine.features import NAMES

F = len(NAMES)


def _fit() -> Distributions:
    """Class 0: 101 cells with features 0 to 1; class 1: six cells; class 2: four; class 3: none."""
    targets = np.repeat([0, 1, 2], [101, 6, 4])
    features = np.tile(np.concatenate([np.linspace(0, 1, 101), np.arange(6), np.arange(4)]), (F, 1))
    return Distributions.fit(features.T, targets, 4)


def test_a_percentile_is_the_share_of_the_class_below():
    usual = _fit()
    found = usual.percentiles(np.linspace(0.2, 0.8, F), 0)
    np.testing.assert_allclose(found, np.linspace(20, 80, F), atol=0.5)
    assert usual.percentiles(np.full(F, 9.0), 0) == pytest.approx(99)
    assert usual.percentiles(np.full(F, -9.0), 0) == pytest.approx(1)


def test_a_value_that_all_cells_share_lies_amid_them():
    usual = Distributions.fit(np.full((40, F), 2.0), np.zeros(40, int), 1)
    assert usual.percentiles(np.full(F, 2.0), 0) == pytest.approx(50)


def test_too_few_cells_say_nothing():
    usual = _fit()
    low, high = usual.limits(0)
    assert low == pytest.approx(0.01)
    assert high == pytest.approx(0.99)
    assert np.isnan(usual.limits(1)).all()  # six cells have a median, but no 99th percentile
    assert usual.percentiles(np.full(F, 2.5), 1) == pytest.approx(50)
    for column in (2, 3):
        assert np.isnan(usual.percentiles(np.full(F, 1.0), column)).all()
    assert usual.counts[:, 0].tolist() == [101, 6, 4, 0]


def test_what_cannot_be_measured_has_no_percentile():
    features = np.full(F, 0.5)
    features[3] = np.nan
    assert np.flatnonzero(np.isnan(_fit().percentiles(features, 0))).tolist() == [3]


def test_it_comes_back_by_name_so_that_a_new_feature_shifts_no_column():
    usual = _fit()
    table = json.loads(json.dumps(usual.to_dict(), allow_nan=False))
    again = Distributions.from_dict(table)
    np.testing.assert_allclose(again.values, usual.values, rtol=1e-5)
    for part in ("values", "counts"):
        for row in table[part]:
            row.append(row.pop(0))  # as if the first feature had been the last
    table["names"].append(table["names"].pop(0))
    np.testing.assert_array_equal(Distributions.from_dict(table).values, again.values)
    table["names"][0] = "once_measured"
    older = Distributions.from_dict(table)
    assert np.isnan(older.values[:, 1]).all()
    np.testing.assert_array_equal(older.values[:, 2:], again.values[:, 2:])


def test_other_percentiles_are_refused():
    table = _fit().to_dict()
    with pytest.raises(BundleError, match="train again"):
        Distributions.from_dict(table | {"levels": list(LEVELS[:-1])})
    with pytest.raises(BundleError, match="incomplete"):
        Distributions.from_dict({})
