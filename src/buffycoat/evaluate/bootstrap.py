"""How sure a score is: resampling by patient or by image, and a posterior for rare classes.

The bootstrap is Efron's percentile interval (Efron and Tibshirani 1993, ch. 13). Cells of one
patient are alike, so patients are resampled whole where they are known; without them every
interval is image-level, is narrower than the truth for new patients, and says so.
What is drawn, and how, is in `draws.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from buffycoat.evaluate.draws import (
    Items,
    Seed,
    classes_in,
    draw_counts,
    in_words,
    pair_items,
    percentile_ends,
)
from buffycoat.evaluate.metrics import (
    confusion,
    macro_f1,
    prior_shares,
    prior_weighted_macro_f1,
)

Array = np.ndarray[Any, Any]
Metric = Callable[[Array], Array]

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
        return self.around(float(metric(self.observed)), metric(self.drawn))

    def intervals(self, metric: Metric) -> list[Interval]:
        """The same for a metric that gives k numbers a confusion, shape (..., k).

        Draws in which a number is not defined (NaN) are left out of its interval.
        """
        scores = metric(self.drawn)
        return [
            self.around(float(value), scores[:, column])
            for column, value in enumerate(metric(self.observed))
        ]

    def around(self, estimate: float, scores: Array) -> Interval:
        """An estimate with the percentile interval of scores, shape (n_resamples,)."""
        low, high = percentile_ends(scores, self.level)
        n = int(self.observed.sum())
        return Interval(estimate, low, high, self.level, self.unit, n, self.n_groups, self.method)


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
    items = pair_items(targets, (predicted,), k, groups, stratified)
    drawn = draw_counts(items, n_resamples, seed) @ items.tables[0]
    return Resamples(
        confusion(targets, predicted, k),
        drawn.reshape(-1, k, k),
        level,
        None if groups is None else len(items.counts),
        in_words(groups, stratified, n_resamples),
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
        k or classes_in(targets, predicted),
        groups,
        n_resamples=n_resamples,
        seed=seed,
        level=level,
        stratified=stratified,
    )
    return resamples.interval(metric)


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


def prior_weighted_interval(
    confusion: Array,
    train_counts: Array,
    *,
    n_draws: int = 4000,
    seed: Seed = 0,
    level: float = 0.95,
    pseudo_count: float = 0.5,
) -> Interval:
    """Credible interval of the prior-weighted macro-F1.

    Each row of the confusion is a multinomial with a Jeffreys prior, so its posterior is
    Dirichlet(counts + 1/2). A bootstrap would never draw the confusion that was not seen, yet
    one frequent cell called rare is worth dozens of rare ones. The half counts do the same: the
    interval lies low, and may lie wholly under the estimate, when a rare class's precision rests
    on never having seen an error. It holds the truth as often as it says only if errors are as
    common and as spread as the prior takes them: of a good classifier with k = 10 and 80 cells a
    class it lies below the truth nearly always (`benchmarks/interval_coverage.py`).

    Args:
        confusion: Shape (k, k), counts, rows the truth.
        train_counts: Shape (k,), training cells of each class.
        n_draws: Draws from the posterior.
        seed: Seed or generator.
        level: Probability mass of the interval.
        pseudo_count: Prior cells in each field of the confusion; 1/2 is Jeffreys'.

    Returns:
        Always image-level: the rows' cells are taken as independent.
    """
    shares = prior_shares(train_counts, confusion)
    shares = np.where(confusion.sum(axis=1) > 0, shares, 0.0)
    gammas = np.random.default_rng(seed).standard_gamma(
        confusion + pseudo_count, size=(n_draws, *confusion.shape)
    )
    rows = gammas / gammas.sum(axis=-1, keepdims=True)
    prior = "Jeffreys" if pseudo_count == 0.5 else f"{pseudo_count:g}"
    low, high = percentile_ends(macro_f1(rows * shares[:, None], over="truth"), level)
    return Interval(
        float(prior_weighted_macro_f1(confusion, train_counts)),
        low,
        high,
        level,
        IMAGE_LEVEL,
        int(confusion.sum()),
        None,
        f"{prior}-Dirichlet posterior of each confusion row, {n_draws} draws",
    )
