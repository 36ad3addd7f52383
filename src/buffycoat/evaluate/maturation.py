"""Errors along a maturation line: a neighbour missed by one stage is not a stranger."""

from __future__ import annotations

from typing import Any

import numpy as np

from buffycoat.taxonomy import Taxonomy

Array = np.ndarray[Any, Any]


def stage_scores(confusion: Array, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """How far calls lie from the truth on each maturation line.

    Every class that has cells counts alike, however many it has.

    Args:
        confusion: Shape (k, k), rows the truth and columns the prediction.
        taxonomy: Gives the lines.

    Returns:
        One row a line that has cells: `lineage`, `classes` from young to old, `exact` (share called
        their own stage), `within_one` (or a neighbouring one), `off_line` (share called a class
        that is not on the line), `stages_off` (mean distance of those called on it, in stages).
    """
    rows = []
    for lineage, stages in taxonomy.lines().items():
        columns = [column for stage in stages for column in stage]
        rank = np.array([i for i, stage in enumerate(stages) for _ in stage])
        inside = confusion[np.ix_(columns, columns)].astype(float)
        total = confusion[columns].sum(axis=1).astype(float)
        has_cells = total > 0
        if not has_cells.any():
            continue
        inside, total, own = inside[has_cells], total[has_cells], rank[has_cells]
        away = np.abs(own[:, None] - rank[None, :])
        share = inside / total[:, None]
        on_line = share.sum(axis=1)
        is_seen = on_line > 0
        distance = (share * away).sum(axis=1)[is_seen] / on_line[is_seen]
        rows.append(
            {
                "lineage": lineage,
                "classes": [taxonomy.codes[column] for column in columns],
                "exact": float((share * (away == 0)).sum(axis=1).mean()),
                "within_one": float((share * (away <= 1)).sum(axis=1).mean()),
                "off_line": float((1 - on_line).mean()),
                "stages_off": float(distance.mean()) if is_seen.any() else None,
            }
        )
    return rows
