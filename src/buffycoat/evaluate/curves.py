"""Precision against recall for each class, and the area under that curve.

A rare class needs them: an ROC curve hides how many frequent cells are called rare. Cells of equal
score are one step of the curve, so that the order of the rows never matters. Average precision is
scikit-learn's: each step's gain in recall times its precision, without interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.evaluate.calibration import check_probs
from buffycoat.evaluate.class_table import NOT_ESTIMABLE, too_few
from buffycoat.evaluate.draws import Seed, group_numbers, in_words, percentile_ends
from buffycoat.evaluate.interval import IMAGE_LEVEL, PATIENT_LEVEL, Interval

Array = np.ndarray[Any, Any]

NO_WIDTH = "every resample gives the same, so the limits say nothing"
_CHUNK = 2_000_000
"""Weights held in memory at once: 16 MB."""


@dataclass(frozen=True)
class PrecisionRecall:
    """The curve of one class, from the strictest threshold on; arrays of shape (steps,).

    Attributes:
        threshold: Cells with at least this probability are called the class; falls.
        precision: Share of them that are of the class.
        recall: Share of the class's cells among them (sensitivity); rises to 1.
        average_precision: Area under the steps.
        n: Cells of the class.
    """

    threshold: Array
    precision: Array
    recall: Array
    average_precision: float
    n: int


def precision_recall(y_true: Array, y_prob: Array) -> list[PrecisionRecall]:
    """The curve of each class against all others.

    Args:
        y_true: Shape (n,), true column index.
        y_prob: Shape (n, k), rows sum to 1.

    Returns:
        k curves; recall and average precision are NaN for a class without cells.

    Raises:
        ShapeError: Not probabilities, or the lengths differ.
    """
    probs, targets = check_probs(y_prob, y_true)
    ones = np.ones(len(targets))
    curves = []
    for column in range(probs.shape[1]):
        order, last = _steps(probs[:, column])
        is_class = (targets == column)[order]
        precision, recall = _along(ones, is_class, last)
        area = float(_area(precision, recall))
        threshold = probs[order[last], column]
        curves.append(PrecisionRecall(threshold, precision, recall, area, int(is_class.sum())))
    return curves


def average_precision(y_true: Array, y_prob: Array) -> Array:
    """Average precision of each class against all others.

    Args:
        y_true: Shape (n,), true column index.
        y_prob: Shape (n, k), rows sum to 1.

    Returns:
        Shape (k,), 0 to 1; NaN for a class without cells.
    """
    return np.array([curve.average_precision for curve in precision_recall(y_true, y_prob)])


def average_precision_intervals(
    y_true: Array,
    y_prob: Array,
    groups: Array | None = None,
    *,
    n_resamples: int = 1000,
    seed: Seed = 0,
    level: float = 0.95,
) -> list[Interval | str]:
    """Average precision of each class with a percentile interval.

    Takes n_resamples * n * k steps: seconds for a thousand cells, minutes for fifty thousand.

    Args:
        y_true: Shape (n,), true column index.
        y_prob: Shape (n, k), rows sum to 1.
        groups: Shape (n,), patient of each cell, to be resampled whole; None resamples images
            within each class.
        n_resamples: Number of resamples.
        seed: Seed or generator.
        level: Probability mass of the intervals.

    Returns:
        For each class its interval, or "not estimable" where it has too few cells or patients. A
        class that is told without error has one of no width, and `method` says so.

    Raises:
        ShapeError: Not probabilities, the lengths differ, or a cell has no patient.
    """
    probs, targets = check_probs(y_prob, y_true)
    k, n = probs.shape[1], len(targets)
    rng = np.random.default_rng(seed)
    steps = [_steps(probs[:, column]) for column in range(k)]
    n_groups, number = (None, None) if groups is None else group_numbers(groups, n)
    drawn = np.empty((n_resamples, k))
    for start in range(0, n_resamples, max(_CHUNK // n, 1)):
        rows = min(max(_CHUNK // n, 1), n_resamples - start)
        weights = _draw(targets, n_groups, number, rows, rng)
        for column, (order, last) in enumerate(steps):
            curve = _along(weights[:, order], (targets == column)[order], last)
            drawn[start : start + rows, column] = _area(*curve)
    found: list[Interval | str] = []
    for column, estimate in enumerate(average_precision(targets, probs)):
        is_class = targets == column
        patients = None if number is None else len(np.unique(number[is_class]))
        low, high = percentile_ends(drawn[:, column], level)
        if too_few(int(is_class.sum()), patients):
            found.append(NOT_ESTIMABLE)
            continue
        unit = IMAGE_LEVEL if groups is None else PATIENT_LEVEL
        method = in_words(groups, groups is None, n_resamples)
        method += f"; {NO_WIDTH}" if low == high else ""
        found.append(Interval(float(estimate), low, high, level, unit, n, n_groups, method))
    return found


def _draw(
    targets: Array, n_groups: int | None, number: Array | None, rows: int, rng: np.random.Generator
) -> Array:
    """How often each cell is drawn, shape (rows, n)."""
    if n_groups is not None:
        return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), rows)[:, number]
    weights = np.empty((rows, len(targets)), dtype=np.int64)
    for column in np.unique(targets):
        members = np.flatnonzero(targets == column)
        count = len(members)
        weights[:, members] = rng.multinomial(count, np.full(count, 1 / count), rows)
    return weights


def _steps(score: Array) -> tuple[Array, Array]:
    """Rows from the highest score down, and the last place of each run of equal scores."""
    order = np.argsort(-score, kind="stable")
    falls = np.flatnonzero(np.diff(score[order]))
    return order, np.append(falls, len(score) - 1)


def _along(weights: Array, is_class: Array, last: Array) -> tuple[Array, Array]:
    """Precision and recall after each step, shape (..., steps); weights have shape (..., n)."""
    hits = np.cumsum(weights * is_class, axis=-1)[..., last]
    called = np.cumsum(weights, axis=-1)[..., last]
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = hits / hits[..., -1:]
        return np.where(called > 0, hits / called, 1.0), recall


def _area(precision: Array, recall: Array) -> Array:
    gained = np.diff(recall, axis=-1, prepend=0.0)
    return (gained * precision).sum(axis=-1)
