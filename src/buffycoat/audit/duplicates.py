"""One photograph more than once: exact copies, and near ones."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from buffycoat.audit.findings import Finding, Looked
from buffycoat.audit.naming import TRAIN, Cells, ids_of, originals_of, splits_of
from buffycoat.audit.pairs import Pair, group
from buffycoat.plurals import counted

EXACT = "exact_copies"
NEAR = "near_duplicates"
FOLDED = (
    "Copies within labelled training cells count as well, since those are cut into folds; in "
    "another split, or of one patient, they are notes."
)


def check_exact(frame: pd.DataFrame, pairs: Sequence[Pair]) -> Looked:
    """The same file or the same pixels: a finding across splits and in cells that are folded."""
    exact = [pair for pair in pairs if pair.is_exact]
    said = "The bytes of all files and the pixels of all images were compared."
    return _look(EXACT, frame, group(exact), said)


def check_near(frame: pd.DataFrame, pairs: Sequence[Pair], searched: str) -> Looked:
    """The same photograph, turned, cropped or encoded anew; degraded twins have their own check.

    Args:
        frame: Of the manifest.
        pairs: All of them.
        searched: How candidates were found, in a sentence.
    """
    splits = splits_of(frame)
    originals = originals_of(frame)
    near = [pair for pair in pairs if not pair.is_exact and not is_twin(pair, splits)]
    told = [pair for pair in near if not _is_stated(pair, splits, originals)]
    n_left = len(near) - len(told)
    said = f"{searched} Left out: {counted(n_left, 'pair')} in one split that original_id names."
    # The search passed over exact copies of a cell, and they may lie in another split than it.
    copies: dict[int, list[int]] = {}
    for pair in pairs:
        if pair.is_exact:
            copies.setdefault(pair.first, []).append(pair.second)
    groups = [
        (sorted({*rows, *(copy for row in rows for copy in copies.get(row, []))}), inside)
        for rows, inside in group(told)
    ]
    return _look(NEAR, frame, groups, said if n_left else searched)


def _is_stated(pair: Pair, splits: Sequence[str], originals: Sequence[str]) -> bool:
    """Whether the data itself says that two cells of a split are one photograph."""
    same_original = originals[pair.first] == originals[pair.second]
    return same_original and splits[pair.first] == splits[pair.second]


def is_twin(pair: Pair, splits: Sequence[str]) -> bool:
    """Whether a pair is a training cell and a degraded or pristine copy that is held out."""
    sides = (splits[pair.first] == TRAIN, splits[pair.second] == TRAIN)
    return pair.is_degraded and sides[0] != sides[1]


def _look(
    name: str, frame: pd.DataFrame, groups: Sequence[tuple[list[int], list[Pair]]], said: str
) -> Looked:
    cells, patients = Cells.of(frame), ids_of(frame, "patient_id")
    findings = [_finding(name, cells, patients, *members) for members in groups]
    findings.sort(key=lambda finding: finding.severity)
    return Looked(tuple(findings), f"{said} {FOLDED}")


def _finding(
    name: str, cells: Cells, patients: Sequence[str], rows: list[int], inside: list[Pair]
) -> Finding:
    weakest = min(inside, key=lambda pair: pair.correlation)
    words = weakest.words if len(rows) == 2 else f"{len(rows)} copies of one photograph"
    message = f"{cells.name(rows)} - {words}"
    is_across = len({cells.splits[row] for row in rows}) > 1
    is_folded = _is_folded(cells, patients, rows)
    if not is_across:
        place = "in training cells, which are cut into folds" if is_folded else "in one split"
        message = f"more than once {place}: {message}"
    severity = "finding" if is_across or is_folded else "note"
    return cells.finding(name, severity, message, rows, weakest.correlation, True)


def _is_folded(cells: Cells, patients: Sequence[str], rows: Sequence[int]) -> bool:
    """Whether two of the cells could be in two folds: labelled, in training, not of one patient."""
    dealt = [row for row in rows if cells.splits[row] == TRAIN and cells.labels[row]]
    is_of_one = len({patients[row] for row in dealt}) == 1 and bool(dealt and patients[dealt[0]])
    return len(dealt) > 1 and not is_of_one
