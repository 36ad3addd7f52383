"""Method comparison of a reader's differentials and a model's, class by class over slides.

Per class: Passing-Bablok regression (1983, doi 10.1515/cclm.1983.21.11.709), Bland-Altman limits of
agreement (1986, doi 10.1016/S0140-6736(86)90837-8; their intervals as in 1999,
doi 10.1177/096228029900800204), and on how many slides the model's percentage lies within the 95 %
limits of the reader's count, as CLSI H20 compares differentials (there two readers count 200 cells
each). Per cell: Cohen's kappa, also weighted along the neutrophils' maturation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import NotEstimableError, ShapeError
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.plurals import counted
from buffycoat.taxonomy import Taxonomy, clinical_order

Array = np.ndarray[Any, Any]

H20_CELLS = 400
"""Cells a slide by the reader: CLSI H20 has two readers count 200 each."""
LEAST_SLIDES = 10
"""Ours: slides with the class below which no line is fitted. Of fewer, the interval of Passing and
Bablok is most of all slopes."""
ROUNDING = 1e-9
"""Slopes as near to -1 as this are -1, which the method leaves out: differences of decimal numbers
are rounded, and the line would depend on the unit."""
WITHIN = 1.959964
"""Standard deviations on each side that hold 95 % of normal differences."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class BlandAltman:
    """Model less reader, over slides.

    Attributes:
        bias: Mean difference.
        lower: Lower limit of agreement.
        upper: Upper limit.
    """

    bias: Estimate
    lower: Estimate
    upper: Estimate


@dataclass(frozen=True)
class Line:
    """Model = intercept + slope * reader."""

    slope: Estimate
    intercept: Estimate


@dataclass(frozen=True, eq=False)
class ClassAgreement:
    """One class over all slides.

    Attributes:
        name: Class code.
        reader: Shape (n,), percent of leukocytes by the reader; per 100 of them for what is none.
        model: Shape (n,), by the model.
        differences: Their differences; None with fewer than three slides.
        line: None where the class is on fewer than `LEAST_SLIDES` slides, or no slope is known.
        n_within: Slides where the model's figure is within the 95 % limits of the reader's count.
    """

    name: str
    reader: Array
    model: Array
    differences: BlandAltman | None
    line: Line | None
    n_within: int

    def to_dict(self) -> dict[str, Any]:
        """One flat row; empty where there is no figure."""
        row: dict[str, Any] = {"name": self.name, "n_slides": len(self.reader)}
        row |= {
            "reader_mean": float(np.mean(self.reader)),
            "model_mean": float(np.mean(self.model)),
        }
        figures: dict[str, Estimate] = vars(self.differences) if self.differences else {}
        figures = figures | (vars(self.line) if self.line else {})
        for name in ("bias", "lower", "upper", "slope", "intercept"):
            found = figures.get(name)
            row |= {name: found and found.value}
            row |= {f"{name}_low": found and found.low, f"{name}_high": found and found.high}
        return row | {"n_within_limits_of_reader": self.n_within}


def compare_slides(reader: Array, model: Array, taxonomy: Taxonomy) -> list[ClassAgreement]:
    """Compare counts of the same slides.

    Args:
        reader: Shape (n, k), cells of each class by the reader.
        model: Shape (n, k), by the model; of the same cells or of others.
        taxonomy: Gives k classes.

    Returns:
        One entry a class. Slides on which one of the two counted no leukocyte are left out.

    Raises:
        NotEstimableError: No slide is left.
        ShapeError: The shapes do not fit.
    """
    by_reader, by_model = (np.asarray(counts, dtype=np.int64) for counts in (reader, model))
    if by_reader.shape != by_model.shape or by_reader.shape[1:] != (len(taxonomy),):
        raise ShapeError(
            f"expected counts of shape (n, {len(taxonomy)}) twice, got {by_reader.shape} and "
            f"{by_model.shape}"
        )
    is_in = taxonomy.is_leukocyte
    kept = (by_reader[:, is_in].sum(axis=1) > 0) & (by_model[:, is_in].sum(axis=1) > 0)
    if not kept.any():
        raise NotEstimableError(
            f"{counted(len(kept), 'slide')}, and on none did both count a leukocyte: no percentage "
            "can be compared. Check that both tables hold counts of leukocytes, of the same slides"
        )
    by_reader, by_model = by_reader[kept], by_model[kept]
    return [_of_class(column, by_reader, by_model, taxonomy) for column in clinical_order(taxonomy)]


