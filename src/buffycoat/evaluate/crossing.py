"""Severity of degradation crossed with how rare a class was in training.

Means over all classes hide the cells that matter most: rare ones in bad images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ShapeError
from buffycoat.evaluate import metrics
from buffycoat.evaluate.bootstrap import Resamples, resample
from buffycoat.evaluate.class_table import MIN_SUPPORT
from buffycoat.evaluate.interval import NOT_ESTIMABLE
from buffycoat.taxonomy import Taxonomy

Array = np.ndarray[Any, Any]

BANDS = ("head", "medium", "tail")


def crossing_rows(
    targets: Array,
    predicted: Array,
    taxonomy: Taxonomy,
    train_counts: Mapping[str, int],
    severity: Sequence[Any] | Array,
    patients: Array | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One row a severity and band that has cells.

    Within a severity each cell weighs 1 / n of its class there, so that the mean over all classes
    is the balanced macro-F1 of that severity.

    Args:
        targets: Shape (n,), true column index.
        predicted: Shape (n,), predicted column index.
        taxonomy: The classes.
        train_counts: Training cells of each code, for the bands.
        severity: Shape (n,), 0 to 4; cells where it is not known (NA) are left out.
        patients: Shape (n,), patient of each cell; None for image-level intervals.
        seed: Of the resampling.

    Returns:
        Plain values: `severity`, `band`, `classes` (codes), `n`, `few` (codes of fewer than 5
        cells there), and `macro_f1` and `sensitivity`, means over these classes with intervals,
        or "not estimable" where the row has fewer than 5 cells.

    Raises:
        ShapeError: The arrays do not match.
    """
    levels = np.asarray(severity, dtype=object)
    if not levels.shape == np.shape(targets) == np.shape(predicted):
        raise ShapeError(
            f"expected {np.shape(targets)} predictions and severities, got "
            f"{np.shape(predicted)} and {levels.shape}"
        )
    known = np.where(pd.isna(levels), -1, levels).astype(float)
    bands = taxonomy.bands(train_counts)
    rows = []
    for level in np.unique(known[known >= 0]):
        keep = known == level
        groups = None if patients is None else patients[keep]
        of = resample(targets[keep], predicted[keep], len(taxonomy), groups, seed=seed)
        for band in BANDS:
            row = _row(of, taxonomy, [c for c in taxonomy.codes if bands[c] == band])
            if row is not None:
                rows.append({"severity": float(level), "band": band, **row})
    return rows


def _row(of: Resamples, taxonomy: Taxonomy, codes: Sequence[str]) -> dict[str, Any] | None:
    support = of.observed.sum(axis=1)
    columns = [i for i, code in enumerate(taxonomy.codes) if code in codes and support[i] > 0]
    if not columns:
        return None
    n = int(support[columns].sum())
    row: dict[str, Any] = {
        "classes": [taxonomy.codes[i] for i in columns],
        "n": n,
        "few": [taxonomy.codes[i] for i in columns if support[i] < MIN_SUPPORT],
    }
    for key, name in (("macro_f1", "f1"), ("sensitivity", "sensitivity")):
        score = of.interval(lambda c, name=name: _mean(c, name, columns)).to_dict()
        row[key] = score if n >= MIN_SUPPORT else NOT_ESTIMABLE
    return row


def _mean(confusion: Array, name: str, columns: Sequence[int]) -> Array:
    balanced = metrics.reweighted(confusion, np.ones(confusion.shape[-1]))
    return metrics.mean_of_classes(balanced, name, columns)
