"""Whether the labels are predictable from the order of the ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from buffycoat.audit.findings import Finding, Looked
from buffycoat.audit.naming import ids_of, labels_of, order, splits_of

NAME = "id_order"
MIN_CELLS = 20
"""Fewer say nothing of an order."""
SHUFFLES = 200
"""Orders drawn at random; a finding lies above all of them (p < 0.005)."""
GAIN_AT_LEAST = 0.1
"""Macro-F1 over that of random orders from which it matters. Ours: less would not change which of
two models looks better, and a chance order has to be let off at any size of the data."""
_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class _Predictable:
    """How predictable labels are from the order: score, mean and largest of random orders."""

    score: float
    chance: float
    luck: float

    @property
    def is_leak(self) -> bool:
        return self.score - self.chance >= GAIN_AT_LEAST and self.score > self.luck


def check(frame: pd.DataFrame, seed: int = 0) -> Looked:
    """How predictable each split's labels are from the label of the cell with the id before.

    The cell before is looked for among all labelled cells, and among those of the split alone; the
    better one counts. Class names within an id are dropped first, so that `LY_7.jpg` is 7.
    Cells that were made from another cell of the data are left out: their ids follow that one's.

    Args:
        frame: Of the manifest.
        seed: Of the random orders, and of the order of cells with equal ids.
    """
    labels, splits = np.array(labels_of(frame)), np.array(splits_of(frame))
    ids = ids_of(frame, "cell_id")
    known = {*ids}
    originals = zip(ids_of(frame, "original_id"), ids, strict=True)
    is_copy = np.array([name in known and name != own for name, own in originals], dtype=bool)
    rows = np.flatnonzero((labels != "") & ~is_copy)
    if len(rows) < MIN_CELLS or len(set(labels[rows])) < 2:
        return Looked(not_checked=f"fewer than {MIN_CELLS} labelled cells, or only one label")
    rng = np.random.default_rng(seed)
    ordered = [int(rows[place]) for place in _by_id([ids[row] for row in rows], {*labels}, rng)]
    labels, splits = labels[ordered], splits[ordered]
    findings, scores = [], []
    for split in order(splits):
        is_in = splits == split
        if is_in.sum() < MIN_CELLS or len(set(labels[is_in])) < 2:
            continue
        alone = _look(labels[is_in], np.ones(int(is_in.sum()), dtype=bool), rng)
        told = max(_look(labels, is_in, rng), alone, key=lambda one: one.score - one.chance)
        scores.append(f"{split} {told.score:.2f} (in random order {told.chance:.2f})")
        if told.is_leak:
            message = (
                f"{split}: giving each cell the label of the cell with the id before scores a "
                f"macro-F1 of {told.score:.2f}; in random order it would be "
                f"{told.chance:.2f}"
            )
            findings.append(Finding(NAME, "finding", message, number=told.score))
    said = f"Macro-F1 of copying the label of the cell with the id before: {'; '.join(scores)}."
    return Looked(tuple(findings), said)


def _look(labels: np.ndarray, is_in: np.ndarray, rng: np.random.Generator) -> _Predictable:
    codes = np.unique(labels, return_inverse=True)[1]
    shuffled = []
    for _ in range(SHUFFLES):
        drawn = rng.permutation(len(codes))
        shuffled.append(copy_score(codes[drawn], is_in[drawn]))
    return _Predictable(copy_score(codes, is_in), float(np.mean(shuffled)), max(shuffled))


def copy_score(codes: np.ndarray, is_in: np.ndarray) -> float:
    """Macro-F1 of copying the code before.

    Args:
        codes: Shape (n,), integers, in the order of ids.
        is_in: Shape (n,), bool: the cells that are scored; the first of all has none before it.
    """
    scored = is_in[1:]
    true, copied = codes[1:][scored], codes[:-1][scored]
    k = int(codes.max()) + 1
    hits = np.bincount(true[true == copied], minlength=k)
    of_class, called = np.bincount(true, minlength=k), np.bincount(copied, minlength=k)
    present = of_class > 0
    f1 = 2 * hits[present] / (of_class + called)[present]
    return float(f1.mean()) if len(f1) else 0.0


def _by_id(cell_ids: Sequence[str], labels: set[str], rng: np.random.Generator) -> np.ndarray:
    """Positions in the order of the ids, numbers as numbers; equal ones at random."""
    shuffled = rng.permutation(len(cell_ids))
    keys = [_key(cell_ids[int(row)], labels) for row in shuffled]
    return shuffled[sorted(range(len(keys)), key=keys.__getitem__)]


def _key(cell_id: str, labels: set[str]) -> list[tuple[int, str]]:
    name = cell_id.rpartition("/")[2].rpartition(".")[0] or cell_id
    parts = [part.strip("_- ") for part in _NUMBERS.split(name)]
    kept = [part for part in parts if part and part not in labels]
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in kept]
