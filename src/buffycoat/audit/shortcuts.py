"""Labels and splits that are predictable from an attribute of the file (shortcuts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from buffycoat.audit.findings import Finding
from buffycoat.audit.naming import TRAIN, Cells, order
from buffycoat.audit.predictable_groups import PredictableGroup, find_predictable_groups

MAX_VALUES_NAMED = 3


def find_shortcuts(
    check: str, frame: pd.DataFrame, rows: np.ndarray, attributes: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """Labels within each split, and splits, that an attribute predicts.

    Labels are looked at within a split, since splits may differ in their mix of classes and in
    their files without either predicting the other. Training cells are compared with every other
    split in turn, where both are labelled at an equal mix of classes.

    Args:
        check: Name of the check.
        frame: Of the manifest.
        rows: The readable cells, shape (m,).
        attributes: Name -> m values.

    Returns:
        For each label or split the strongest attribute alone, since one cause shows in several.
    """
    cells = Cells.of(frame)
    best: dict[tuple[str, str], tuple[float, Finding]] = {}
    for name, values in attributes.items():
        if len(set(values)) < 2:
            continue
        for place, what, group, kept in _predictable_groups(cells, rows, np.asarray(values)):
            message = f"{place}: {name} predicts {what} {_words(group)}"
            caught = rows[kept][group.rows].tolist()
            finding = cells.finding(check, "finding", message, caught, group.gain)
            if group.gain > best.get((place, what), (0.0, None))[0]:
                best[place, what] = (group.gain, finding)
    ranked = sorted(best.values(), key=lambda one: -one[0])
    return [finding for _, finding in ranked]


def _predictable_groups(
    cells: Cells, rows: np.ndarray, values: np.ndarray
) -> list[tuple[str, str, PredictableGroup, np.ndarray]]:
    """Where, what is predictable, by which rule, and positions in `rows` of the cells looked at."""
    labels, splits = (np.array(column)[rows] for column in (cells.labels, cells.splits))
    found = []
    for split in order(splits):
        kept = np.flatnonzero((splits == split) & (labels != ""))
        for one in find_predictable_groups(values[kept], labels[kept]):
            found.append((f"{split}, labels", one.group, one, kept))
    for split in order(splits):
        if split == TRAIN:
            continue
        kept = np.flatnonzero((splits == split) | (splits == TRAIN))
        is_labelled = all((labels[kept][splits[kept] == s] != "").all() for s in (TRAIN, split))
        strata = labels[kept] if is_labelled else None
        for one in find_predictable_groups(values[kept], splits[kept], strata):
            if one.group == split:
                found.append((f"{TRAIN} and {split}", f"the {split} cells", one, kept))
    return found


def _words(group: PredictableGroup) -> str:
    shown = ", ".join(group.values[:MAX_VALUES_NAMED])
    more = len(group.values) - MAX_VALUES_NAMED
    rest = f" and {more} more" if more > 0 else ""
    return (
        f"without a look at the cell: {shown}{rest} catches {group.sensitivity:.0%} of them and "
        f"{group.false_alarms:.0%} of the others"
    )
