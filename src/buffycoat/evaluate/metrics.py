"""Scores of a confusion matrix, batched, and equal to scikit-learn's where it has them.

Every score takes confusions of shape (..., k, k), rows the truth and columns the prediction, and
gives shape (...), so that a thousand resamples are scored at once. A ratio 0 / 0 counts as 0, as
with `zero_division=0` in scikit-learn; but a macro-specificity without a cell of another class is
NaN, since 0 would say that all of them are called wrong.

A macro average is taken over one of three sets of classes (`over`):

- "all": the k classes of the taxonomy, as scikit-learn does when given `labels=range(k)`; a class
  that is neither in the truth nor predicted counts as 0.
- "union": classes in the truth or predicted, as scikit-learn does without `labels`, and so Kaggle.
- "truth": classes in the truth only.

The three agree when every class is in the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from buffycoat.errors import ShapeError

Over = Literal["all", "union", "truth"]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PerClass:
    """Scores of each class, shape (..., k) each.

    Attributes:
        precision: Share of the predictions of the class that are right.
        sensitivity: Share of the class's cells that are found (recall).
        specificity: Share of the other classes' cells that are not called this class.
        npv: Share of the cells not called this class that are not of it.
        f1: Harmonic mean of precision and sensitivity.
        support: Cells (or weight) of the class in the truth.
        called: Cells (or weight) that are called the class.
    """

    precision: Array
    sensitivity: Array
    specificity: Array
    npv: Array
    f1: Array
    support: Array
    called: Array


def confusion(targets: Array, predicted: Array, k: int, weights: Array | None = None) -> Array:
    """Count (or weigh) each pair of true and predicted class.

    Args:
        targets: Shape (n,), true column index.
        predicted: Shape (n,), predicted column index.
        k: Number of classes.
        weights: Shape (n,), weight of each cell; 1 each if not given.

    Returns:
        Shape (k, k), rows the truth; int64, or float64 with weights.

    Raises:
        ShapeError: The arrays differ in length, or hold an index outside 0 to k - 1.
    """
    truth = check_indices(targets, k, "targets")
    pairs = truth * k + check_indices(predicted, k, "predicted", like=truth)
    if weights is not None and np.shape(weights) != pairs.shape:
        raise ShapeError(f"weights: expected shape {pairs.shape}, got {np.shape(weights)}")
    return np.bincount(pairs, weights=weights, minlength=k * k).reshape(k, k)


def check_indices(values: Array, k: int, name: str, like: Array | None = None) -> Array:
    """Class indices as int64, or an error that says what is wrong with them.

    Args:
        values: Shape (n,), integers.
        k: Number of classes.
        name: Name of the argument, for the message.
        like: An array whose length `values` must have.

    Raises:
        ShapeError: Not one-dimensional integers in 0 to k - 1, or of another length than `like`.
    """
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ShapeError(
            f"{name}: expected (n,) class indices, got shape {array.shape}, {array.dtype}"
        )
    if like is not None and len(array) != len(like):
        raise ShapeError(f"{name}: expected {len(like)} cells as in targets, got {len(array)}")
    if array.size and not 0 <= array.min() <= array.max() < k:
        raise ShapeError(
            f"{name}: expected indices 0 to {k - 1}, got {array.min()} to {array.max()}"
        )
    return array.astype(np.int64)


def per_class(confusion: Array, undefined: float = 0.0) -> PerClass:
    """Precision, sensitivity, specificity, NPV, F1, support and calls of each class.

    Args:
        confusion: Shape (..., k, k), rows the truth.
        undefined: What a ratio 0 / 0 counts as.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    support = confusion.sum(axis=-1)
    called = confusion.sum(axis=-2)
    rest = 1 - np.eye(confusion.shape[-1])
    # Sums without the class itself: total less class is not quite 0 where weights are fractions.
    others, not_called = support @ rest, called @ rest
    return PerClass(
        precision=_ratio(hits, called, undefined),
        sensitivity=_ratio(hits, support, undefined),
        specificity=_ratio(others - (called - hits), others, undefined),
        npv=_ratio(not_called - (support - hits), not_called, undefined),
        f1=_ratio(2 * hits, support + called, undefined),
        support=support,
        called=called,
    )


def mean_of_classes(confusion: Array, name: str, columns: Sequence[int]) -> Array:
    """Mean of one score over some classes, shape (...); those without cells are left out.

    Args:
        confusion: Shape (..., k, k), rows the truth.
        name: A field of `PerClass`.
        columns: Of the classes.

    Returns:
        NaN where none of them has cells: a resample of patients may lack a class.
    """
    scores = per_class(confusion)
    values, has_cells = getattr(scores, name)[..., columns], scores.support[..., columns] > 0
    return _ratio((values * has_cells).sum(axis=-1), has_cells.sum(axis=-1), np.nan)


