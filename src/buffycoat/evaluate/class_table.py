"""Scores of each class with intervals, and which of them so few cells cannot carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.evaluate import metrics
from buffycoat.evaluate.bootstrap import Resamples
from buffycoat.evaluate.draws import group_numbers
from buffycoat.evaluate.interval import NOT_ESTIMABLE, Interval
from buffycoat.plurals import counted
from buffycoat.taxonomy import Taxonomy

Array = np.ndarray[Any, Any]
Prevalence = Mapping[str, float]

MIN_SUPPORT = 5
"""Cells of a class under which its own scores are not given: at 4, one cell is 25 points."""
MIN_PATIENTS = 5
"""Patients with cells of a class under which its own scores are not given: a resample of 4 leaves
out a given one a third of the time, and the interval's ends are single patients."""

SCORES = ("precision", "sensitivity", "specificity", "npv", "f1")
_OF_CALLS = {"precision", "ppv_at_prevalence"}
"""Scores whose denominator is the cells called the class, not the cells of it."""


def class_rows(
    resamples: Resamples,
    taxonomy: Taxonomy,
    train_counts: Mapping[str, int] | None = None,
    n_patients: Array | None = None,
    prevalence: Prevalence | None = None,
) -> list[dict[str, Any]]:
    """One row a class.

    Args:
        resamples: Of the split.
        taxonomy: Names the classes.
        train_counts: Training cells of each code, for the bands.
        n_patients: From `patients_of_class`; None at image level.
        prevalence: Share of each code in the stream that predictive values are wanted for; a code
            that is absent counts 0.

    Returns:
        Plain values. Each score has its `_interval`. Both are "not estimable" where the class has
        too few cells or patients (`why` says how many), precision also where too few cells are
        called the class, and any score that has nothing to count on, such as the NPV of a class
        that every cell is called. The interval alone is where no patient differs from another.

    Raises:
        ShapeError: A prevalence is no mix of the classes.
    """
    intervals = _intervals(resamples, _mix(prevalence, taxonomy))
    bands = {} if train_counts is None else taxonomy.bands(train_counts)
    of_class = metrics.per_class(resamples.observed)
    rows = []
    for i, cell in enumerate(taxonomy.classes):
        support, called = int(of_class.support[i]), int(of_class.called[i])
        patients = None if n_patients is None else int(n_patients[i])
        why = too_few(support, patients)
        row: dict[str, Any] = {"code": cell.code, "name": cell.name, "support": support}
        row |= {"called": called, "n_patients": patients, "why": why}
        row |= {"band": bands.get(cell.code), "n_train": None}
        if train_counts is not None:
            row["n_train"] = int(train_counts.get(cell.code, 0))
        if prevalence is not None:
            row["prevalence"] = float(prevalence.get(cell.code, 0.0))
        for name, of in intervals.items():
            found = None if why or (name in _OF_CALLS and called < MIN_SUPPORT) else of[i]
            row[name] = NOT_ESTIMABLE if found is None else found.estimate
            row[f"{name}_interval"] = NOT_ESTIMABLE
            if found is not None and found.low is not None:
                row[f"{name}_interval"] = found.to_dict()
        rows.append(row)
    return rows


def too_few(n_cells: int, n_patients: int | None) -> str | None:
    """Why a class is not estimable, with the n; None if it is.

    Args:
        n_cells: Cells of the class.
        n_patients: Patients that have them; None at image level.
    """
    if n_cells < MIN_SUPPORT:
        return f"{counted(n_cells, 'cell')}, at least {MIN_SUPPORT} are needed"
    if n_patients is not None and n_patients < MIN_PATIENTS:
        return f"cells of {counted(n_patients, 'patient')}, at least {MIN_PATIENTS} are needed"
    return None


def patients_of_class(targets: Array, groups: Array, k: int) -> Array:
    """How many patients have cells of each class, shape (k,).

    Args:
        targets: Shape (n,), true column index.
        groups: Shape (n,), patient of each cell.
        k: Number of classes.
    """
    n_groups, number = group_numbers(groups, len(targets))
    has_class = np.zeros((n_groups, k), dtype=bool)
    has_class[number, targets] = True
    return has_class.sum(axis=0)


def _intervals(resamples: Resamples, mix: Array | None) -> dict[str, list[Interval | None]]:
    """Name of a score -> its interval for each class; None where it has nothing to count on."""
    k = len(resamples.observed)
    found: dict[str, list[Interval | None]] = {
        name: [_counted(resamples, name, i) for i in range(k)] for name in SCORES
    }
    if mix is None:
        return found
    for part, name in enumerate(("ppv_at_prevalence", "npv_at_prevalence")):
        of_class = resamples.intervals(
            lambda c, part=part: metrics.predictive_values(metrics.reweighted(c, mix), mix, np.nan)[
                part
            ],
            are_calls=True,
        )
        found[name] = [None if np.isnan(of.estimate) else of for of in of_class]
    return found


def _counted(resamples: Resamples, name: str, i: int) -> Interval | None:
    """A score of one class that is a share of counted cells, with exact limits.

    F1 is one too: of the cells that are of the class or called it, the share J that is both, as
    F1 = 2 J / (1 + J).
    """
    table = resamples.observed
    hits, support, called = int(table[i, i]), int(table[i].sum()), int(table[:, i].sum())
    total = int(table.sum())
    right, among = {
        "precision": (hits, called),
        "sensitivity": (hits, support),
        "specificity": (total - support - called + hits, total - support),
        "npv": (total - support - called + hits, total - called),
        "f1": (hits, support + called - hits),
    }[name]
    if not among:
        return None

    def score(confusion: Array) -> Array:
        return getattr(metrics.per_class(confusion, np.nan), name)[..., i]

    return resamples.proportion(right, among, score, _dice if name == "f1" else None)


def _dice(share: float) -> float:
    """Dice's coefficient of a Jaccard index."""
    return 2 * share / (1 + share)


def _mix(prevalence: Prevalence | None, taxonomy: Taxonomy) -> Array | None:
    if prevalence is None:
        return None
    mix = np.array([prevalence.get(code, 0.0) for code in taxonomy.codes], dtype=float)
    unknown = taxonomy.lacks(prevalence)
    if unknown or not (mix >= 0).all() or not np.isclose(mix.sum(), 1, atol=1e-6):
        raise ShapeError(
            f"prevalence: expected shares of {', '.join(taxonomy.codes)} that sum to 1, "
            f"got {dict(prevalence)!r}"
        )
    return mix
