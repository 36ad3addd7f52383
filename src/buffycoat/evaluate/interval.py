"""A score with its interval: the one place that says what an interval may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError

Array = np.ndarray[Any, Any]
Metric = Callable[[Array], Array]
"""Confusions, shape (..., k, k), to scores."""

IMAGE_LEVEL = "image-level"
PATIENT_LEVEL = "patient-level"
NOT_ESTIMABLE = "not estimable"
"""Stands where cells or patients are too few for a figure."""
NO_SPREAD = "not estimable: every resample gives the same score"
IDENTICAL = "identical predictions"
ROUNDING = 1e-9
"""Two ends closer than this differ by rounding only."""


@dataclass(frozen=True)
class Interval:
    """A score with its interval, or with none where the data cannot give one.

    An interval holds its estimate and has a width: what a sample of cells says is never certain.

    Attributes:
        estimate: The score of the data as they are.
        low: Lower end; None where there is no interval, and `method` says why.
        high: Upper end; None where there is none.
        level: Probability mass between the ends.
        unit: "image-level" or "patient-level": what counts as one independent observation.
        n: Cells.
        n_groups: Patients; None at image level.
        method: How the interval was made, in words.

    Raises:
        ShapeError: One end only, an end that is NaN, no width, or an estimate that lies outside.
    """

    estimate: float
    low: float | None
    high: float | None
    level: float
    unit: str
    n: int
    n_groups: int | None
    method: str

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            return
        if self.low is None or self.high is None or not self.low < self.high:
            raise ShapeError(f"interval: expected low < high, got {self.low!r} to {self.high!r}")
        if not self.low <= self.estimate <= self.high:
            raise ShapeError(
                f"interval: the estimate {self.estimate!r} lies outside {self.low!r} to "
                f"{self.high!r}"
            )

    def to_dict(self) -> dict[str, float | int | str | None]:
        """The fields as plain values for JSON."""
        return asdict(self)

    def is_from(self, bound: float) -> bool:
        """Whether all of the interval lies at or above a bound; never without an interval."""
        return self.low is not None and self.low >= bound

    def in_words(self, form: str = ".3f") -> str:
        """The estimate and its ends, or why there are none."""
        if self.low is None or self.high is None:
            return f"{self.estimate:{form}} ({self.method})"
        return f"{self.estimate:{form}} ({self.low:{form}} to {self.high:{form}})"


@dataclass(frozen=True)
class Basis:
    """What the intervals of one set of cells rest on.

    Attributes:
        level: Probability mass between the ends.
        unit: "image-level" or "patient-level".
        n: Cells.
        n_groups: Patients; None at image level.
    """

    level: float
    unit: str
    n: int
    n_groups: int | None

    def around(
        self,
        estimate: float,
        ends: tuple[float, float],
        method: str,
        by_patient: Array | None = None,
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> Interval:
        """An estimate with its ends, moved to hold it and, where patients are known, widened.

        Draws of a curved score lie a little off the score of the data, more so with few cells.

        Args:
            estimate: The score of the data as they are; NaN where it has nothing to count on.
            ends: As if every image were independent; NaN where no draw defines the score.
            method: How the draws were made.
            by_patient: Shape (n_draws,), score of each draw of patients; None at image level.
            bounds: Least and greatest value that the score can have.

        Returns:
            Without ends where all draws, or all patients, agree, and where none defines the score.
        """
        if by_patient is not None:
            ends = self._widened(estimate, ends, by_patient, bounds)
        low, high = min(ends[0], estimate), max(ends[1], estimate)
        plain = (self.level, self.unit, self.n, self.n_groups)
        if not math.isfinite(low + high + estimate) or high - low <= ROUNDING:
            return Interval(estimate, None, None, *plain, NO_SPREAD)
        return Interval(estimate, low, high, *plain, method)

    def _widened(
        self,
        estimate: float,
        ends: tuple[float, float],
        by_patient: Array,
        bounds: tuple[float, float],
    ) -> tuple[float, float]:
        low, high = percentile_ends(by_patient, by_patient, self.level)
        if self.n_groups is None or not high - low > ROUNDING:
            return math.nan, math.nan
        by = _too_narrow_by(self.n_groups, self.level)
        low, high = estimate - (estimate - low) * by, estimate + (high - estimate) * by
        return max(min(ends[0], low), bounds[0]), min(max(ends[1], high), bounds[1])


def percentile_ends(lower: Array, upper: Array, level: float) -> tuple[float, float]:
    """Low quantile of one set of scores and high quantile of another; NaN if none is defined.

    Args:
        lower: Shape (n_draws,); those where a score is not defined (NaN) are left out.
        upper: The same.
        level: Probability mass between the ends.
    """
    tail = (1 - level) / 2
    low, high = (scores[~np.isnan(scores)] for scores in (lower, upper))
    if not len(low) or not len(high):
        return math.nan, math.nan
    return float(np.quantile(low, tail)), float(np.quantile(high, 1 - tail))


def _too_narrow_by(n_groups: int, level: float) -> float:
    """By how much a percentile interval of so few patients is too narrow.

    Student's t for the normal quantile, and the bootstrap's variance, which is (g - 1) / g of the
    sample's.
    """
    from scipy.stats import norm, t

    tail = (1 + level) / 2
    wider = t.ppf(tail, n_groups - 1) / norm.ppf(tail)
    return float(wider * math.sqrt(n_groups / (n_groups - 1)))
