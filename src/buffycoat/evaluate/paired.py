"""How much better one method is than another, on the same drawn cells.

Two methods that differ on few cells leave little to draw from; if they agree on every cell,
nothing. So one cell more is shared out among the classes: for the lower end the first method calls
it right and the second wrong, for the upper end the reverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from buffycoat.evaluate.bootstrap import (
    Resamples,
    basis_of,
    in_words,
    patients_of,
    with_each_unseen,
)
from buffycoat.evaluate.draws import (
    Draws,
    Seed,
    classes_in,
    draw_counts,
    draw_images,
    pair_up,
    with_unseen,
)
from buffycoat.evaluate.interval import (
    IMAGE_LEVEL,
    Array,
    Basis,
    Interval,
    Metric,
    percentile_ends,
)
from buffycoat.evaluate.metrics import confusion

UNSEEN_IN_ALL = 1.0
"""Cells added in all, see ADR 0016: half a cell in each class, as for a score, is too careful where
methods differ on few cells."""


@dataclass(frozen=True)
class PairedResamples:
    """Drawn confusions of two methods, each pair from the same drawn cells.

    Attributes:
        a: Of the first method.
        b: Of the second.
        moved: Of both, with what is added for differences that were not seen.
    """

    a: Resamples
    b: Resamples
    moved: tuple[Draws, Draws]

    def interval(self, metric: Metric) -> Interval:
        """Score of b less score of a, for a metric that gives one number a confusion."""
        (found,) = self.intervals(lambda c: np.asarray(metric(c))[..., None])
        return found

    def intervals(self, metric: Metric) -> list[Interval]:
        """The same for a metric that gives m numbers a confusion, shape (..., m)."""
        a, b = self.moved
        lower = metric(b.lower) - metric(a.upper)
        upper = metric(b.upper) - metric(a.lower)
        by_patient = None
        if self.a.patients is not None and self.b.patients is not None:
            by_patient = metric(self.b.patients) - metric(self.a.patients)
        observed = metric(self.b.observed) - metric(self.a.observed)
        more = f"{UNSEEN_IN_ALL:g} cell more shared by the classes"
        basis = self.b.basis
        method = "paired " + in_words(basis.n_groups, len(lower), more)
        return [
            basis.around(
                float(value),
                percentile_ends(lower[:, m], upper[:, m], basis.level),
                method,
                None if by_patient is None else by_patient[:, m],
                (-1.0, 1.0),
            )
            for m, value in enumerate(observed)
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
) -> PairedResamples:
    """Draw the same cells for two methods once, to compare them by several metrics.

    Args:
        targets: Shape (n,), true column index.
        a: Shape (n,), predictions of the first method.
        b: Shape (n,), predictions of the second method.
        k: Number of classes.
        groups: Patient of each cell; None for image-level intervals.
        n_resamples: Number of draws.
        seed: Seed or generator.
        level: Probability mass of the intervals.

    Raises:
        ShapeError: As `resample`.
    """
    _, fields = pair_up(targets, (a, b), k)
    rng = np.random.default_rng(seed)
    drawn = draw_images(fields, k, n_resamples, rng)
    tables = [confusion(targets, calls, k) for calls in (a, b)]
    support = tables[0].sum(axis=1)
    shared = rng.standard_gamma(UNSEEN_IN_ALL / (support > 0).sum(), (n_resamples, k))
    n_groups, patients = patients_of(fields, groups, k, n_resamples, rng)
    basis, method = basis_of(len(fields), n_groups, n_resamples, level)
    of_a, of_b = (
        Resamples(table, *with_each_unseen(part, support, rng), by_patient, basis, method)
        for table, part, by_patient in zip(tables, drawn, patients, strict=True)
    )
    moved_a, moved_b = (with_unseen(part, support, shared) for part in drawn)
    return PairedResamples(of_a, of_b, (moved_a, moved_b))


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
) -> Interval:
    """Interval of metric(b) - metric(a), both scored on the same drawn cells.

    Args:
        targets: Shape (n,), true column index.
        a: Shape (n,), predictions of the first method.
        b: Shape (n,), predictions of the second method.
        metric: Confusions (..., k, k) -> scores (...).
        groups: Patient of each cell; None for an image-level interval.
        k: Number of classes; the largest index + 1 if not given.
        n_resamples: Number of draws.
        seed: Seed or generator.
        level: Probability mass of the interval.

    Returns:
        The difference; above 0 where b is better.
    """
    k = k or classes_in(targets, a, b)
    pair = paired_resample(
        targets, a, b, k, groups, n_resamples=n_resamples, seed=seed, level=level
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
        Below 0 where b is smaller; without ends where all groups differ alike. A resample
        without a class averages over the others.
    """
    classes, column = np.unique(targets, return_inverse=True)
    names, group = np.unique(groups, return_inverse=True)
    sums, rows = np.zeros((2, len(names), len(classes)))
    np.add.at(sums, (group, column), np.asarray(b) - np.asarray(a))
    np.add.at(rows, (group, column), 1)
    weights = draw_counts(len(names), n_resamples, np.random.default_rng(seed))
    with np.errstate(invalid="ignore"):
        drawn = np.nanmean((weights @ sums) / (weights @ rows), axis=1)
    return Basis(level, unit, len(a), len(names)).around(
        float((sums.sum(axis=0) / rows.sum(axis=0)).mean()),
        percentile_ends(drawn, drawn, level),
        f"paired bootstrap of groups, {n_resamples} resamples",
    )
