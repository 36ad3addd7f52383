"""The leukocyte differential of a slide or patient, with limits.

Two figures stand side by side for each class. The *raw* one is what was called; its limits are
those of counting n cells, as Rumke tabulated them. The *adjusted* one takes out how the classifier
errs on labelled cells, and its limits carry counting and misclassification both. Cells that are no
leukocytes, such as erythroblasts, stand outside: they are stated per 100 leukocytes.

A classifier's errors are taken to be the same on every slide. They are not: another stain or camera
errs in its own way, and no limit here covers that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError, TaxonomyError
from buffycoat.evaluate import mixture
from buffycoat.evaluate.class_table import too_few
from buffycoat.evaluate.draws import group_numbers
from buffycoat.evaluate.interval import NOT_ESTIMABLE
from buffycoat.evaluate.metrics import check_indices
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.taxonomy import IMMATURE_GRANULOCYTES, Taxonomy, clinical_order

Array = np.ndarray[Any, Any]

IMMATURE = "immature granulocytes"
BLAST = "BL"


@dataclass(frozen=True)
class Percent:
    """A figure with its limits, per 100 leukocytes.

    Attributes:
        value: Estimate; NaN where no leukocyte was counted.
        low: Lower limit.
        high: Upper limit; infinite where cells outside the leukocytes are all there is.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class DifferentialRow:
    """One class, or the immature granulocytes together, on one slide or of one patient.

    Attributes:
        group: The slide or patient.
        name: Class code, or "immature granulocytes".
        is_leukocyte: Whether it counts in the 100 %; else it is a ratio to them.
        count: Cells called so.
        n_leukocytes: Cells called leukocytes: what the raw figure is counted on.
        raw: Of the calls, with the limits of counting.
        adjusted: With misclassification taken out; None without calibration, or where too few
            cells of a class say how it is called (`why`).
        why: Why there is no adjusted figure.
    """

    group: str
    name: str
    is_leukocyte: bool
    count: int
    n_leukocytes: int
    raw: Percent
    adjusted: Percent | None
    why: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """One flat row for a table; "not estimable" or empty where there is no figure."""
        row = {key: value for key, value in asdict(self).items() if not isinstance(value, dict)}
        row.pop("adjusted", None)
        row |= {f"raw_{end}": figure for end, figure in asdict(self.raw).items()}
        missing = None if self.why is None else NOT_ESTIMABLE
        found = {} if self.adjusted is None else asdict(self.adjusted)
        return row | {f"adjusted_{e}": found.get(e, missing) for e in ("value", "low", "high")}


def differential(
    predicted: Array,
    groups: Array,
    taxonomy: Taxonomy,
    confusion: Array | None = None,
    *,
    level: float = 0.95,
    n_draws: int = 1000,
    seed: int = 0,
) -> list[DifferentialRow]:
    """The differential of each slide or patient.

    Args:
        predicted: Shape (n,), predicted column index.
        groups: Shape (n,), slide or patient of each cell.
        taxonomy: The classes, and which of them are leukocytes.
        confusion: Shape (k, k), counts on labelled cells that the classifier has not seen, rows the
            truth; None gives no adjusted figures.
        level: Probability mass between the limits.
        n_draws: Draws for the adjusted limits.
        seed: Of the draws; a group's figures do not depend on the other groups.

    Returns:
        For each group, sorted, one row a class in clinical order, then the immature granulocytes
        if the taxonomy has them.

    Raises:
        ShapeError: Arrays do not fit each other, or a cell has no group.
        TaxonomyError: No class is a leukocyte.
    """
    k = len(taxonomy)
    calls = check_indices(predicted, k, "predicted")
    n_groups, number = group_numbers(groups, len(calls))
    names = np.unique(np.asarray(groups).astype(str))
    counts = np.bincount(number * k + calls, minlength=n_groups * k).reshape(n_groups, k)
    parts, labels = parts_of(taxonomy)
    check_leukocytes(taxonomy)
    adjusted = _adjusted(counts, parts, taxonomy, confusion, level, n_draws, seed)
    why = _why_not(parts, taxonomy, confusion)
    rows = []
    for group, name in enumerate(names):
        raw = raw_percents(counts[group], parts, taxonomy.is_leukocyte, level)
        n_leukocytes = int(counts[group][taxonomy.is_leukocyte].sum())
        for part, label in enumerate(labels):
            found = None if adjusted is None or why[part] else Percent(*adjusted[group, :, part])
            rows.append(
                DifferentialRow(
                    str(name),
                    label,
                    not (parts[part] & ~taxonomy.is_leukocyte).any(),
                    int(counts[group][parts[part]].sum()),
                    n_leukocytes,
                    raw[part],
                    found,
                    why[part],
                )
            )
    return rows


