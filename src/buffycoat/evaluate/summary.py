"""All figures on one split, as plain values for JSON, the report and the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ShapeError
from buffycoat.evaluate import calibration, metrics
from buffycoat.evaluate.bootstrap import Interval, Resamples, prior_weighted_interval, resample
from buffycoat.evaluate.maturation import stage_scores
from buffycoat.taxonomy import Taxonomy

Array = np.ndarray[Any, Any]

MIN_SUPPORT = 5
"""Cells of a class under which its own scores are not given: at 4, one cell is 25 points."""
NOT_ESTIMABLE = "not estimable"
UNKNOWN_SEVERITY = "unknown"


@dataclass(frozen=True)
class _Split:
    """What is scored, with the draws that all intervals share."""

    targets: Array
    predicted: Array
    taxonomy: Taxonomy
    patients: Array | None
    seed: int
    resamples: Resamples

    @property
    def confusion(self) -> Array:
        return self.resamples.observed


def evaluate(
    scores: Array | Sequence[str],
    targets: Array | Sequence[str],
    taxonomy: Taxonomy,
    train_counts: Mapping[str, int] | None = None,
    severity: Sequence[Any] | Array | pd.Series | None = None,
    patients: Sequence[Any] | Array | pd.Series | None = None,
    seed: int = 0,
    labels: Array | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Score predictions on one split.

    Macro averages are over the classes that the split holds (`over="truth"` in `metrics`); the
    others are listed under "absent". Macro-F1 here equals scikit-learn's when none is absent.

    Args:
        scores: Probabilities, shape (n, k) in taxonomy order; or predicted classes, shape (n,),
            as column indices or codes.
        targets: Shape (n,), true classes as column indices or codes.
        taxonomy: The classes.
        train_counts: Training cells of each code; gives the bands and the prior-weighted score.
        severity: Shape (n,), 0 to 4, NA where unknown.
        patients: Shape (n,). If one is missing, all intervals are image-level.
        seed: Seed of the resampling.
        labels: Shape (n,), final classes where a rule may have changed the top class of `scores`.

    Returns:
        Plain values only, no NaN. "level" says whether the intervals are image-level or
        patient-level; an interval is `Interval.to_dict()`, or "not estimable".

    Raises:
        ShapeError: Arrays do not fit each other.
        TaxonomyError: A code is not in the taxonomy.
    """
    table = np.asarray(scores)
    probs = table if table.ndim == 2 else None
    if probs is not None and probs.shape[1] != len(taxonomy):
        raise ShapeError(f"scores: expected {len(taxonomy)} columns, got shape {probs.shape}")
    truth = _indices(targets, taxonomy)
    if labels is not None:
        predicted = _indices(labels, taxonomy)
    else:
        predicted = _indices(table, taxonomy) if probs is None else probs.argmax(axis=1)
    groups = _known_patients(patients)
    resamples = resample(truth, predicted, len(taxonomy), groups, seed=seed)
    split = _Split(truth, predicted, taxonomy, groups, seed, resamples)
    counts = None if train_counts is None else _count_array(train_counts, taxonomy)
    return {
        **_overall(split, counts),
        "per_class": _class_rows(split, train_counts),
        "by_severity": [] if severity is None else _severity_rows(split, severity),
        "by_band": [] if train_counts is None else _band_rows(split, train_counts),
        "by_maturation": stage_scores(split.confusion, taxonomy),
        "calibration": None if probs is None else _calibration(probs, split),
        "codes": list(taxonomy.codes),
        "confusion": split.confusion.tolist(),
    }


def _overall(split: _Split, train_counts: Array | None) -> dict[str, Any]:
    c, of = split.confusion, split.resamples
    absent = [code for code, n in zip(split.taxonomy.codes, c.sum(axis=1), strict=True) if n == 0]
    row: dict[str, Any] = {
        "n": int(c.sum()),
        "n_patients": of.n_groups,
        "level": of.unit,
        "interval_method": of.method,
        "absent": absent,
        "macro_f1": of.interval(_macro_f1).to_dict(),
        "balanced_macro_f1": of.interval(metrics.class_weighted_macro_f1).to_dict(),
        "prior_weighted_macro_f1": None,
        "balanced_accuracy": of.interval(metrics.balanced_accuracy).to_dict(),
        "macro_precision": of.interval(_macro_precision).to_dict(),
        "macro_specificity": of.interval(_macro_specificity).to_dict(),
        "accuracy": of.interval(metrics.accuracy).to_dict(),
    }
    if train_counts is not None:
        interval = prior_weighted_interval(c, train_counts, seed=split.seed)
        row["prior_weighted_macro_f1"] = interval.to_dict()
    return row


