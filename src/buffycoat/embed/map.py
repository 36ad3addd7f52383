"""A map of embeddings in two dimensions, for people: what lies near, looks alike."""

from __future__ import annotations

import numpy as np

from buffycoat.embed.neighbours import nearest

LEAST = 10
"""Cells without which there is no map."""
PERPLEXITY = 30.0
"""scikit-learn's own; less where cells are few."""
NEIGHBOURS = 5


def lay_out(rows: np.ndarray) -> np.ndarray | None:
    """Places of cells by t-SNE (van der Maaten and Hinton 2008), the same in every run.

    Args:
        rows: Embeddings, shape (n, d), rows of length 1.

    Returns:
        Shape (n, 2), each axis from 0 to 1; None for fewer than `LEAST` cells.
    """
    if len(rows) < LEAST:
        return None
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    with threadpool_limits(1):  # sums over threads come in any order
        places = TSNE(
            perplexity=perplexity, init="pca", max_iter=500, random_state=0
        ).fit_transform(np.asarray(rows, dtype=np.float64))
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - low) / np.maximum(high - low, 1e-9)


def place(queries: np.ndarray, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Places of further cells: amid the cells of the map that are most like them.

    Args:
        queries: Shape (m, d), rows of length 1.
        rows: The cells of the map, shape (n, d).
        places: From `lay_out`, shape (n, 2).

    Returns:
        Shape (m, 2): the mean place of the nearest `NEIGHBOURS`, those that are more alike
        weighing more.
    """
    found, similarity = nearest(queries, rows, NEIGHBOURS)  # (m, c) each
    weights = np.exp(20 * (similarity - similarity[:, :1]))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("mc,mcd->md", weights, places[found])
