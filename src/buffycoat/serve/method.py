"""The readers' differentials beside the model's, over all slides that were read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sqlalchemy import Connection

from buffycoat.errors import NotEstimableError
from buffycoat.evaluate.agreement import compare_slides, kappa
from buffycoat.evaluate.metrics import confusion
from buffycoat.serve.catalogue import Catalogue
from buffycoat.serve.states import EXTRA, final_labels, labels_of, states
from buffycoat.taxonomy import Taxonomy

DRAWS = 200
"""Of slides, for the interval of kappa."""


def compare_methods(reader: Connection, catalogue: Catalogue) -> dict[str, Any]:
    """Method comparison of readers and model, class by class and cell by cell.

    The reader corrects what the model proposes, so the two are not independent: agreement is higher
    than with a reader who does not see the model's classes.

    Each has the percentages of its own count: a cell to which the reader gave no class (`EXTRA`) is
    in the model's, which called it something, and not in the reader's. In kappa it is a
    disagreement.

    Args:
        reader: From `Store.reading`.
        catalogue: Of the cells.

    Returns:
        Plain values: `n_slides`, `n_cells`, `kappa` with its limits, `no_class` (label -> cells
        that have it from the reader), and `classes` as `ClassAgreement.to_dict` has them, with
        `model_count` and how many of these have `no_class` from the reader; empty where no slide
        was read, or on none both counted a leukocyte.
    """
    taxonomy = catalogue.taxonomy
    codes = [*taxonomy.codes, *(code for code in EXTRA if code not in taxonomy.codes)]
    column = {code: place for place, code in enumerate(codes)}
    tables = []
    for state in states(reader):
        if not state.is_read:
            continue
        cells = catalogue.slide(reader, state.id)
        final = final_labels(state, cells.predicted, labels_of(reader, state.id)).labels
        kept = [n for n in final if n not in cells.not_counted]
        read = np.array([column[final[n]] for n in kept], dtype=np.int64)
        called = np.array([column[cells.predicted[n]] for n in kept], dtype=np.int64)
        tables.append(confusion(read, called, len(codes)))
    if not tables:
        return {"n_slides": 0, "n_cells": 0, "kappa": None, "no_class": {}, "classes": []}
    counts = np.stack(tables)  # (slides, k + extra, k + extra), rows the reader
    found = kappa(counts, n_draws=DRAWS)
    outside = counts[:, len(taxonomy) :].sum(axis=(0, 2))
    return {
        "n_slides": len(tables),
        "n_cells": int(counts.sum()),
        "kappa": {key: _plain(value) for key, value in vars(found).items()},
        "no_class": {
            code: int(n) for code, n in zip(codes[len(taxonomy) :], outside, strict=True) if n
        },
        "classes": _classes(counts, taxonomy),
    }


def _classes(counts: np.ndarray, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """A row a class.

    Args:
        counts: Shape (slides, k + extra, k + extra), rows the reader; classes come first.
        taxonomy: Gives the k classes.
    """
    k = len(taxonomy)
    by_model = counts[:, :, :k]  # (slides, k + extra, k)
    try:
        rows = compare_slides(counts[:, :k].sum(axis=2), by_model.sum(axis=1), taxonomy)
    except NotEstimableError:  # every cell is an artefact, say; the page says that there is none
        return []
    found = []
    for row in rows:
        of = by_model[:, :, taxonomy.codes.index(row.name)].sum(axis=0)  # (k + extra,)
        more = {"model_count": int(of.sum()), "no_class": int(of[k:].sum())}
        found.append({key: _plain(value) for key, value in row.to_dict().items()} | more)
    return found


def _plain(value: Any) -> Any:
    """JSON has no word for what is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
