"""One photograph more than once: exact copies, and near ones."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from buffycoat.audit.findings import Finding, Looked
from buffycoat.audit.naming import TRAIN, Cells, originals_of, splits_of
from buffycoat.audit.pairs import Pair, group

EXACT = "exact_copies"
NEAR = "near_duplicates"
_ONE_SPLIT = "All cells are in one split ({split}); copies within it are listed as notes."


def check_exact(frame: pd.DataFrame, pairs: Sequence[Pair]) -> Looked:
    """The same file or the same pixels: a finding across splits, a note within one."""
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
    said = f"{searched} Left out: {n_left:,} pairs in one split that original_id names."
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
    cells = Cells.of(frame)
    findings = [_finding(name, cells, *members) for members in groups]
    findings.sort(key=lambda finding: finding.severity)
    if len(set(cells.splits)) == 1:
        said = f"{said} {_ONE_SPLIT.format(split=cells.splits[0])}"
    return Looked(tuple(findings), said)


def _finding(name: str, cells: Cells, rows: list[int], inside: list[Pair]) -> Finding:
    weakest = min(inside, key=lambda pair: pair.correlation)
    is_across = len({cells.splits[row] for row in rows}) > 1
    words = weakest.words if len(rows) == 2 else f"{len(rows)} copies of one photograph"
    message = f"{cells.name(rows)} - {words}"
    if not is_across:
        message = f"more than once in one split: {message}"
    severity = "finding" if is_across else "note"
    return cells.finding(name, severity, message, rows, weakest.correlation, True)
