"""Scores of the form `f(y_true, y_pred)` and `f(y_true, y_prob)`, as scikit-learn's are.

For `sklearn.metrics.make_scorer`, cross-validation and notebooks; scores that scikit-learn has
itself, such as macro-F1, are not repeated. Labels may be codes or numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ShapeError
from buffycoat.evaluate import calibration, curves, metrics

Array = np.ndarray[Any, Any]
Labels = Array | Sequence[Any] | pd.Series


def specificity_score(
    y_true: Labels, y_pred: Labels, *, labels: Labels | None = None, is_macro: bool = True
) -> float | Array:
    """Share of the other classes' cells that are not called the class.

    Args:
        y_true: Shape (n,), true classes.
        y_pred: Shape (n,), predicted classes.
        labels: The classes, shape (k,); those in either array, sorted, if not given.
        is_macro: Mean over the classes, or shape (k,) in the order of `labels`.
    """
    found = metrics.per_class(_confusion(y_true, y_pred, labels)).specificity
    return float(found.mean()) if is_macro else found


def negative_predictive_value_score(
    y_true: Labels, y_pred: Labels, *, labels: Labels | None = None, is_macro: bool = True
) -> float | Array:
    """Share of the cells not called the class that are not of it, in the mix of these cells.

    Args:
        y_true: Shape (n,), true classes.
        y_pred: Shape (n,), predicted classes.
        labels: The classes, shape (k,); those in either array, sorted, if not given.
        is_macro: Mean over the classes, or shape (k,) in the order of `labels`.
    """
    found = metrics.per_class(_confusion(y_true, y_pred, labels)).npv
    return float(found.mean()) if is_macro else found


def balanced_macro_f1_score(y_true: Labels, y_pred: Labels) -> float:
    """Macro-F1 with each cell weighing 1 / n of its class, over the classes in the truth.

    Args:
        y_true: Shape (n,), true classes.
        y_pred: Shape (n,), predicted classes.
    """
    return float(metrics.class_weighted_macro_f1(_confusion(y_true, y_pred, None)))


def prior_weighted_macro_f1_score(
    y_true: Labels, y_pred: Labels, *, train_counts: Mapping[Any, int]
) -> float:
    """Macro-F1 as expected on a stream with the training prior.

    Args:
        y_true: Shape (n,), true classes.
        y_pred: Shape (n,), predicted classes.
        train_counts: Class -> training cells, for every class in either array.
    """
    labels = list(train_counts)
    counts = np.array([train_counts[label] for label in labels], dtype=float)
    return float(metrics.prior_weighted_macro_f1(_confusion(y_true, y_pred, labels), counts))


def ece_score(
    y_true: Labels,
    y_prob: Array,
    *,
    labels: Labels | None = None,
    n_bins: int = calibration.DEFAULT_BINS,
) -> float:
    """Expected calibration error of the top class, equal-mass bins; less is better.

    Args:
        y_true: Shape (n,), true classes.
        y_prob: Shape (n, k), rows sum to 1.
        labels: Class of each column, shape (k,); 0 to k - 1 if not given.
        n_bins: Most bins there can be.
    """
    return calibration.ece(y_prob, _columns(y_true, y_prob, labels), n_bins)


def classwise_ece_score(
    y_true: Labels,
    y_prob: Array,
    *,
    labels: Labels | None = None,
    n_bins: int = calibration.DEFAULT_BINS,
) -> float:
    """Mean over the classes of the calibration error of each one's probability.

    Args:
        y_true: Shape (n,), true classes.
        y_prob: Shape (n, k), rows sum to 1.
        labels: Class of each column, shape (k,); 0 to k - 1 if not given.
        n_bins: Most bins there can be.
    """
    targets = _columns(y_true, y_prob, labels)
    return float(calibration.classwise_ece(y_prob, targets, n_bins).mean())


def macro_average_precision_score(
    y_true: Labels, y_prob: Array, *, labels: Labels | None = None
) -> float:
    """Mean average precision over the classes in the truth.

    Args:
        y_true: Shape (n,), true classes.
        y_prob: Shape (n, k), rows sum to 1.
        labels: Class of each column, shape (k,); 0 to k - 1 if not given.
    """
    found = curves.average_precision(_columns(y_true, y_prob, labels), y_prob)
    return float(np.nanmean(found))


def _confusion(y_true: Labels, y_pred: Labels, labels: Labels | None) -> Array:
    truth, calls = np.asarray(y_true), np.asarray(y_pred)
    order = np.union1d(truth, calls) if labels is None else np.asarray(labels)
    return metrics.confusion(
        _places(truth, order, "y_true"), _places(calls, order, "y_pred"), len(order)
    )


def _columns(y_true: Labels, y_prob: Array, labels: Labels | None) -> Array:
    truth = np.asarray(y_true)
    order = np.arange(np.shape(y_prob)[-1]) if labels is None else np.asarray(labels)
    return _places(truth, order, "y_true")


def _places(values: Array, order: Array, name: str) -> Array:
    place = {label: number for number, label in enumerate(order.tolist())}
    unknown = sorted({str(value) for value in values.tolist() if value not in place})
    if unknown:
        raise ShapeError(f"{name}: holds {', '.join(unknown)}, which are not among the labels")
    return np.array([place[value] for value in values.tolist()], dtype=np.int64)
