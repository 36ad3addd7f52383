"""Prediction sets on the same probabilities: ours beside MAPIE and crepes.

Probabilities are of the bundle that learned from PBC-LT's training cells alone, on its
evaluation split. Each of five folds of that split is covered by limits from the other four, in
several deals. Calibration cells are as many of each class as there are (64), or in the long tail of
the training cells: 64 neutrophils and down to one promyelocyte, as a laboratory has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.comparison.models import predictions, training_counts
from benchmarks.comparison.rows import Better, Place, Row, once, run, versions
from sklearn.model_selection import StratifiedKFold

from buffycoat.refine.conformal import fit_conformal
from buffycoat.taxonomy import PBC

ALPHA = 0.1
FOLDS, DEALS = 5, 10
ALONE = Path(__file__).with_name("rival_sets.py")
LEAST_COVERAGE = 0.8
"""Of every class. A method below it does not do what was asked, however small its sets are."""
MARGIN = 0.05
"""Labels a set by which two methods must differ."""
OURS = "buffycoat"


def calibrations(targets: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Kind of calibration cells -> which cells each deal and fold calibrates on, (s, n), bool.

    Args:
        targets: Shape (n,).
        counts: Training cells of each class, shape (k,), which give the long tail.
    """
    balanced, tailed = [], []
    for deal in range(DEALS):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=deal)
        rng = np.random.default_rng(deal)
        for seen, _ in folds.split(targets, targets):
            is_seen = np.zeros(len(targets), dtype=bool)
            is_seen[seen] = True
            balanced.append(is_seen)
            tailed.append(is_seen & _long_tail(targets, seen, counts, rng))
    return {"64 cells a class": np.stack(balanced), "a long tail": np.stack(tailed)}


def _long_tail(
    targets: np.ndarray, seen: np.ndarray, counts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    kept = np.zeros(len(targets), dtype=bool)
    for column, count in enumerate(counts):
        own = rng.permutation(seen[targets[seen] == column])
        kept[own[: max(1, round(len(own) * count / counts.max()))]] = True
    return kept


def ours(probs: np.ndarray, targets: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Sets of every cell by each split's limits, shape (s, n, k), bool."""
    lineages = [cell.lineage for cell in PBC.classes]
    return np.stack(
        [
            fit_conformal(probs[rows], targets[rows], ALPHA, lineages).sets(probs)
            for rows in calibration
        ]
    )


def figures(sets: np.ndarray, tested: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Coverage of all classes alike and of the least covered, and size, over all deals.

    Args:
        sets: Shape (s, n, k), bool.
        tested: Shape (s, n), bool: the cells of the split's own fold.
        targets: Shape (n,).
    """
    is_held = np.take_along_axis(sets, targets[None, :, None], axis=2)[..., 0]
    of_class = [
        float(is_held[:, targets == column][tested[:, targets == column]].mean())
        for column in np.unique(targets)
    ]
    sizes = sets.sum(axis=2)[tested]
    return {
        "coverage": float(np.mean(of_class)),
        "least": float(np.min(of_class)),
        "size": float(sizes.mean()),
        "empty": float((sizes == 0).mean()),
    }


def compare(place: Place) -> dict[str, Any]:
    """Kind of calibration cells -> method -> figures."""
    probs, targets = predictions(place, "ours")
    found: dict[str, Any] = {}
    for kind, calibration in calibrations(targets, training_counts(place)).items():
        tested = _tested(targets)
        given, made = place.work / "sets-in.npz", place.work / "sets-out.npz"
        np.savez(given, probs=probs, targets=targets, calibration=calibration, alpha=ALPHA)
        run([place.rivals, ALONE, given, made])
        with np.load(made) as rivals:
            sets = {OURS: ours(probs, targets, calibration), **dict(rivals)}
        found[kind] = {name: figures(of, tested, targets) for name, of in sets.items()}
    return found


def _tested(targets: np.ndarray) -> np.ndarray:
    """Cells of each deal's and fold's own fold, shape (s, n), bool."""
    return ~calibrations(targets, np.ones(len(PBC)))["64 cells a class"]


def better(own: dict[str, float], other: dict[str, float]) -> Better:
    """The method that covers every class, or of two that do (or do not) the one of smaller sets."""
    covers = own["least"] >= LEAST_COVERAGE, other["least"] >= LEAST_COVERAGE
    if covers[0] != covers[1]:
        return "buffycoat" if covers[0] else "other"
    if abs(own["size"] - other["size"]) <= MARGIN:
        return "neither"
    return "buffycoat" if own["size"] < other["size"] else "other"


def rows(place: Place) -> list[Row]:
    """A row a method and kind of calibration cells."""
    known = versions(place.rivals, "mapie", "crepes")
    found = once(place.work / "sets.json", lambda: compare(place))
    return [
        Row(
            "prediction sets",
            f"90 % sets calibrated on {kind}: coverage, that of the worst class, labels a set; "
            "PBC-LT eval, cross-fitted",
            f"{name.split(',')[0]} {known[name.split(',')[0].lower()]},{name.split(',')[1]}",
            _words(of[OURS]),
            _words(theirs),
            better(of[OURS], theirs),
            "run",
            "",
        )
        for kind, of in found.items()
        for name, theirs in of.items()
        if name != OURS
    ]


def _words(of: dict[str, float]) -> str:
    empty = f", {of['empty']:.0%} are empty" if of["empty"] >= 0.005 else ""
    return f"{of['coverage']:.2f}, {of['least']:.2f}, {of['size']:.2f}{empty}"
