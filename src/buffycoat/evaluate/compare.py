"""Two methods on the same cells: the paired difference, and which cells changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from buffycoat.evaluate import metrics
from buffycoat.evaluate.class_table import patients_of_class, too_few
from buffycoat.evaluate.interval import NOT_ESTIMABLE
from buffycoat.evaluate.paired import PairedResamples, paired_resample
from buffycoat.evaluate.ranking import decided_by, ranking
from buffycoat.taxonomy import Taxonomy

Array = np.ndarray[Any, Any]

WON, LOST, BOTH_WRONG = "won", "lost", "both wrong"
SAME = ""
SCORES: dict[str, Any] = {
    "macro_f1": lambda c: metrics.macro_f1(c, over="truth"),
    "balanced_macro_f1": metrics.class_weighted_macro_f1,
    "balanced_accuracy": metrics.balanced_accuracy,
    "accuracy": metrics.accuracy,
}
"""Compared overall; macro averages are over the classes in the truth."""
EXACT_MCNEMAR = (
    "exact McNemar test of won against lost cells; it takes cells for independent (image-level)"
)


def changes(targets: Array, a: Array, b: Array) -> Array:
    """What b made of each cell that it calls otherwise than a.

    Args:
        targets: Shape (n,), true column index.
        a: Shape (n,), predictions of the first method.
        b: Shape (n,), predictions of the second.

    Returns:
        Shape (n,), "won" (wrong by a, right by b), "lost", "both wrong" (wrong in another way),
        or "" where both say the same.
    """
    kinds = [(b == targets) & (a != b), (a == targets) & (a != b), a != b]
    return np.select(kinds, [WON, LOST, BOTH_WRONG], SAME)


def mcnemar(won: int, lost: int) -> float:
    """Exact two-sided p of McNemar's test (1947, doi 10.1007/BF02295996).

    Args:
        won: Cells that only the second method calls right.
        lost: Cells that only the first one does.

    Returns:
        Probability of a split at least as uneven if either side were as likely; 1 without cells.
    """
    from scipy.stats import binomtest

    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def holm(p_values: Array) -> Array:
    """P values corrected for their number (Holm 1979), shape (m,)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(scaled, 1)
    return corrected


def compare(
    targets: Array,
    a: Array,
    b: Array,
    taxonomy: Taxonomy,
    patients: Array | None = None,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two methods; every difference is b less a.

    Args:
        targets: Shape (n,), true column index.
        a: Shape (n,), predictions of the first method.
        b: Shape (n,), predictions of the second.
        taxonomy: The classes.
        patients: Shape (n,), to resample them whole; None gives image-level intervals.
        n_resamples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        Plain values, no NaN: `overall` (score -> `a`, `b`, `difference`, each an
        `Interval.to_dict()`), `order_of_merit` (WBCBench's: which is `better`, "a", "b" or None,
        and what it was `decided_by`), `mcnemar`, `changed` (kind -> cells) and `per_class`, where
        won, lost and p are of the cells that are truly of the class.

    Raises:
        ShapeError: Arrays do not fit each other, or a cell has no patient.
    """
    k = len(taxonomy)
    pair = paired_resample(targets, a, b, k, patients, n_resamples=n_resamples, seed=seed)
    kinds = changes(np.asarray(targets), np.asarray(a), np.asarray(b))
    counts = {kind: int((kinds == kind).sum()) for kind in (WON, LOST, BOTH_WRONG)}
    p = mcnemar(counts[WON], counts[LOST])
    n_patients = None if patients is None else patients_of_class(targets, patients, k)
    support = pair.a.observed.sum(axis=1)
    return {
        "n": len(kinds),
        "n_patients": pair.a.basis.n_groups,
        "level": pair.a.basis.unit,
        "interval_method": pair.a.method,
        "absent": [code for code, n in zip(taxonomy.codes, support, strict=True) if n == 0],
        "overall": {name: _score(pair, name, metric) for name, metric in SCORES.items()},
        "order_of_merit": _order_of_merit(pair),
        "changed": counts,
        "mcnemar": {"won": counts[WON], "lost": counts[LOST], "p": p, "method": EXACT_MCNEMAR},
        "per_class": _class_rows(pair, np.asarray(targets), kinds, taxonomy, n_patients),
    }


def _score(pair: PairedResamples, name: str, metric: Any) -> dict[str, Any]:
    a, b = (
        (of.accuracy() if name == "accuracy" else of.interval(metric)).to_dict()
        for of in (pair.a, pair.b)
    )
    return {"a": a, "b": b, "difference": pair.interval(metric).to_dict()}


def _order_of_merit(pair: PairedResamples) -> dict[str, str | None]:
    a, b = (ranking(of.observed, over="truth") for of in (pair.a, pair.b))
    better = "a" if a > b else "b" if b > a else None
    return {"better": better, "decided_by": decided_by(a, b)}


def _class_rows(
    pair: PairedResamples,
    targets: Array,
    kinds: Array,
    taxonomy: Taxonomy,
    n_patients: Array | None,
) -> list[dict[str, Any]]:
    """One row a class that has cells: its F1s and what became of its cells."""
    of_a, of_b = (metrics.per_class(of.observed) for of in (pair.a, pair.b))
    difference = pair.intervals(lambda c: metrics.per_class(c, np.nan).f1)
    rows = []
    for i, cell in enumerate(taxonomy.classes):
        own = kinds[targets == i]
        if not len(own):
            continue
        patients = None if n_patients is None else int(n_patients[i])
        why = too_few(len(own), patients)
        won, lost = (int((own == kind).sum()) for kind in (WON, LOST))
        row = {"code": cell.code, "name": cell.name, "support": len(own), "n_patients": patients}
        row |= {"why": why, "won": won, "lost": lost}
        row |= {"both_wrong": int((own == BOTH_WRONG).sum()), "p": mcnemar(won, lost)}
        for name in ("f1", "sensitivity"):
            for method, of in (("a", of_a), ("b", of_b)):
                row[f"{name}_{method}"] = NOT_ESTIMABLE if why else float(getattr(of, name)[i])
        row["f1_difference"] = NOT_ESTIMABLE if why else difference[i].to_dict()
        rows.append(row)
    for row, p in zip(rows, holm(np.array([row["p"] for row in rows])), strict=True):
        row["p_holm"] = float(p)
    return rows