def predictive_values(
    confusion: Array, prevalence: Array | float, undefined: float = 0.0
) -> tuple[Array, Array]:
    """What a call, or no call, of each class is worth at a stated prevalence of the class.

    Bayes' rule on sensitivity and specificity. The mix of the other classes stays the split's; to
    set it too, hand in `reweighted(confusion, mix)` with `mix` as prevalence.

    Args:
        confusion: Shape (..., k, k), rows the truth.
        prevalence: Share of cells that are of the class, 0 to 1; one number or shape (k,).
        undefined: What a ratio 0 / 0 counts as.

    Returns:
        Positive and negative predictive value, shape (..., k) each.

    Raises:
        ShapeError: Prevalences that are no shares, or not one or k.
    """
    share = np.asarray(prevalence, dtype=float)
    if share.shape not in ((), confusion.shape[-1:]) or not ((share >= 0) & (share <= 1)).all():
        raise ShapeError(
            f"prevalence: expected one share from 0 to 1, or {confusion.shape[-1]}; "
            f"got {prevalence!r}"
        )
    scores = per_class(confusion, np.nan)
    found, missed = scores.sensitivity * share, (1 - scores.sensitivity) * share
    cleared, alarms = scores.specificity * (1 - share), (1 - scores.specificity) * (1 - share)
    return _ratio(found, found + alarms, undefined), _ratio(cleared, cleared + missed, undefined)


def accuracy(confusion: Array) -> Array:
    """Share of the cells that are called right; shape (...)."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def macro_f1(confusion: Array, over: Over = "all") -> Array:
    """Mean of the classes' F1; shape (...)."""
    return _average(per_class(confusion).f1, confusion, over)


def macro_precision(confusion: Array, over: Over = "all") -> Array:
    """Mean of the classes' precision; shape (...)."""
    return _average(per_class(confusion).precision, confusion, over)


def macro_specificity(confusion: Array, over: Over = "all") -> Array:
    """Mean of the classes' specificity; shape (...); NaN where the truth holds one class alone."""
    return _average(per_class(confusion, np.nan).specificity, confusion, over)


def balanced_accuracy(confusion: Array, over: Over = "truth") -> Array:
    """Mean of the classes' sensitivity; shape (...).

    Over the classes in the truth unless told otherwise, as scikit-learn's
    `balanced_accuracy_score` is.
    """
    return _average(per_class(confusion).sensitivity, confusion, over)


def class_weighted_macro_f1(confusion: Array) -> Array:
    """Balanced macro-F1: each cell weighs 1 / n of its class; shape (...).

    Over the classes in the truth, since a class without cells has no weight. With equal counts it
    is `macro_f1`.
    """
    return macro_f1(reweighted(confusion, np.ones(confusion.shape[-1])), over="truth")


def prior_weighted_macro_f1(confusion: Array, train_counts: Array) -> Array:
    """Macro-F1 as expected on a stream with the training prior; shape (...).

    Each cell weighs its class's share of the training cells over its class's count in the split.
    Over the classes that have both training cells and cells in the split: of the others' rows
    nothing is known.

    Args:
        confusion: Shape (..., k, k), rows the truth.
        train_counts: Shape (k,), training cells of each class.
    """
    return macro_f1(reweighted(confusion, prior_shares(train_counts, confusion)), over="truth")


def prior_shares(train_counts: Array, confusion: Array) -> Array:
    """Each class's share of the training cells.

    Args:
        train_counts: Shape (k,), non-negative.
        confusion: Shape (..., k, k), for its k.

    Raises:
        ShapeError: Not k non-negative counts with a positive sum.
    """
    counts = np.asarray(train_counts, dtype=float)
    k = confusion.shape[-1]
    if counts.shape != (k,) or not (counts >= 0).all() or counts.sum() <= 0:
        raise ShapeError(
            f"train_counts: expected {k} non-negative counts, not all 0; got {train_counts!r}"
        )
    return counts / counts.sum()


def reweighted(confusion: Array, mass: Array) -> Array:
    """The confusion with each row scaled to a given sum; an empty row stays empty.

    Args:
        confusion: Shape (..., k, k), rows the truth.
        mass: Shape (k,), the sum that each row shall have.

    Returns:
        Shape (..., k, k), float64.
    """
    support = confusion.sum(axis=-1)
    return confusion * _ratio(np.broadcast_to(mass, support.shape), support)[..., None]


def _ratio(part: Array, whole: Array, undefined: float = 0.0) -> Array:
    part = np.asarray(part, dtype=float)
    has_any = np.asarray(whole) > 0
    return np.divide(part, whole, out=np.full_like(part, undefined), where=has_any)


def _average(values: Array, confusion: Array, over: Over) -> Array:
    if over == "all":
        return values.mean(axis=-1)
    counted = confusion.sum(axis=-1) > 0
    if over == "union":
        counted = counted | (confusion.sum(axis=-2) > 0)
    return _ratio((values * counted).sum(axis=-1), counted.sum(axis=-1))
