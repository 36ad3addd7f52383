"""The report's map of embeddings: training cells, and the held-out cells that are shown there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.embed.map import lay_out, place
from buffycoat.predict.background import as_seen
from buffycoat.report.records import (
    DOUBTFUL,
    TRAINING,
    WRONG,
    CellLists,
    ExampleCell,
    MapPoint,
)

OF_A_CLASS = 50
"""Training cells of one class on the map."""
MARKED = 24
"""Doubtful cells, and wrong ones, that are looked up."""


def map_points(fitted: Fitted, cells: CellLists) -> list[MapPoint]:
    """Training cells, then the marked ones; empty where there are too few training cells.

    Args:
        fitted: Remembers the training cells, without pictures.
        cells: The held-out cells of the report; those with a picture are marked.
    """
    gallery, codes = fitted.gallery, fitted.taxonomy.codes
    chosen = _some_of_each(gallery.targets)
    rows = gallery.rows[chosen].astype(np.float64)
    places = lay_out(rows)
    if places is None:
        return []
    points = [
        MapPoint(gallery.cell_ids[row], TRAINING, codes[gallery.targets[row]], *_rounded(at))
        for row, at in zip(chosen.tolist(), places, strict=True)
    ]
    marked = [*_with_picture(cells.doubtful, DOUBTFUL), *_with_picture(cells.examples, WRONG)]
    if not marked:
        return points
    images = np.stack([cell.image for _, cell in marked if cell.image is not None])
    queries = fitted.encoder.encode(as_seen(images, fitted)).astype(np.float64) @ gallery.axes
    return points + [
        MapPoint(cell.caption, kind, cell.predicted, *_rounded(at), cell.image)
        for (kind, cell), at in zip(marked, place(queries, rows, places), strict=True)
    ]


def _some_of_each(targets: np.ndarray) -> np.ndarray:
    """Rows of at most `OF_A_CLASS` cells of each class, evenly from the first to the last."""
    parts = [np.flatnonzero(targets == column) for column in np.unique(targets)]
    steps = (np.linspace(0, len(of) - 1, min(len(of), OF_A_CLASS)).astype(int) for of in parts)
    return np.concatenate([of[step] for of, step in zip(parts, steps, strict=True)])


def _with_picture(cells: Sequence[ExampleCell], kind: str) -> list[tuple[str, ExampleCell]]:
    of_kind = [cell for cell in cells if kind == DOUBTFUL or cell.why == kind]
    return [(kind, cell) for cell in of_kind if cell.image is not None][:MARKED]


def _rounded(at: np.ndarray) -> tuple[float, float]:
    return round(float(at[0]), 4), round(float(at[1]), 4)
