"""How sure a score is: resampling by patient or by image.

The bootstrap is Efron's percentile interval (Efron and Tibshirani 1993, ch. 13). Cells of one
patient are alike, so patients are resampled whole where they are known; without them every
interval is image-level, is narrower than the truth for new patients, and says so.
What is drawn, and how, is in `draws.py`; differences between two methods are in `paired.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from buffycoat.evaluate.draws import (
    Seed,
    classes_in,
    draw_counts,
    in_words,
    pair_items,
    percentile_ends,
)
from buffycoat.evaluate.interval import IMAGE_LEVEL, PATIENT_LEVEL, Array, Interval, Metric
from buffycoat.evaluate.metrics import confusion


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
