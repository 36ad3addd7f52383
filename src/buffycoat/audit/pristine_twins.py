"""Training cells that are a held-out cell before or after degradation."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from buffycoat.audit.duplicates import is_twin
from buffycoat.audit.findings import Finding, Looked
from buffycoat.audit.naming import TRAIN, Cells, ids_of, originals_of
from buffycoat.audit.pairs import Pair

NAME = "pristine_twins"


def check(frame: pd.DataFrame, pairs: Sequence[Pair]) -> Looked:
    """Twins by their pictures, and those that the column `original_id` admits.

    Args:
        frame: Of the manifest.
        pairs: All pairs with one photograph.
    """
    cells, severities = Cells.of(frame), ids_of(frame, "severity")
    splits = cells.splits
    if len(set(splits)) == 1 or TRAIN not in splits:
        return Looked(not_checked="there are not both training and held-out cells")
    seen = {(pair.first, pair.second): pair for pair in pairs if is_twin(pair, splits)}
    findings = [
        _finding(cells, severities, rows, pair.words, pair.correlation)
        for rows, pair in seen.items()
    ]
    stated = [rows for rows in _stated(frame, splits) if rows not in seen]
    findings += [
        _finding(cells, severities, rows, "column original_id names one photograph for both", None)
        for rows in stated
    ]
    has_ids = any(ids_of(frame, "original_id"))
    how = "by picture and by original_id" if has_ids else "by picture; there is no original_id"
    return Looked(tuple(findings), f"Training cells were compared with all others {how}.")


def _stated(frame: pd.DataFrame, splits: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of a training and a held-out row with one original, the smaller row first."""
    cells: dict[str, list[int]] = {}
    for row, original in enumerate(originals_of(frame)):
        cells.setdefault(original, []).append(row)
    pairs = []
    for rows in cells.values():
        train = [row for row in rows if splits[row] == TRAIN]
        others = [row for row in rows if splits[row] != TRAIN]
        pairs += [(min(a, b), max(a, b)) for a in train for b in others]
    return sorted(pairs)


def _finding(
    cells: Cells, severities: Sequence[str], rows: tuple[int, int], words: str, number: float | None
) -> Finding:
    def name(row: int) -> str:
        stated = f" (severity {severities[row]})" if severities[row] else ""
        return f"{cells.splits[row]}: {cells.cell_ids[row]}{stated}"

    first, second = rows if cells.splits[rows[0]] == TRAIN else rows[::-1]
    message = f"{name(first)} and {name(second)} - {words}"
    return cells.finding(NAME, "finding", message, [first, second], number, True)
