"""Which cells to label next: those that the model is unsure of, and unlike each other.

Each step takes the cell with the largest product of its uncertainty (entropy of the class
probabilities over its maximum) and its distance (Hellinger) from the cells taken before: the greedy
k-centre rule of core-set selection (Sener and Savarese 2018, arXiv 1708.00489), weighted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def choose_next(probs: Array, known: Array, count: int) -> list[int]:
    """Rows to label next, the first first.

    Args:
        probs: Class probabilities, shape (n, k), rows sum to 1.
        known: Shape (n,), bool: rows that have a label already; they are not chosen, and what is
            like them is less worth.
        count: Rows wanted.
    """
    n, k = probs.shape
    if not n or k < 2:
        return []
    roots = np.sqrt(np.clip(probs, 0, 1))
    safe = np.where(probs > 0, probs, 1.0)
    uncertainty = -(probs * np.log(safe)).sum(axis=1) / np.log(k)
    distance = np.ones(n)
    for row in np.flatnonzero(known):
        distance = np.minimum(distance, _hellinger(roots, int(row)))
    chosen: list[int] = []
    worth = np.where(known, -1.0, 0.0)
    for _ in range(min(count, int((~known).sum()))):
        row = int(np.argmax(np.where(worth < 0, -1.0, uncertainty * distance)))
        chosen.append(row)
        worth[row] = -1.0
        distance = np.minimum(distance, _hellinger(roots, row))
    return chosen


def _hellinger(roots: Array, row: int) -> Array:
    """Distance of every row from one, 0 to 1; `roots` are square roots of probabilities."""
    return np.sqrt(np.clip(1 - roots @ roots[row], 0, 1))