def _class_rows(split: _Split, train_counts: Mapping[str, int] | None) -> list[dict[str, Any]]:
    of_class = metrics.per_class(split.confusion)
    intervals = split.resamples.intervals(lambda c: metrics.per_class(c).f1)
    bands = {} if train_counts is None else split.taxonomy.bands(train_counts)
    rows = []
    for i, cell in enumerate(split.taxonomy.classes):
        support = int(of_class.support[i])
        is_enough = support >= MIN_SUPPORT
        row: dict[str, Any] = {"code": cell.code, "name": cell.name, "support": support}
        row |= {"band": bands.get(cell.code), "n_train": None}
        if train_counts is not None:
            row["n_train"] = int(train_counts.get(cell.code, 0))
        for name in ("precision", "sensitivity", "specificity", "f1"):
            row[name] = float(getattr(of_class, name)[i]) if is_enough else NOT_ESTIMABLE
        row["f1_interval"] = _interval_or_not(intervals[i]) if is_enough else NOT_ESTIMABLE
        rows.append(row)
    return rows


def _interval_or_not(interval: Interval) -> dict[str, Any] | str:
    """A class without an error to resample would get an interval of width 0, which is no news."""
    return interval.to_dict() if interval.high > interval.low else NOT_ESTIMABLE


def _severity_rows(split: _Split, severity: Any) -> list[dict[str, Any]]:
    values = np.asarray(severity, dtype=object)
    if values.shape != split.targets.shape:
        raise ShapeError(f"severity: expected {len(split.targets)} cells, got {values.shape}")
    known = np.where(pd.isna(values), -1, values).astype(float)
    rows = []
    levels = np.unique(known)
    for level in [*levels[levels >= 0], *levels[levels < 0]]:
        of = _resample_rows(split, known == level)
        rows.append(
            {
                "severity": UNKNOWN_SEVERITY if level < 0 else float(level),
                "n": int(of.observed.sum()),
                "classes": int((of.observed.sum(axis=1) > 0).sum()),
                "balanced_macro_f1": of.interval(metrics.class_weighted_macro_f1).to_dict(),
                "balanced_accuracy": of.interval(metrics.balanced_accuracy).to_dict(),
            }
        )
    return rows


def _resample_rows(split: _Split, keep: Array) -> Resamples:
    groups = None if split.patients is None else split.patients[keep]
    k = len(split.taxonomy)
    return resample(split.targets[keep], split.predicted[keep], k, groups, seed=split.seed)


def _band_rows(split: _Split, train_counts: Mapping[str, int]) -> list[dict[str, Any]]:
    bands = split.taxonomy.bands(train_counts)
    support = split.confusion.sum(axis=1)
    rows = []
    for band in ("head", "medium", "tail"):
        columns = [
            i
            for i, code in enumerate(split.taxonomy.codes)
            if bands[code] == band and support[i] > 0
        ]
        if not columns:
            continue
        of = split.resamples
        rows.append(
            {
                "band": band,
                "classes": [split.taxonomy.codes[i] for i in columns],
                "n": int(support[columns].sum()),
                "macro_f1": of.interval(_mean_of("f1", columns)).to_dict(),
                "sensitivity": of.interval(_mean_of("sensitivity", columns)).to_dict(),
            }
        )
    return rows


def _calibration(probs: Array, split: _Split) -> dict[str, Any]:
    classwise = calibration.classwise_ece(probs, split.targets)
    mean, high = calibration.ece_if_calibrated(probs)
    return {
        "ece": calibration.ece(probs, split.targets),
        "ece_if_calibrated": {"mean": mean, "percentile_95": high},
        "classwise_ece": float(classwise.mean()),
        "brier": calibration.brier(probs, split.targets),
        "bins": calibration.reliability(probs, split.targets).to_rows(),
    }


def _macro_f1(c: Array) -> Array:
    return metrics.macro_f1(c, over="truth")


def _macro_precision(c: Array) -> Array:
    return metrics.macro_precision(c, over="truth")


def _macro_specificity(c: Array) -> Array:
    return metrics.macro_specificity(c, over="truth")


def _mean_of(name: str, columns: list[int]) -> Any:
    return lambda c: getattr(metrics.per_class(c), name)[..., columns].mean(axis=-1)


def _indices(values: Any, taxonomy: Taxonomy) -> Array:
    array = np.asarray(values)
    if array.dtype.kind in "OUST":
        return taxonomy.encode([str(value) for value in array])
    return array


def _known_patients(patients: Any) -> Array | None:
    if patients is None or pd.isna(pd.Series(np.asarray(patients, dtype=object))).any():
        return None
    return np.asarray(patients).astype(str)


def _count_array(train_counts: Mapping[str, int], taxonomy: Taxonomy) -> Array:
    return np.array([train_counts.get(code, 0) for code in taxonomy.codes], dtype=float)
