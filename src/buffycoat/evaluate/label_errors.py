"""Training labels that may be wrong, by what models say that have not seen the cell.

Confident learning (Northcutt et al. 2021, doi 10.1613/jair.1.12125) by cleanlab: a class is likely
for a cell if its probability is above the mean that cells of that class get. So a rare class has a
limit of its own, and its cells are not suspects because their probabilities are low throughout.
Scores of our own found no more, see benchmarks/results/labels/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.evaluate.scored import PROBABILITY, Scored
from buffycoat.optional import require

Array = np.ndarray[Any, Any]

EXTRA = "labels"
REASON = "label"


@dataclass(frozen=True)
class Suspects:
    """Cells in the order in which their labels should be looked at.

    Attributes:
        order: Shape (n,), rows; the most suspicious first.
        count: How many of them confident learning takes for wrong.
    """

    order: Array
    count: int


def rank_labels(given: Array, probs: Array) -> Suspects:
    """Order labels by how likely they are wrong.

    First come those that confident learning takes for wrong, then the others, both by normalised
    margin: probability of the given class less the highest of the others.

    Args:
        given: Shape (n,), column of the label.
        probs: Shape (n, k), of models that have not learned from the cell.

    Raises:
        MissingExtraError: Extra `labels` is not installed.
    """
    found = require("cleanlab.filter", EXTRA).find_label_issues(
        given,
        probs,
        filter_by="confident_learning",
        return_indices_ranked_by="normalized_margin",
        n_jobs=1,
    )
    margin = require("cleanlab.rank", EXTRA).get_normalized_margin_for_each_label(given, probs)
    rest = np.setdiff1d(np.argsort(margin, kind="stable"), found, assume_unique=True)
    return Suspects(np.concatenate([found, rest]).astype(np.int64), len(found))


def suspects_table(cells: Scored, count: int | None = None) -> tuple[pd.DataFrame, int]:
    """The most suspicious labels, in the columns of a table of predictions.

    `label` is the label as given, so that the review page shows the cell where it stands now.

    Args:
        cells: With out-of-fold probabilities; labels coarser than a class are left out.
        count: Rows; None for as many as confident learning takes for wrong.

    Returns:
        The table, and how many labels confident learning takes for wrong.
    """
    assert cells.probs is not None
    fine = np.flatnonzero(cells.taxonomy.is_fine(cells.targets))
    given = cells.taxonomy.encode([cells.targets[row] for row in fine])
    probs = cells.probs[fine]
    ranked = rank_labels(given, probs)
    order = ranked.order[: ranked.count if count is None else count]
    codes = np.array(cells.taxonomy.codes)
    likely = probs.copy()
    likely[np.arange(len(given)), given] = -1
    table = pd.DataFrame({"cell_id": [cells.cell_ids[row] for row in fine[order]]})
    table["label"] = codes[given[order]]
    table["suggested"] = codes[likely[order].argmax(axis=1)]
    table["probability"] = probs[order, given[order]]
    table["probability_suggested"] = likely[order].max(axis=1)
    table["is_abstained"], table["reasons"] = True, REASON
    table["evidence"] = [
        json.dumps([{"stage": "audit", "code": REASON, "text": _sentence(*row)}])
        for row in table.iloc[:, 1:5].itertuples(index=False)
    ]
    for column, code in enumerate(codes):
        table[PROBABILITY + code] = probs[order, column]
    return table, ranked.count


def _sentence(label: str, suggested: str, own: float, other: float) -> str:
    return (
        f"labelled {label}, for which models that have not seen the cell give {own:.2f}; they give "
        f"{other:.2f} for {suggested}"
    )
