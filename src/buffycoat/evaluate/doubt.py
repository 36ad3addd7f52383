"""What doubt is worth: coverage of prediction sets, and what abstention gains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.evaluate.summary import evaluate
from buffycoat.taxonomy import Taxonomy

Array = np.ndarray[Any, Any]

SELECTIVE = ("macro_f1", "balanced_macro_f1", "balanced_accuracy", "accuracy")
"""Scores that mean the same with fewer cells; macro averages are over the classes that are left."""
SHARES_KEPT = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)


def coverage_rows(
    sets: Array,
    targets: Array,
    codes: Sequence[str],
    groups: Array | None = None,
    level: float = 0.95,
) -> list[dict[str, Any]]:
    """How often the truth is in the set, class by class.

    Args:
        sets: Labels that were not ruled out, shape (n, k), bool.
        targets: Shape (n,), true column index.
        codes: Classes in column order.
        groups: Shape (n,): rows of one cell, or of one patient, share one, and count as one whose
            coverage is their mean; None if all differ.
        level: Of the exact intervals.

    Returns:
        One row a class and last one for "all", in which each class weighs the same: `class`, `n`
        (groups), `coverage`, `low`, `high` and `mean_size` of the sets. A class without cells has
        None for figures, and "all" no interval.

    Raises:
        ShapeError: The arrays do not match.
    """
    if sets.shape != (len(targets), len(codes)):
        raise ShapeError(f"expected sets ({len(targets)}, {len(codes)}), got {sets.shape}")
    names = np.arange(len(targets)) if groups is None else np.asarray(groups)
    covered, sizes = sets[np.arange(len(targets)), targets], sets.sum(axis=1)
    rows: list[dict[str, Any]] = []
    for column, code in enumerate(codes):
        inside = targets == column
        n = len(np.unique(names[inside]))
        row: dict[str, Any] = {"class": code, "n": n}
        figures: tuple[float | None, ...] = (None,) * 4
        if n:
            share = _mean_of_cells(covered[inside], names[inside])
            low, high = clopper_pearson(np.array(share * n), np.array(n), level)
            size = _mean_of_cells(sizes[inside], names[inside])
            figures = (share, float(low), float(high), size)
        rows.append(row | dict(zip(("coverage", "low", "high", "mean_size"), figures, strict=True)))
    known = [row for row in rows if row["n"]]
    means = {
        name: float(np.mean([row[name] for row in known])) if known else None
        for name in ("coverage", "mean_size")
    }
    n_all = sum(row["n"] for row in rows)
    return [*rows, {"class": "all", "n": n_all, "low": None, "high": None, **means}]


def _mean_of_cells(values: Array, names: Array) -> float:
    """Mean over cells of the mean of each one's rows: a cell with more rows weighs no more."""
    cell = np.unique(names, return_inverse=True)[1]
    return float((np.bincount(cell, weights=values) / np.bincount(cell)).mean())


def abstention_curve(
    targets: Array,
    predicted: Array,
    confidence: Array,
    k: int,
    shares: Sequence[float] = SHARES_KEPT,
) -> list[dict[str, Any]]:
    """Balanced macro-F1 of the surest cells, as more and more of the others are left to a person.

    Args:
        targets: Shape (n,), n >= 1.
        predicted: Shape (n,).
        confidence: Shape (n,), the larger the surer; ties stay in order.
        k: Number of classes.
        shares: Shares of the cells that are kept, each over 0 and up to 1.

    Returns:
        One row a share: `share_kept`, `n`, `least_confidence`, `balanced_macro_f1` over the classes
        that are left, how many those are (`classes`), and the share kept of the class that loses
        most (`least_share_of_a_class`): a curve that rises by giving up a class shows it there.

    Raises:
        ShapeError: The arrays do not match or are empty.
    """
    if not len(targets) == len(predicted) == len(confidence) or not len(targets):
        raise ShapeError(
            f"expected as many targets, predictions and confidences, at least one; got "
            f"{len(targets)}, {len(predicted)} and {len(confidence)}"
        )
    surest = np.argsort(-np.asarray(confidence), kind="stable")
    counts = np.bincount(targets, minlength=k)
    rows = []
    for share in shares:
        kept = surest[: max(1, round(share * len(targets)))]
        left = np.bincount(targets[kept], minlength=k)
        table = confusion(targets[kept], predicted[kept], k)
        rows.append(
            {
                "share_kept": len(kept) / len(targets),
                "n": len(kept),
                "least_confidence": float(confidence[kept[-1]]),
                "balanced_macro_f1": float(class_weighted_macro_f1(table)),
                "classes": int((left > 0).sum()),
                "least_share_of_a_class": float((left / np.maximum(counts, 1))[counts > 0].min()),
            }
        )
    return rows


def without_doubtful(
    predicted: Sequence[str],
    targets: Sequence[str],
    taxonomy: Taxonomy,
    doubtful: Array,
    patients: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Scores of the cells that are left when the doubtful ones are given to a person.

    Args:
        predicted: Shape (n,), n >= 1, predicted codes.
        targets: Shape (n,), true codes of classes and groups.
        taxonomy: The classes.
        doubtful: Shape (n,), bool.
        patients: Shape (n,); as in `summary.evaluate`.

    Returns:
        `n` (cells left), `n_doubtful`, `n_doubtful_right` (of those predicted right), `coverage`
        (share left), `lost` (classes of which no cell is left) and `SELECTIVE` as in
        `summary.evaluate`; None for scores where no cell of a known class is left.
    """
    left = ~doubtful
    called, truth = np.asarray(predicted), np.asarray(targets)
    lost = {*truth.tolist()} - {*truth[left].tolist()}
    right = taxonomy.allowed(truth.tolist())[
        np.arange(len(truth)), taxonomy.encode(called.tolist())
    ]
    record: dict[str, Any] = {
        "n": int(left.sum()),
        "n_doubtful": int(doubtful.sum()),
        "n_doubtful_right": int(right[doubtful].sum()),
        "coverage": float(left.mean()),
        "lost": [code for code in taxonomy.codes if code in lost],
        **dict.fromkeys(SELECTIVE),
    }
    if taxonomy.is_fine(truth[left].tolist()).any():
        groups = None if patients is None else np.asarray(patients)[left]
        scores = evaluate(called[left], truth[left], taxonomy, patients=groups)
        record |= {name: scores[name] for name in SELECTIVE}
    return record
