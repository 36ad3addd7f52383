"""The readers' differentials beside the model's, over all slides that were read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sqlalchemy import Connection

from buffycoat.evaluate.agreement import compare_slides, kappa
from buffycoat.evaluate.metrics import confusion
from buffycoat.serve.catalogue import Catalogue
from buffycoat.serve.states import final_labels, labels_of, states

DRAWS = 200
"""Of slides, for the interval of kappa."""


def compare_methods(reader: Connection, catalogue: Catalogue) -> dict[str, Any]:
    """Method comparison of readers and model, class by class and cell by cell.

    The reader corrects what the model proposes, so the two are not independent: agreement is higher
    than with a reader who does not see the model's classes.

    Args:
        reader: From `Store.reading`.
        catalogue: Of the cells.

    Returns:
        Plain values: `n_slides`, `n_cells`, `kappa` with its limits, `classes` as
        `ClassAgreement.to_dict` has them; empty where no slide was read.
    """
    taxonomy = catalogue.taxonomy
    tables = []
    for state in states(reader):
        if not state.is_read:
            continue
        cells = catalogue.slide(reader, state.id)
        final = final_labels(state, cells.predicted, labels_of(reader, state.id)).labels
        kept = [n for n, label in final.items()
                if label in taxonomy.codes and n not in cells.not_counted]  # fmt: skip
        read = taxonomy.encode([final[n] for n in kept])
        called = taxonomy.encode([cells.predicted[n] for n in kept])
        tables.append(confusion(read, called, len(taxonomy)))
    if not tables:
        return {"n_slides": 0, "n_cells": 0, "kappa": None, "classes": []}
    counts = np.stack(tables)  # (slides, k, k), rows the reader
    found = kappa(counts, n_draws=DRAWS)
    rows = [
        one.to_dict() for one in compare_slides(counts.sum(axis=2), counts.sum(axis=1), taxonomy)
    ]
    shown = [{key: _plain(value) for key, value in row.items()} for row in rows]
    return {
        "n_slides": len(tables),
        "n_cells": int(counts.sum()),
        "kappa": {key: _plain(value) for key, value in vars(found).items()},
        "classes": shown,
    }


def _plain(value: Any) -> Any:
    """JSON has no word for what is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
