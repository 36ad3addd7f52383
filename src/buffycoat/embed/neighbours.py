"""Training cells that look most alike."""

from __future__ import annotations

import numpy as np


def nearest(
    queries: np.ndarray, stored: np.ndarray, count: int, exclude_same_row: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The stored cells of highest cosine similarity to each query.

    Args:
        queries: Shape (n, d), rows of length 1.
        stored: Shape (m, d), rows of length 1.
        count: Neighbours wanted.
        exclude_same_row: Queries are the stored cells: leave each cell itself out.

    Returns:
        Rows of `stored`, shape (n, c), nearest first, and their similarities, shape (n, c);
        c is `count`, or fewer where fewer cells are stored. Ties go to the lower row.
    """
    similarity = queries @ stored.T
    available = stored.shape[0]
    if exclude_same_row:
        np.fill_diagonal(similarity, -np.inf)
        available -= 1
    count = max(0, min(count, available))
    rows = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    return rows, np.take_along_axis(similarity, rows, axis=1)
