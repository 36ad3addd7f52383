"""How sure a score is: resampling by patient or by image, and a posterior for rare classes.

The bootstrap is Efron's percentile interval (Efron and Tibshirani 1993, ch. 13). Cells of one
patient are alike, so patients are resampled whole where they are known; without them every
interval is image-level, is narrower than the truth for new patients, and says so.

A resample never visits single cells. Equal cells (same truth, same prediction) are one item with
a count, or a patient is one item; a multinomial draw of the items' counts times the items'
confusions gives all resampled confusions in one product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ShapeError
from buffycoat.evaluate.metrics import (
    check_indices,
    confusion,
    macro_f1,
    prior_shares,
    prior_weighted_macro_f1,
)

Array = np.ndarray[Any, Any]
Metric = Callable[[Array], Array]
Seed = int | np.random.Generator

IMAGE_LEVEL = "image-level"
PATIENT_LEVEL = "patient-level"


@dataclass(frozen=True)
class Interval:
    """A score with its interval.

    Attributes:
        estimate: The score of the data as they are.
        low: Lower end.
        high: Upper end.
        level: Probability mass between the ends.
        unit: "image-level" or "patient-level": what counts as one independent observation.
        n: Cells.
        n_groups: Patients; None at image level.
        method: How the interval was made, in words.
    """

    estimate: float
    low: float
    high: float
    level: float
    unit: str
    n: int
    n_groups: int | None
    method: str

    def to_dict(self) -> dict[str, float | int | str | None]:
        """The fields as plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Resamples:
    """Resampled confusions, scored by any metric.

    Attributes:
        observed: Shape (k, k), the data as they are.
        drawn: Shape (n_resamples, k, k).
        level: Probability mass of the intervals.
        n_groups: Patients resampled; None if images were.
        method: How they were drawn, in words.
    """

    observed: Array
    drawn: Array
    level: float
    n_groups: int | None
    method: str

    @property
    def unit(self) -> str:
        """What counts as one independent observation."""
        return IMAGE_LEVEL if self.n_groups is None else PATIENT_LEVEL

    def interval(self, metric: Metric) -> Interval:
        """Score and percentile interval of a metric that gives one number a confusion."""
        return self._around(float(metric(self.observed)), metric(self.drawn))

    def intervals(self, metric: Metric) -> list[Interval]:
        """The same for a metric that gives k numbers a confusion, shape (..., k)."""
        scores = metric(self.drawn)
        return [
            self._around(float(value), scores[:, column])
            for column, value in enumerate(metric(self.observed))
        ]

    def _around(self, estimate: float, scores: Array) -> Interval:
        low, high = _ends(scores, self.level)
        n = int(self.observed.sum())
        return Interval(estimate, low, high, self.level, self.unit, n, self.n_groups, self.method)


def resample(
    targets: Array,
    predicted: Array,
    k: int,
    groups: Array | None = None,
    *,
    n_resamples: int = 1000,
    seed: Seed = 0,
    level: float = 0.95,
    stratified: bool = True,
) -> Resamples:
    """Draw resampled confusions once, to score them by several metrics.

    Args:
        targets: Shape (n,), true column index.
        predicted: Shape (n,), predicted column index.
        k: Number of classes.
        groups: Shape (n,), patient of each cell; None where patients are not known.
        n_resamples: Number of resamples.
        seed: Seed or generator.
        level: Probability mass of the intervals.
        stratified: Keep each class's count, as a split with set counts has it. Only images can
            be stratified: a patient has cells of many classes.

    Raises:
        ShapeError: Arrays of different lengths, no cells, or an index outside 0 to k - 1.
    """
    items = _items(targets, (predicted,), k, groups, stratified)
    drawn = _weights(items, n_resamples, seed) @ items.tables[0]
    return Resamples(
        confusion(targets, predicted, k),
        drawn.reshape(-1, k, k),
        level,
        None if groups is None else len(items.counts),
        _method(groups, stratified, n_resamples),
    )


def bootstrap_interval(
    targets: Array,
    predicted: Array,
    metric: Metric,
    groups: Array | None = None,
    *,
    k: int | None = None,
    n_resamples: int = 1000,
    seed: Seed = 0,
    level: float = 0.95,
    stratified: bool = True,
) -> Interval:
    """Percentile interval of one metric.

    Args:
        targets: As in `resample`, and so are the others.
        predicted: Predicted column index.
        metric: Confusions (..., k, k) -> scores (...), such as `metrics.macro_f1`.
        groups: Patient of each cell; None for an image-level interval.
        k: Number of classes; the largest index + 1 if not given.
        n_resamples: Number of resamples.
        seed: Seed or generator.
        level: Probability mass of the interval.
        stratified: Keep each class's count (images only).
    """
    resamples = resample(
        targets,
        predicted,
        k or _classes_in(targets, predicted),
        groups,
        n_resamples=n_resamples,
        seed=seed,
        level=level,
        stratified=stratified,
    )
    return resamples.interval(metric)


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
    k = k or _classes_in(targets, a, b)
    items = _items(targets, (a, b), k, groups, stratified)
    weights = _weights(items, n_resamples, seed)
    of_a, of_b = (metric((weights @ table).reshape(-1, k, k)) for table in items.tables)
    low, high = _ends(of_b - of_a, level)
    return Interval(
        float(metric(confusion(targets, b, k)) - metric(confusion(targets, a, k))),
        low,
        high,
        level,
        IMAGE_LEVEL if groups is None else PATIENT_LEVEL,
        len(targets),
        None if groups is None else len(items.counts),
        "paired " + _method(groups, stratified, n_resamples),
    )


