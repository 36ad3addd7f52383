"""The training cells that a bundle remembers: names, classes and embeddings, but no image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.embed.neighbours import nearest
from buffycoat.errors import ShapeError

COMPONENTS = 128
"""Dimensions kept of an embedding: on PBC-LT a cosine moves by 0.002 and nine of the ten nearest
cells stay, at a tenth of the size."""


@dataclass(frozen=True)
class Match:
    """A remembered cell.

    Attributes:
        cell_id: Its name in the training data.
        column: Of its class.
        similarity: Cosine of the embeddings, up to what the left-out dimensions hold.
    """

    cell_id: str
    column: int
    similarity: float


@dataclass(frozen=True, eq=False)
class Gallery:
    """Training cells in the principal components of their embeddings.

    The components are of the second moments about 0, not about the mean, so that a product of two
    rows stays the cosine.

    Attributes:
        cell_ids: n names.
        targets: Column of each one's class, shape (n,), int64.
        rows: Shape (n, c), float32.
        axes: Shape (d, c), float32.
    """

    cell_ids: tuple[str, ...]
    targets: np.ndarray
    rows: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, embeddings: np.ndarray, cell_ids: Sequence[str], targets: np.ndarray) -> Gallery:
        """Remember cells.

        Args:
            embeddings: Shape (n, d), rows of length 1.
            cell_ids: n names.
            targets: Shape (n,).

        Raises:
            ShapeError: Not n of each.
        """
        from scipy.linalg import eigh

        if not len(embeddings) == len(cell_ids) == len(targets):
            raise ShapeError(
                f"expected as many embeddings, names and targets; got {len(embeddings)}, "
                f"{len(cell_ids)} and {len(targets)}"
            )
        rows = np.asarray(embeddings, dtype=np.float64)
        size = rows.shape[1]
        _, axes = eigh(rows.T @ rows, subset_by_index=(max(0, size - COMPONENTS), size - 1))
        axes = np.ascontiguousarray(axes[:, ::-1])
        return cls(
            tuple(map(str, cell_ids)),
            np.asarray(targets, dtype=np.int64),
            (rows @ axes).astype(np.float32),
            axes.astype(np.float32),
        )

    def search(self, embeddings: np.ndarray, count: int) -> list[list[Match]]:
        """The cells that look most like each of some others.

        Args:
            embeddings: Shape (n, d), rows of length 1.
            count: Cells wanted of each; fewer come where fewer are remembered.

        Returns:
            n lists, nearest first.
        """
        queries = np.asarray(embeddings, dtype=np.float64) @ self.axes
        found, similarity = nearest(queries, self.rows.astype(np.float64), count)
        return [
            [
                Match(self.cell_ids[row], int(self.targets[row]), float(value))
                for row, value in zip(rows, values, strict=True)
            ]
            for rows, values in zip(found, similarity, strict=True)
        ]

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name; `cell_ids` are kept apart."""
        return {"targets": self.targets, "rows": self.rows, "axes": self.axes}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any], cell_ids: Sequence[str]) -> Gallery:
        """The gallery that `to_tensors` wrote."""
        targets, rows, axes = (np.asarray(tensors[name]) for name in ("targets", "rows", "axes"))
        return cls(tuple(cell_ids), targets, rows, axes)
