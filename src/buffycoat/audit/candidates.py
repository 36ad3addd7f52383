"""Pairs of cells that may show one photograph, by matrix products in blocks."""

from __future__ import annotations

import numpy as np

from buffycoat.audit import perceptual
from buffycoat.audit.scan import Scan

NEAREST = 5
"""Candidates a cell and kind of search. On 2,138 training cells of PBC-LT the true copy was the
first of them for 95-100 % of crops and degraded copies; more room is for larger collections."""
FRAME_AT_LEAST = 0.65
"""Agreement of frame hashes (1: all signs, 0: chance). Copies of training cells of PBC-LT that
were compressed, turned, degraded or brightened: 98 % reach 0.75; the likest stranger 0.68."""
CELL_AT_LEAST = 0.4
"""The same for the cell's window, which a crop places a little elsewhere: 98 % of crops to 0.85
reach 0.59, of crops to 0.75 0.48; one stranger in a thousand reaches 0.51."""
COSINE_AT_LEAST = 0.8
"""Of embeddings by EfficientNet-Lite0. 98 % of copies cropped to 0.85 reach 0.81 (their median is
0.90, that of the likest stranger in a thousand 0.88); degraded copies lie far lower, and are left
to the hashes."""
N_ALIKE = 2
"""Nearest by embedding: they are for the crops to which the hashes gave no lead."""
ROWS_AT_ONCE = 512


def find_candidates(scan: Scan, rows: np.ndarray) -> np.ndarray:
    """Pairs that are worth a closer look.

    Args:
        scan: What is known of the cells.
        rows: The cells to search, shape (m,), in order, each picture once.

    Returns:
        Shape (c, 2), each pair once: two rows of the manifest, the smaller first.
    """
    frames = scan.frame_hashes[rows].astype(np.float32)
    cells = scan.cell_hashes[rows].astype(np.float32)
    embeddings = None if scan.embeddings is None else scan.embeddings[rows]
    found: set[tuple[int, int]] = set()
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = np.arange(start, min(start + ROWS_AT_ONCE, len(rows)))
        found |= _nearest(_agreement(frames, part), part, NEAREST, FRAME_AT_LEAST)
        found |= _nearest(_agreement(cells, part), part, NEAREST, CELL_AT_LEAST)
        if embeddings is not None:
            cosine = embeddings[part] @ embeddings.T
            found |= _nearest(cosine, part, N_ALIKE, COSINE_AT_LEAST)
    return rows[np.array(sorted(found), dtype=np.int64).reshape(-1, 2)]


def _agreement(hashes: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Best agreement over the eight orientations, shape (len(part), m)."""
    best = np.full((len(part), len(hashes)), -1.0, np.float32)
    for orientation in range(8):
        turned = perceptual.orient_hashes(hashes[part], orientation)
        np.maximum(best, turned @ hashes.T, out=best)
    return best / perceptual.BITS


def _nearest(
    scores: np.ndarray, part: np.ndarray, count: int, least: float
) -> set[tuple[int, int]]:
    """Positions of each row's highest scores off itself, as pairs, the smaller first."""
    scores[np.arange(len(part)), part] = -np.inf
    count = min(count, scores.shape[1] - 1)
    if count < 1:
        return set()
    columns = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    is_near = np.take_along_axis(scores, columns, axis=1) >= least
    row, place = np.nonzero(is_near)
    pairs = np.sort(np.stack([part[row], columns[row, place]], axis=1), axis=1)
    return {(int(a), int(b)) for a, b in pairs}