def _of_class(column: int, reader: Array, model: Array, taxonomy: Taxonomy) -> ClassAgreement:
    is_in = taxonomy.is_leukocyte
    whole, whole_model = reader[:, is_in].sum(axis=1), model[:, is_in].sum(axis=1)
    counts = reader[:, column]
    x, y = 100 * counts / whole, 100 * model[:, column] / whole_model
    if is_in[column]:
        low, high = (100 * end for end in clopper_pearson(counts, whole))
    else:  # a share p of both is a ratio p / (1 - p) to the leukocytes
        low, high = (100 * end / (1 - end) for end in clopper_pearson(counts, whole + counts))
    return ClassAgreement(
        taxonomy.codes[column],
        x,
        y,
        bland_altman(x, y) if len(x) > 2 else None,
        passing_bablok(x, y) if ((x > 0) | (y > 0)).sum() >= LEAST_SLIDES else None,
        int(((low <= y) & (y <= high)).sum()),
    )


def bland_altman(x: Array, y: Array) -> BlandAltman:
    """Differences y - x: their mean and the limits that hold 95 % of them if they are normal.

    Args:
        x: Shape (n,), one method; n > 2.
        y: Shape (n,), the other.
    """
    from scipy.stats import t

    difference = np.asarray(y, float) - np.asarray(x, float)
    n = len(difference)
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    wide = float(t.ppf(0.975, n - 1)) * spread
    of_bias = wide / np.sqrt(n)
    of_limit = wide * np.sqrt(1 / n + WITHIN**2 / (2 * (n - 1)))
    lower, upper = bias - WITHIN * spread, bias + WITHIN * spread
    return BlandAltman(
        Estimate(bias, bias - of_bias, bias + of_bias),
        Estimate(lower, lower - of_limit, lower + of_limit),
        Estimate(upper, upper - of_limit, upper + of_limit),
    )


def passing_bablok(x: Array, y: Array) -> Line | None:
    """The line through two methods that both err, by the shifted median of pairwise slopes.

    Args:
        x: Shape (n,), one method.
        y: Shape (n,), the other.

    Returns:
        None where there are too few slopes for an interval, or one of its ends is vertical.
    """
    first, second = np.triu_indices(len(x), 1)
    run, rise = (np.asarray(v, float)[second] - np.asarray(v, float)[first] for v in (x, y))
    known = (run != 0) | (rise != 0)
    with np.errstate(divide="ignore"):
        slopes = rise[known] / np.abs(run[known]) * np.where(run[known] < 0, -1, 1)
    slopes = np.sort(slopes[np.abs(slopes + 1) > ROUNDING])
    n, n_slopes, shift = len(x), len(slopes), int((slopes < -1).sum())
    wide = WITHIN * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    place = round((n_slopes - wide) / 2) - 1
    low, high = place + shift, n_slopes - 1 - place + shift
    if place < 0 or high >= n_slopes:
        return None
    middle = slopes[[(n_slopes - 1) // 2 + shift, n_slopes // 2 + shift]]
    # The mean of angles: the line is then the same whichever method is x.
    ends = np.array([np.tan(np.arctan(middle).mean()), slopes[low], slopes[high]])
    if not np.isfinite(ends).all():
        return None
    intercept = [float(np.median(y - slope * np.asarray(x, float))) for slope in ends]
    return Line(Estimate(*map(float, ends)), Estimate(intercept[0], intercept[2], intercept[1]))


def kappa(
    confusions: Array, is_weighted: bool = False, n_draws: int = 500, seed: int = 0
) -> Estimate:
    """Cohen's kappa of two readings of the same cells, by scikit-learn.

    Args:
        confusions: Shape (slides, k, k), rows the reader.
        is_weighted: Linear weights, for classes in an order.
        n_draws: Draws of whole slides for the interval; NaN ends with a single slide.
        seed: Of the draws.
    """
    from sklearn.metrics import cohen_kappa_score

    slides, k, _ = confusions.shape
    first, second = np.divmod(np.arange(k * k), k)
    weights = "linear" if is_weighted else None

    def of(table: Array) -> float:
        counts = table.ravel()
        if np.count_nonzero(table.sum(axis=1) + table.sum(axis=0)) < 2:
            return np.nan  # one class alone: no agreement beyond chance can be told
        return float(
            cohen_kappa_score(first, second, labels=range(k), weights=weights, sample_weight=counts)
        )

    value = of(confusions.sum(axis=0))
    if slides < 2 or np.isnan(value):
        return Estimate(value, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    drawn = [of(confusions[rng.integers(0, slides, slides)].sum(axis=0)) for _ in range(n_draws)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def maturation_columns(taxonomy: Taxonomy) -> list[int]:
    """Columns of the granulocytic line from young to old; empty without one of two stages."""
    return [column for stage in taxonomy.lines().get("granulocytic", []) for column in stage]
