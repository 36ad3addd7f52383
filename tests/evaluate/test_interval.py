"""What an interval may be, whatever the cells: it has a width, and it holds its estimate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from buffycoat.errors import ShapeError
from buffycoat.evaluate.compare import compare
from buffycoat.evaluate.interval import IMAGE_LEVEL, Basis, Interval
from buffycoat.evaluate.summary import evaluate
from buffycoat.taxonomy import CellClass, Taxonomy

BASIS = Basis(0.95, IMAGE_LEVEL, 10, None)
OF_THREE = Taxonomy("three", tuple(CellClass(c, c, "other") for c in ("A", "B", "C")))


def made(estimate: float, low: float | None, high: float | None) -> Interval:
    return Interval(estimate, low, high, 0.95, IMAGE_LEVEL, 10, None, "by hand")


@pytest.mark.parametrize(
    ("estimate", "low", "high"),
    [(1.0, 1.0, 1.0), (0.912, 0.501, 0.625), (0.5, 0.6, 0.7), (0.5, None, 0.7), (0.5, 0.4, np.nan)],
)
def test_an_interval_that_lies_is_refused(
    estimate: float, low: float | None, high: float | None
) -> None:
    with pytest.raises(ShapeError, match="interval"):
        made(estimate, low, high)


def test_no_interval_is_neither_above_nor_below_anything() -> None:
    assert made(0.5, 0.1, 0.7).is_from(0.1)
    assert not made(0.5, None, None).is_from(-1)
    assert made(0.5, 0.1, 0.7).in_words("+.2f") == "+0.50 (+0.10 to +0.70)"


def test_ends_are_moved_to_hold_the_estimate_and_draws_that_agree_give_none() -> None:
    of = BASIS.around(0.9, (0.5, 0.8), "draws")
    assert (of.low, of.high) == (0.5, 0.9)
    for estimate, ends in ((1.0, (1.0, 1.0)), (0.5, (np.nan, np.nan)), (np.nan, (0.1, 0.2))):
        of = BASIS.around(estimate, ends, "draws")
        assert of.low is of.high is None
        assert "not estimable" in of.method


def intervals_in(record: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every interval anywhere in a record."""
    if isinstance(record, dict):
        if {"estimate", "low", "high"} <= record.keys():
            yield path, record
        for key, value in record.items():
            yield from intervals_in(value, f"{path}/{key}")
    elif isinstance(record, list):
        for number, value in enumerate(record):
            yield from intervals_in(value, f"{path}/{number}")


def check(record: dict[str, Any], is_by_patient: bool) -> None:
    """By patient, and of a single class, a score may be the same in every draw: no interval."""
    found = list(intervals_in(record))
    assert found
    for path, of in found:
        if of["low"] is None:
            assert is_by_patient or len(record["absent"]) == 2, f"{path} has no interval"
            continue
        assert of["low"] < of["high"], path
        assert of["low"] <= of["estimate"] <= of["high"], path


tables = arrays(np.int64, (3, 3), elements=st.integers(0, 6)).filter(lambda t: t.sum() > 0)


def cells_of(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, calls = (np.repeat(part.ravel(), table.ravel()) for part in np.indices(table.shape))
    return truth, calls


@given(tables, st.lists(st.integers(0, 900), min_size=3, max_size=3).filter(any), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_interval_of_any_confusion_lies(
    table: np.ndarray, counts: list[int], is_by_patient: bool
) -> None:
    truth, calls = cells_of(table)
    probs = np.eye(3)[calls] * 0.7 + 0.1
    patients = np.arange(len(truth)) % 6 if is_by_patient else None
    record = evaluate(
        probs,
        truth,
        OF_THREE,
        train_counts=dict(zip("ABC", counts, strict=True)),
        severity=np.arange(len(truth)) % 2,
        patients=patients,
    )
    check(record, record["n_patients"] is not None)


@pytest.mark.parametrize(
    "table",
    [
        np.diag([7, 7, 7]),
        np.diag([1, 1, 1]),
        np.diag([5, 0, 0]),
        np.roll(np.diag([7, 7, 7]), 1, axis=1),
        np.array([[5, 0, 0], [5, 0, 0], [5, 0, 0]]),
        np.array([[7, 0, 0], [0, 0, 7], [0, 0, 0]]),
    ],
    ids=["all right", "one cell a class", "one class", "all wrong", "one call", "a class absent"],
)
def test_no_interval_of_the_degenerate_lies(table: np.ndarray) -> None:
    truth, calls = cells_of(table)
    counts = {"A": 950, "B": 40, "C": 10}
    check(evaluate(calls, truth, OF_THREE, counts), False)
    check(compare(truth, calls, calls, OF_THREE, n_resamples=300), False)
    check(compare(truth, calls, truth, OF_THREE, n_resamples=300), False)


@given(tables, st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=40, deadline=None)
def test_no_interval_of_a_comparison_lies(
    table: np.ndarray, seed: int, is_by_patient: bool
) -> None:
    truth, calls = cells_of(table)
    rng = np.random.default_rng(seed)
    other = np.where(rng.random(len(calls)) < 0.2, rng.integers(0, 3, len(calls)), calls)
    patients = np.arange(len(truth)) % 6 if is_by_patient else None
    check(compare(truth, calls, other, OF_THREE, patients, n_resamples=300), is_by_patient)


def test_the_kinds_of_the_first_reports() -> None:
    """7 of 7 right said "1.000 - 1.000", one of two classes right "0.500 (0.500 - 0.500)"."""
    all_right = evaluate(np.array([0, 0, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 1, 2, 2, 2]), OF_THREE)
    assert all_right["accuracy"]["low"] == pytest.approx(0.590, abs=0.001)  # Clopper-Pearson
    assert all_right["macro_f1"]["low"] < 0.7
    half = evaluate(np.zeros(14, dtype=int), np.repeat([0, 1], 7), OF_THREE)
    of = half["balanced_accuracy"]
    assert of["estimate"] == 0.5
    assert of["low"] < 0.45
    assert of["high"] > 0.55
