"""Precision against recall for each class, and the area under that curve.

A rare class needs them: an ROC curve hides how many frequent cells are called rare. Cells of equal
score are one step of the curve, so that the order of the rows never matters. Average precision is
scikit-learn's: each step's gain in recall times its precision, without interpolation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.evaluate.bootstrap import UNSEEN, in_words
from buffycoat.evaluate.calibration import check_probs
from buffycoat.evaluate.class_table import too_few
from buffycoat.evaluate.draws import Seed, draw_counts, group_numbers
from buffycoat.evaluate.interval import (
    IMAGE_LEVEL,
    NOT_ESTIMABLE,
    PATIENT_LEVEL,
    Basis,
    Interval,
    percentile_ends,
)

Array = np.ndarray[Any, Any]

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
    """Average precision of each class with its interval.

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
        For each class its interval, or "not estimable" where it has too few cells or patients, or
        where there is no cell of another class: any ranking is then perfect.
        Half a cell more of the class stands last for the lower end and first for the upper.

    Raises:
        ShapeError: Not probabilities, the lengths differ, or a cell has no patient.
    """
    probs, targets = check_probs(y_prob, y_true)
    n = len(targets)
    rng = np.random.default_rng(seed)
    n_groups, number = (None, None) if groups is None else group_numbers(groups, n)
    by_image = _drawn_areas(targets, probs, n_resamples, lambda rows: _draw(targets, rows, rng))
    by_patient = None
    if n_groups is not None and number is not None:
        by_patient = _drawn_areas(
            targets, probs, n_resamples, lambda rows: draw_counts(n_groups, rows, rng)[:, number]
        )
    unit = IMAGE_LEVEL if n_groups is None else PATIENT_LEVEL
    basis = Basis(level, unit, n, n_groups)
    method = in_words(n_groups, n_resamples, f"{UNSEEN:g} cells more, ranked last or first")
    found: list[Interval | str] = []
    for column, estimate in enumerate(average_precision(targets, probs)):
        is_class = targets == column
        patients = None if number is None else len(np.unique(number[is_class]))
        if is_class.all() or too_few(int(is_class.sum()), patients):
            found.append(NOT_ESTIMABLE)
            continue
        area = by_image[:, column]
        seen = rng.beta(is_class.sum(), UNSEEN, n_resamples)  # the rest has not been seen
        ends = percentile_ends(area * seen, area * seen + 1 - seen, level)
        drawn = None if by_patient is None else by_patient[:, column]
        found.append(basis.around(float(estimate), ends, method, drawn))
    return found


def _drawn_areas(targets: Array, probs: Array, n_draws: int, draw: Callable[[int], Array]) -> Array:
    """Average precision of each class in each draw, shape (n_draws, k).

    Args:
        targets: Shape (n,), true column index.
        probs: Shape (n, k).
        n_draws: Number of draws.
        draw: Makes weights of the cells, shape (rows, n), for so many rows.
    """
    k, n = probs.shape[1], len(targets)
    steps = [_steps(probs[:, column]) for column in range(k)]
    areas = np.empty((n_draws, k))
    at_once = max(_CHUNK // n, 1)
    for start in range(0, n_draws, at_once):
        weights = draw(min(at_once, n_draws - start))
        for column, (order, last) in enumerate(steps):
            curve = _along(weights[:, order], (targets == column)[order], last)
            areas[start : start + len(weights), column] = _area(*curve)
    return areas


def _draw(targets: Array, n_draws: int, rng: np.random.Generator) -> Array:
    """Weight of each cell, those of a class sum to its count, shape (n_draws, n)."""
    weights = rng.standard_exponential((n_draws, len(targets)))
    for column in np.unique(targets):
        members = np.flatnonzero(targets == column)
        weights[:, members] *= len(members) / weights[:, members].sum(axis=1, keepdims=True)
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
