"""What a bootstrap draws: equal cells as one item with a count, or whole patients.

No cell is visited twice. A multinomial draw of the items' counts times the items' confusions gives
all resampled confusions in one product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ShapeError
from buffycoat.evaluate.metrics import check_indices

Array = np.ndarray[Any, Any]
Seed = int | np.random.Generator


@dataclass(frozen=True)
class Items:
    """What is resampled: patterns of equal cells, or patients.

    Attributes:
        counts: Shape (u,), how often each item is in the data.
        strata: Shape (u,), items that share a total.
        tables: For each prediction, shape (u, k * k): the confusion of one such item.
    """

    counts: Array
    strata: Array
    tables: list[Array]


def pair_items(
    targets: Array, predictions: tuple[Array, ...], k: int, groups: Array | None, stratified: bool
) -> Items:
    """Items of cells with one or more predictions each.

    Args:
        targets: Shape (n,), true column index.
        predictions: Each of shape (n,), predicted column index.
        k: Number of classes.
        groups: Shape (n,), patient of each cell; None makes equal cells one item.
        stratified: Keep each class's count; images only.

    Raises:
        ShapeError: Arrays of different lengths, no cells, an index outside 0 to k - 1, or a cell
            without a patient.
    """
    truth = check_indices(targets, k, "targets")
    calls = [check_indices(p, k, "predicted", truth) for p in predictions]
    if len(truth) == 0:
        raise ShapeError("targets: expected at least one cell, got none")
    pairs = np.stack([truth * k + call for call in calls], axis=1)
    if groups is not None:
        return _patients(groups, pairs, k)
    patterns, counts = np.unique(pairs, axis=0, return_counts=True)
    strata = patterns[:, 0] // k if stratified else np.zeros(len(patterns), dtype=np.int64)
    one_hot = np.eye(k * k)
    return Items(counts, strata, [one_hot[column] for column in patterns.T])


def group_numbers(groups: Array, n: int) -> tuple[int, Array]:
    """Patients as numbers.

    Args:
        groups: Shape (n,), patient of each cell.
        n: Cells.

    Returns:
        How many patients there are, and the number of each cell's, shape (n,).

    Raises:
        ShapeError: Of another length, or a cell has no patient.
    """
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ShapeError(f"groups: expected shape ({n},), got {groups.shape}")
    unknown = int(pd.isna(groups).sum())
    if unknown:
        raise ShapeError(f"groups: {unknown} cells have no patient or slide; leave them out")
    names, number = np.unique(groups.astype(str), return_inverse=True)
    return len(names), number


def draw_counts(items: Items, n_resamples: int, seed: Seed) -> Array:
    """How often each item is drawn in each resample, shape (n_resamples, u)."""
    rng = np.random.default_rng(seed)
    weights = np.empty((n_resamples, len(items.counts)))
    for stratum in np.unique(items.strata):
        members = np.flatnonzero(items.strata == stratum)
        counts = items.counts[members]
        weights[:, members] = rng.multinomial(counts.sum(), counts / counts.sum(), n_resamples)
    return weights


def percentile_ends(scores: Array, level: float) -> tuple[float, float]:
    """The middle of the draws; those where a score is not defined (NaN) are left out."""
    tail = (1 - level) / 2
    defined = scores[~np.isnan(scores)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def classes_in(*indices: Array) -> int:
    """One more than the largest index."""
    return 1 + max((int(np.max(values)) for values in indices if len(values)), default=0)


def in_words(groups: Array | None, stratified: bool, n_resamples: int) -> str:
    """How the draws were made."""
    if groups is not None:
        return f"bootstrap of patients, {n_resamples} resamples"
    kind = "images within each class" if stratified else "images"
    return f"bootstrap of {kind}, {n_resamples} resamples"


def _patients(groups: Array, pairs: Array, k: int) -> Items:
    n_patients, patient = group_numbers(groups, len(pairs))
    tables = []
    for column in pairs.T:
        flat = np.bincount(patient * k * k + column, minlength=n_patients * k * k)
        tables.append(flat.reshape(n_patients, k * k).astype(float))
    ones = np.ones(n_patients, dtype=np.int64)
    return Items(ones, np.zeros_like(ones), tables)
