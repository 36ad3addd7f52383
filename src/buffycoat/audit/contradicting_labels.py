"""One photograph under two labels."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from buffycoat.audit.findings import Looked
from buffycoat.audit.naming import Cells
from buffycoat.audit.pairs import Pair, group
from buffycoat.plurals import counted

NAME = "contradicting_labels"


def check(frame: pd.DataFrame, pairs: Sequence[Pair]) -> Looked:
    """One finding a photograph whose copies have different labels, whichever splits they are in.

    Two frames beside each other on one field are left out: each may have a cell of its own.
    """
    cells = Cells.of(frame)
    labels = cells.labels
    if len(set(labels) - {""}) < 2:
        return Looked(not_checked="there are not two labels in the data")
    pairs = [pair for pair in pairs if not pair.is_shifted]
    findings = []
    for rows, inside in group(pairs):
        told = [row for row in rows if labels[row]]
        if len({labels[row] for row in told}) < 2:
            continue
        named = [f"{labels[r]} ({cells.splits[r]}: {cells.cell_ids[r]})" for r in told]
        message = f"one photograph is labelled {' and '.join(named)}"
        weakest = min(pair.correlation for pair in inside)
        findings.append(cells.finding(NAME, "finding", message, told, weakest, True))
    n = len({row for pair in pairs for row in (pair.first, pair.second)})
    said = f"Compared were the labels of {counted(n, 'cell')} sharing a photograph with another."
    return Looked(tuple(findings), said)
