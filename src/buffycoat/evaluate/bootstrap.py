"""How sure a score is: draws of images or of patients, and the interval they give.

Cells of one patient are alike. Where patients are known they are resampled whole (percentile
bootstrap, Efron and Tibshirani 1993, ch. 13), the ends are moved out by Student's t with one degree
of freedom less than patients, and the interval is never narrower than that of independent images.
Without patients every interval is image-level, is narrower than the truth for new patients, and
says so. How images are drawn is in `draws.py`; differences of two methods are in `paired.py`; the
coverage of the intervals is in `docs/honest-reporting.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from buffycoat.evaluate import metrics
from buffycoat.evaluate.draws import (
    Draws,
    Seed,
    classes_in,
    draw_images,
    draw_patients,
    group_numbers,
    pair_up,
    with_unseen,
)
from buffycoat.evaluate.interval import (
    IMAGE_LEVEL,
    PATIENT_LEVEL,
    Array,
    Basis,
    Interval,
    Metric,
    percentile_ends,
)
from buffycoat.evaluate.proportion import clopper_pearson

UNSEEN = 0.5
"""Cells more in each class, wrong for the lower end and right for the upper. Of 0, 1/2 and 1 the
least that gives macro scores 95 % coverage, see ADR 0016."""
UNSEEN_IN_CALLS = 1.0
"""The same for the predictive values of one class, which hang on single cells of frequent ones."""
EXACT = "exact binomial limits (Clopper-Pearson)"


@dataclass(frozen=True)
class Resamples:
    """Drawn confusions, scored by any metric.

    Attributes:
        observed: Shape (k, k), the data as they are.
        images: Drawn for each end as if every image were independent, with `UNSEEN` cells more.
        calls: The same with `UNSEEN_IN_CALLS`.
        patients: Shape (n_draws, k, k), drawn patients; None at image level.
        basis: What the intervals rest on.
        method: How they were drawn, in words.
    """

    observed: Array
    images: Draws
    calls: Draws
    patients: Array | None
    basis: Basis
    method: str

    def interval(self, metric: Metric) -> Interval:
        """Score and interval of a metric that gives one number a confusion."""
        (found,) = self.intervals(lambda c: np.asarray(metric(c))[..., None])
        return found

    def intervals(self, metric: Metric, are_calls: bool = False) -> list[Interval]:
        """The same for a metric that gives m numbers a confusion, shape (..., m).

        Draws in which a number is not defined (NaN) are left out of its interval.

        Args:
            metric: Confusions (..., k, k) -> scores (..., m).
            are_calls: Whether they say what calls of one class are worth.
        """
        drawn = self.calls if are_calls else self.images
        lower, upper = metric(drawn.lower), metric(drawn.upper)
        by_patient = None if self.patients is None else metric(self.patients)
        return [
            self.basis.around(
                float(estimate),
                percentile_ends(lower[:, m], upper[:, m], self.basis.level),
                self.method,
                None if by_patient is None else by_patient[:, m],
            )
            for m, estimate in enumerate(metric(self.observed))
        ]

    def proportion(
        self, hits: int, of: int, metric: Metric, of_share: Callable[[float], float] | None = None
    ) -> Interval:
        """Interval of a share of cells that were counted: exact, since a share is binomial.

        Args:
            hits: How many of them.
            of: Cells counted on, at least one.
            metric: Confusions (..., k, k) -> the score, for draws of patients.
            of_share: Rising function of the share that is the score; None if that is the share.
        """
        limits = (hits / of, *clopper_pearson(hits, of, self.basis.level))
        estimate, low, high = (of_share(float(x)) if of_share else float(x) for x in limits)
        by_patient = None if self.patients is None else metric(self.patients)
        method = EXACT if by_patient is None else self.method
        return self.basis.around(estimate, (low, high), method, by_patient)

    def accuracy(self) -> Interval:
        """Share of the cells that are called right."""
        hits, n = int(np.trace(self.observed)), int(self.observed.sum())
        return self.proportion(hits, n, metrics.accuracy)


def resample(
    targets: Array,
    predicted: Array,
    k: int,
    groups: Array | None = None,
    *,
    n_resamples: int = 1000,
    seed: Seed = 0,
    level: float = 0.95,
) -> Resamples:
    """Draw confusions once, to score them by several metrics.

    Args:
        targets: Shape (n,), true column index.
        predicted: Shape (n,), predicted column index.
        k: Number of classes.
        groups: Shape (n,), patient of each cell; None where patients are not known.
        n_resamples: Number of draws.
        seed: Seed or generator.
        level: Probability mass of the intervals.

    Raises:
        ShapeError: Arrays of different lengths, no cells, an index outside 0 to k - 1, or a cell
            without a patient.
    """
    _, fields = pair_up(targets, (predicted,), k)
    rng = np.random.default_rng(seed)
    table = metrics.confusion(targets, predicted, k)
    (drawn,) = draw_images(fields, k, n_resamples, rng)
    images, calls = with_each_unseen(drawn, table.sum(axis=1), rng)
    n_groups, (patients,) = patients_of(fields, groups, k, n_resamples, rng)
    basis, method = basis_of(len(fields), n_groups, n_resamples, level)
    return Resamples(table, images, calls, patients, basis, method)


def patients_of(
    fields: Array, groups: Array | None, k: int, n_resamples: int, rng: np.random.Generator
) -> tuple[int | None, list[Array | None]]:
    """Drawn patients, if they are known.

    Args:
        fields: Shape (n, predictions), from `draws.pair_up`.
        groups: Shape (n,), patient of each cell, or None.
        k: Number of classes.
        n_resamples: Number of draws.
        rng: Generator.

    Returns:
        How many patients there are, and for each prediction the drawn confusions, shape
        (n_resamples, k, k); None for all of these at image level.
    """
    if groups is None:
        return None, [None] * fields.shape[1]
    n_groups, number = group_numbers(groups, len(fields))
    return n_groups, [*draw_patients(fields, number, n_groups, k, n_resamples, rng)]


def basis_of(n: int, n_groups: int | None, n_resamples: int, level: float) -> tuple[Basis, str]:
    """What the intervals of n cells rest on, and how they were drawn, in words."""
    method = in_words(n_groups, n_resamples, f"{UNSEEN:g} cells more in each class")
    unit = IMAGE_LEVEL if n_groups is None else PATIENT_LEVEL
    return Basis(level, unit, n, n_groups), method


def with_each_unseen(drawn: Array, support: Array, rng: np.random.Generator) -> tuple[Draws, Draws]:
    """Draws with `UNSEEN` and with `UNSEEN_IN_CALLS` cells more in each class.

    Args:
        drawn: Shape (n_draws, k, k), from `draw_images`.
        support: Shape (k,), cells of each class.
        rng: Generator.
    """
    few = rng.standard_gamma(UNSEEN, drawn.shape[:2])
    more = few + rng.standard_gamma(UNSEEN_IN_CALLS - UNSEEN, drawn.shape[:2])
    return with_unseen(drawn, support, few), with_unseen(drawn, support, more)


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
) -> Interval:
    """Interval of one metric.

    Args:
        targets: As in `resample`, and so are the others.
        predicted: Predicted column index.
        metric: Confusions (..., k, k) -> scores (...), such as `metrics.macro_f1`.
        groups: Patient of each cell; None for an image-level interval.
        k: Number of classes; the largest index + 1 if not given.
        n_resamples: Number of draws.
        seed: Seed or generator.
        level: Probability mass of the interval.
    """
    found = resample(
        targets,
        predicted,
        k or classes_in(targets, predicted),
        groups,
        n_resamples=n_resamples,
        seed=seed,
        level=level,
    )
    return found.interval(metric)


def in_words(n_groups: int | None, n_draws: int, unseen: str) -> str:
    """How the draws were made.

    Args:
        n_groups: Patients; None at image level.
        n_draws: Number of draws.
        unseen: What is added for errors that were not seen.
    """
    images = (
        f"Bayesian bootstrap within each class, {unseen}: wrong for the lower end, right for the "
        f"upper; {n_draws} draws"
    )
    if n_groups is None:
        return images
    return f"bootstrap of patients, {n_draws} resamples, widened by t; at least that of {images}"
