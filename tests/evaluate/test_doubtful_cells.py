"""Differentials with and without doubtful cells."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffycoat.errors import ShapeError
from buffycoat.evaluate.differential import IMMATURE, differential
from buffycoat.evaluate.doubtful_cells import (
    BELOW,
    FLAGGED,
    GIVEN,
    NO_FLAG,
    NOT_EXCLUDED,
    ONLY_DOUBTFUL,
    REFUSED,
    check_doubt,
    flag,
)
from buffycoat.taxonomy import PBC

K = len(PBC)
CELL = st.tuples(st.integers(0, K - 1), st.sampled_from("abc"), st.booleans())


@settings(max_examples=40, deadline=None)
@given(st.lists(CELL, min_size=1, max_size=30), st.sampled_from([0.0, 0.5, 1.0]))
def test_figures_without_doubtful_cells_are_those_of_the_others(cells, most: float) -> None:
    calls, slides, doubtful = (np.array(part) for part in zip(*cells, strict=True))
    rows = check_doubt(calls, slides, PBC, doubtful, most=most)
    assert repr([row.every for row in rows]) == repr(differential(calls, slides, PBC))
    kept = {}
    if not doubtful.all():
        left = differential(calls[~doubtful], slides[~doubtful], PBC)
        kept = {(row.group, row.name): row for row in left}
    names = list(rows[0].to_dict())
    for row in rows:
        here = slides == row.every.group
        assert repr(row.kept) == repr(kept.get((row.every.group, row.every.name)))
        assert (row.n_cells, row.n_doubtful) == (here.sum(), doubtful[here].sum())
        assert (row.status == REFUSED) == (doubtful[here].mean() > most)
        flat = row.to_dict()
        assert list(flat) == names
        json.dumps(flat)
        if row.status == REFUSED:
            assert flat["raw_value"] is None
            assert flat["count"] == row.every.count
            assert flag(row, 2.0) == NO_FLAG


def test_no_doubt_at_all_changes_nothing() -> None:
    calls, slides = np.arange(K), np.full(K, "s")
    table = np.eye(K, dtype=int) * 50
    sure = np.zeros(K, bool)
    for row in check_doubt(calls, slides, PBC, sure, table, table, most=0.5):
        assert row.kept == row.every
        assert row.status == GIVEN


@pytest.mark.parametrize(
    ("n_immature", "n_doubtful", "n_others", "expected"),
    [
        (5, 0, 95, FLAGGED),
        (5, 1, 95, FLAGGED),
        (5, 4, 95, ONLY_DOUBTFUL),
        (5, 5, 95, ONLY_DOUBTFUL),
        (0, 0, 20, NOT_EXCLUDED),
        (0, 0, 2000, BELOW),
        (2, 2, 1, NO_FLAG),
    ],
)
def test_a_flag_that_rests_on_doubtful_cells_says_so(
    n_immature: int, n_doubtful: int, n_others: int, expected: str
) -> None:
    codes = ["PMY"] * n_immature + ["LY"] * n_others
    doubtful = np.arange(len(codes)) < n_doubtful
    calls, slides = PBC.encode(codes), np.full(len(codes), "s")
    rows = check_doubt(calls, slides, PBC, doubtful, most=0.5)
    (row,) = (row for row in rows if row.every.name == IMMATURE)
    assert flag(row, 2.0) == expected


def test_a_flag_of_the_cells_without_doubt_counts() -> None:
    """One PMY of 60 is under 2 %, and of the 40 that are not doubtful over it."""
    codes, doubtful = ["PMY"] + ["LY"] * 59, np.arange(60) >= 40
    rows = check_doubt(PBC.encode(codes), np.full(60, "s"), PBC, doubtful, most=0.5)
    (row,) = (row for row in rows if row.every.name == IMMATURE)
    assert row.every.raw.value < 2 <= (row.kept or row.every).raw.value
    assert flag(row, 2.0) == FLAGGED


def test_bad_input_is_refused() -> None:
    calls, slides = np.array([0, 1]), np.array(["s", "s"])
    for doubtful in (np.array([True]), np.array([1, 0])):
        with pytest.raises(ShapeError, match="doubtful"):
            check_doubt(calls, slides, PBC, doubtful, most=0.5)