def paired_mean_interval(
    a: Array,
    b: Array,
    targets: Array,
    groups: Array,
    *,
    n_resamples: int = 1000,
    seed: Seed = 0,
    level: float = 0.95,
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

    Returns:
        Below 0 where b is smaller. A resample without a class averages over the others.
    """
    classes, column = np.unique(targets, return_inverse=True)
    names, group = np.unique(groups, return_inverse=True)
    sums, rows = np.zeros((2, len(names), len(classes)))
    np.add.at(sums, (group, column), np.asarray(b) - np.asarray(a))
    np.add.at(rows, (group, column), 1)
    counts = np.ones(len(names), dtype=np.int64)
    weights = _weights(_Items(counts, np.zeros_like(counts), []), n_resamples, seed)
    with np.errstate(invalid="ignore"):
        drawn = np.nanmean((weights @ sums) / (weights @ rows), axis=1)
    low, high = _ends(drawn, level)
    return Interval(
        float((sums.sum(axis=0) / rows.sum(axis=0)).mean()),
        low,
        high,
        level,
        PATIENT_LEVEL,
        len(a),
        len(names),
        f"paired bootstrap of groups, {n_resamples} resamples",
    )


def prior_weighted_interval(
    confusion: Array,
    train_counts: Array,
    *,
    n_draws: int = 4000,
    seed: Seed = 0,
    level: float = 0.95,
) -> Interval:
    """Credible interval of the prior-weighted macro-F1.

    Each row of the confusion is a multinomial with a Jeffreys prior, so its posterior is
    Dirichlet(counts + 1/2). A bootstrap would never draw the confusion that was not seen, yet
    one frequent cell called rare is worth dozens of rare ones. The half counts do the same: the
    interval lies low, and may lie wholly under the estimate, when a rare class's precision rests
    on never having seen an error.

    Args:
        confusion: Shape (k, k), counts, rows the truth.
        train_counts: Shape (k,), training cells of each class.
        n_draws: Draws from the posterior.
        seed: Seed or generator.
        level: Probability mass of the interval.

    Returns:
        Always image-level: the rows' cells are taken as independent.
    """
    shares = prior_shares(train_counts, confusion)
    shares = np.where(confusion.sum(axis=1) > 0, shares, 0.0)
    gammas = np.random.default_rng(seed).standard_gamma(
        confusion + 0.5, size=(n_draws, *confusion.shape)
    )
    rows = gammas / gammas.sum(axis=-1, keepdims=True)
    low, high = _ends(macro_f1(rows * shares[:, None], over="truth"), level)
    return Interval(
        float(prior_weighted_macro_f1(confusion, train_counts)),
        low,
        high,
        level,
        IMAGE_LEVEL,
        int(confusion.sum()),
        None,
        f"Jeffreys-Dirichlet posterior of each confusion row, {n_draws} draws",
    )


@dataclass(frozen=True)
class _Items:
    """What is resampled: patterns of equal cells, or patients.

    Attributes:
        counts: Shape (u,), how often each item is in the data.
        strata: Shape (u,), items that share a total.
        tables: For each prediction, shape (u, k * k): the confusion of one such item.
    """

    counts: Array
    strata: Array
    tables: list[Array]


def _items(
    targets: Array, predictions: tuple[Array, ...], k: int, groups: Array | None, stratified: bool
) -> _Items:
    truth = check_indices(targets, k, "targets")
    calls = [check_indices(p, k, "predicted", truth) for p in predictions]
    if len(truth) == 0:
        raise ShapeError("targets: expected at least one cell, got none")
    pairs = np.stack([truth * k + call for call in calls], axis=1)
    if groups is not None:
        return _patients(np.asarray(groups), pairs, k)
    patterns, counts = np.unique(pairs, axis=0, return_counts=True)
    strata = patterns[:, 0] // k if stratified else np.zeros(len(patterns), dtype=np.int64)
    one_hot = np.eye(k * k)
    return _Items(counts, strata, [one_hot[column] for column in patterns.T])


def _patients(groups: Array, pairs: Array, k: int) -> _Items:
    if groups.shape != (len(pairs),):
        raise ShapeError(f"groups: expected shape ({len(pairs)},), got {groups.shape}")
    unknown = int(pd.isna(groups).sum())
    if unknown:
        raise ShapeError(f"groups: {unknown} cells have no patient; leave groups out, or them")
    names, patient = np.unique(groups.astype(str), return_inverse=True)
    tables = []
    for column in pairs.T:
        flat = np.bincount(patient * k * k + column, minlength=len(names) * k * k)
        tables.append(flat.reshape(len(names), k * k).astype(float))
    ones = np.ones(len(names), dtype=np.int64)
    return _Items(ones, np.zeros_like(ones), tables)


def _weights(items: _Items, n_resamples: int, seed: Seed) -> Array:
    """How often each item is drawn in each resample, shape (n_resamples, u)."""
    rng = np.random.default_rng(seed)
    weights = np.empty((n_resamples, len(items.counts)))
    for stratum in np.unique(items.strata):
        members = np.flatnonzero(items.strata == stratum)
        counts = items.counts[members]
        weights[:, members] = rng.multinomial(counts.sum(), counts / counts.sum(), n_resamples)
    return weights


def _ends(scores: Array, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return float(low), float(high)


def _classes_in(*indices: Array) -> int:
    return 1 + max((int(np.max(values)) for values in indices if len(values)), default=0)


def _method(groups: Array | None, stratified: bool, n_resamples: int) -> str:
    if groups is not None:
        return f"bootstrap of patients, {n_resamples} resamples"
    kind = "images within each class" if stratified else "images"
    return f"bootstrap of {kind}, {n_resamples} resamples"