def check_leukocytes(taxonomy: Taxonomy) -> None:
    """Make sure that there is something to count percentages of.

    Raises:
        TaxonomyError: No class is a leukocyte.
    """
    if not taxonomy.is_leukocyte.any():
        raise TaxonomyError(f"taxonomy {taxonomy.name!r} has no leukocyte: nothing makes up 100 %")


def parts_of(taxonomy: Taxonomy) -> tuple[Array, list[str]]:
    """What a differential has figures of.

    Returns:
        Which classes each figure sums, shape (m, k), and their names: the classes in clinical
        order, then the immature granulocytes where the taxonomy has one of them.
    """
    # "IG" is a class where the training cells name no finer one.
    immature = np.isin(taxonomy.codes, (*IMMATURE_GRANULOCYTES, "IG")) & taxonomy.is_leukocyte
    order = clinical_order(taxonomy)
    each = np.eye(len(taxonomy), dtype=bool)[list(order)]
    codes = [taxonomy.codes[column] for column in order]
    if not immature.any():
        return each, codes
    return np.vstack([each, immature]), [*codes, IMMATURE]


def raw_percents(
    counts: Array, parts: Array, is_leukocyte: Array, level: float = 0.95
) -> list[Percent]:
    """Figures of one group as called, with the limits of counting alone.

    Args:
        counts: Shape (k,), cells called each class.
        parts: Shape (m, k), from `parts_of`.
        is_leukocyte: Shape (k,).
        level: Probability mass between the limits.
    """
    whole = int(counts[is_leukocyte].sum())
    found = []
    for part in parts:
        count = int(counts[part].sum())
        is_inside = not (part & ~is_leukocyte).any()
        low, high = (
            float(end)
            for end in clopper_pearson(count, whole if is_inside else whole + count, level)
        )
        if not is_inside:  # a share p of both is a ratio p / (1 - p) to the leukocytes
            low, high = (end / (1 - end) if end < 1 else np.inf for end in (low, high))
        # Not 100 * (count / whole): 23 of 80 would be 28.749999999999996, and be stated as 28.7.
        value = 100 * count / whole if whole else np.nan
        found.append(Percent(value, 100 * low, 100 * high))
    return found


def _adjusted(
    counts: Array,
    parts: Array,
    taxonomy: Taxonomy,
    confusion: Array | None,
    level: float,
    n_draws: int,
    seed: int,
) -> Array | None:
    """Value, low and high of each group's parts, per 100 leukocytes, shape (groups, 3, m)."""
    if confusion is None:
        return None
    k, whole = len(taxonomy), taxonomy.is_leukocyte
    table = np.asarray(confusion)
    if table.shape != (k, k):
        raise ShapeError(f"confusion: expected shape {(k, k)}, got {table.shape}")
    mix = mixture.estimate_mix(counts, mixture.call_rates(table))
    drawn = mixture.draw_call_rates(table, n_draws, seed)
    found = np.empty((len(counts), 3, len(parts)))
    for group, count in enumerate(counts):
        base = mix[group][whole].sum()
        found[group, 0] = parts @ mix[group] / base if base > 0 else np.nan
        found[group, 1:] = mixture.share_limits(count, drawn, parts, whole, seed, level)
    # The estimate never has a share below 0, the draws may: it can lie a hair outside their middle.
    found[:, 1] = np.fmin(found[:, 1], found[:, 0])
    found[:, 2] = np.fmax(found[:, 2], found[:, 0])
    return 100 * found


def _why_not(parts: Array, taxonomy: Taxonomy, confusion: Array | None) -> list[str | None]:
    if confusion is None:
        return [None] * len(parts)
    labelled = dict(zip(taxonomy.codes, np.asarray(confusion).sum(axis=1).tolist(), strict=True))
    found = []
    for part in parts:
        of = (taxonomy.codes[column] for column in np.flatnonzero(part))
        few = [f"{code}: {why}" for code in of if (why := too_few(int(labelled[code]), None))]
        found.append("; ".join(few) or None)
    return found
