"""How much better one method is than another, on the same resampled cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from buffycoat.evaluate.bootstrap import Resamples
from buffycoat.evaluate.draws import (
    Items,
    Seed,
    classes_in,
    draw_counts,
    in_words,
    pair_items,
    percentile_ends,
)
from buffycoat.evaluate.interval import IMAGE_LEVEL, Array, Interval, Metric
from buffycoat.evaluate.metrics import confusion


@dataclass(frozen=True)
class PairedResamples:
    """Resampled confusions of two methods, each pair from the same drawn cells.

    Attributes:
        a: Of the first method.
        b: Of the second.
    """

    a: Resamples
    b: Resamples

    def interval(self, metric: Metric) -> Interval:
        """Score of b less score of a, for a metric that gives one number a confusion."""
        (found,) = self.intervals(lambda c: np.asarray(metric(c))[..., None])
        return found

    def intervals(self, metric: Metric) -> list[Interval]:
        """The same for a metric that gives k numbers a confusion, shape (..., k)."""
        change = metric(self.b.drawn) - metric(self.a.drawn)
        observed = metric(self.b.observed) - metric(self.a.observed)
        return [
            self.b.around(float(value), change[:, column]) for column, value in enumerate(observed)
        ]


def paired_resample(
    targets: Array,
    a: Array,
    b: Array,
    k: int,
    groups: Array | None = None,
    *,
    n_resamples: int = 1000,
    seed: Seed = 0,
    level: float = 0.95,
    stratified: bool = True,
) -> PairedResamples:
    """Draw the same cells for two methods once, to compare them by several metrics.

    Args:
        targets: Shape (n,), true column index.
        a: Shape (n,), predictions of the first method.
        b: Shape (n,), predictions of the second method.
        k: Number of classes.
        groups: Patient of each cell; None for image-level intervals.
        n_resamples: Number of resamples.
        seed: Seed or generator.
        level: Probability mass of the intervals.
        stratified: Keep each class's count (images only).

    Raises:
        ShapeError: As `resample`.
    """
    items = pair_items(targets, (a, b), k, groups, stratified)
    weights = draw_counts(items, n_resamples, seed)
    n_groups = None if groups is None else len(items.counts)
    method = "paired " + in_words(groups, stratified, n_resamples)
    of_a, of_b = (
        Resamples(
            confusion(targets, calls, k),
            (weights @ table).reshape(-1, k, k),
            level,
            n_groups,
            method,
        )
        for calls, table in zip((a, b), items.tables, strict=True)
    )
    return PairedResamples(of_a, of_b)


def paired_interval(
    targets: Array,
    a: Array,
    b: Array,
    metric: Metric,
    groups: Array | None = None,
    *,
    k: int | None = None,
    n_resamples: int = 1000,
    seed: Seed = 0,
    level: float = 0.95,
    stratified: bool = True,
) -> Interval:
    """Interval of metric(b) - metric(a), both scored on the same resampled cells.

    Args:
        targets: Shape (n,), true column index.
        a: Shape (n,), predictions of the first method.
        b: Shape (n,), predictions of the second method.
        metric: Confusions (..., k, k) -> scores (...).
        groups: Patient of each cell; None for an image-level interval.
        k: Number of classes; the largest index + 1 if not given.
        n_resamples: Number of resamples.
        seed: Seed or generator.
        level: Probability mass of the interval.
        stratified: Keep each class's count (images only).

    Returns:
        The difference; above 0 where b is better.
    """
    k = k or classes_in(targets, a, b)
    pair = paired_resample(
        targets,
        a,
        b,
        k,
        groups,
        n_resamples=n_resamples,
        seed=seed,
        level=level,
        stratified=stratified,
    )
    return pair.interval(metric)


def paired_mean_interval(
    a: Array,
    b: Array,
    targets: Array,
    groups: Array,
    *,
    n_resamples: int = 1000,
    seed: Seed = 0,
    level: float = 0.95,
    unit: str = IMAGE_LEVEL,
) -> Interval:
    """Interval of the class-balanced mean of b - a, such as two methods' log losses.

    Groups are resampled whole. A mean over rows moves far less with single cells of a rare class
    than an F1, which counts only on which side of a decision they fall.

    Args:
        a: Shape (n,), a number for each row by the first method.
        b: Shape (n,), the same by the second.
        targets: Shape (n,), class of each row; every class weighs the same.
        groups: Shape (n,), patient of each row; or its cell, where a cell has several rows.
        n_resamples: Number of resamples.
        seed: Seed or generator.
        level: Probability mass of the interval.
        unit: What the groups are; `PATIENT_LEVEL` where they are patients.

    Returns:
        Below 0 where b is smaller. A resample without a class averages over the others.
    """
    classes, column = np.unique(targets, return_inverse=True)
    names, group = np.unique(groups, return_inverse=True)
    sums, rows = np.zeros((2, len(names), len(classes)))
    np.add.at(sums, (group, column), np.asarray(b) - np.asarray(a))
    np.add.at(rows, (group, column), 1)
    counts = np.ones(len(names), dtype=np.int64)
    weights = draw_counts(Items(counts, np.zeros_like(counts), []), n_resamples, seed)
    with np.errstate(invalid="ignore"):
        drawn = np.nanmean((weights @ sums) / (weights @ rows), axis=1)
    low, high = percentile_ends(drawn, level)
    return Interval(
        float((sums.sum(axis=0) / rows.sum(axis=0)).mean()),
        low,
        high,
        level,
        unit,
        len(a),
        len(names),
        f"paired bootstrap of groups, {n_resamples} resamples",
    )
