"""Training cells that look most alike, and what they say of a cell's class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import NotEstimableError
from buffycoat.statistics import cells_of_each

MIN_GROUPS = 2
"""Cells (or patients) that some class needs, so that one can vote for the other: the sharpness is
picked by such votes."""
SHARPNESSES = (5.0, 10.0, 20.0, 40.0, 80.0)
"""Tried for `NeighbourVote`: from a vote of all cells of a class to one of the nearest alone."""
ROWS_AT_ONCE = 512


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


def too_few(targets: np.ndarray, groups: np.ndarray) -> str:
    """What a vote lacks in these cells, in words; "" if nothing.

    Args:
        targets: Shape (n,).
        groups: Shape (n,): rows of one cell (or patient), which do not vote for each other.
    """
    if cells_of_each(targets, groups).max(initial=0) >= MIN_GROUPS:
        return ""
    return f"needs a class with {MIN_GROUPS} cells, has none"


@dataclass(frozen=True, eq=False)
class NeighbourVote:
    """Every training cell votes for its class, the more the more alike it is.

    The score of a class is the log of the mean of exp(sharpness x cosine) over its cells: the
    density of the class by von Mises-Fisher kernels (Hall, Watson and Cabrera, Biometrika 74:751,
    1987), so that a class of ten cells is not outvoted by one of a thousand. Sharp kernels leave
    the nearest cells alone to decide, as k nearest neighbours do.

    Attributes:
        stored: Training embeddings, shape (m, d), float32.
        targets: Shape (m,).
        k: Number of classes.
        sharpness: Of the kernels.
    """

    stored: np.ndarray
    targets: np.ndarray
    k: int
    sharpness: float

    @classmethod
    def fit(
        cls, embeddings: np.ndarray, targets: np.ndarray, k: int, groups: np.ndarray | None = None
    ) -> NeighbourVote:
        """Keep the cells, and pick the sharpness that finds each of them best among the others.

        Args:
            embeddings: Shape (m, d), rows of length 1.
            targets: Shape (m,).
            k: Number of classes.
            groups: Shape (m,): rows of one cell (or patient), none of which may vote for another
                while the sharpness is picked; None if all are different.

        Raises:
            NotEstimableError: No cell has another of its class to vote for it.
        """
        stored = np.ascontiguousarray(embeddings, dtype=np.float32)
        groups = np.arange(len(targets)) if groups is None else np.asarray(groups)
        lacking = too_few(targets, groups)
        if lacking:
            raise NotEstimableError(f"a vote of neighbours {lacking}")
        losses = []
        for sharpness in SHARPNESSES:
            logits = _vote(stored, stored, targets, k, sharpness, groups)
            logits = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
            right = logits[np.arange(len(targets)), targets]
            # A row whose class has no other cell says nothing about the sharpness.
            told = [right[(targets == c) & np.isfinite(right)] for c in np.unique(targets)]
            losses.append(-np.mean([part.mean() for part in told if len(part)]))
        return cls(stored, np.asarray(targets), k, SHARPNESSES[int(np.nanargmin(losses))])

    def logits(self, embeddings: np.ndarray, uniform_prior: bool = True) -> np.ndarray:
        """Log densities.

        Args:
            embeddings: Shape (n, d), rows of length 1.
            uniform_prior: All classes alike, else weighted by their stored cells.

        Returns:
            Shape (n, k), float32; a class without cells gets the least score of the row.
        """
        scores = _vote(embeddings, self.stored, self.targets, self.k, self.sharpness, None)
        if not uniform_prior:
            scores = scores + log_counts(np.bincount(self.targets, minlength=self.k))
        return fill_absent(scores).astype(np.float32)

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The stored cells: four bytes a dimension of each."""
        return {"stored": self.stored, "targets": np.asarray(self.targets, dtype=np.int64)}

    def to_dict(self) -> dict[str, Any]:
        """Classes and sharpness."""
        return {"k": self.k, "sharpness": self.sharpness}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any], table: Mapping[str, Any]) -> NeighbourVote:
        """The vote that `to_tensors` and `to_dict` wrote."""
        stored, targets = (np.asarray(tensors[name]) for name in ("stored", "targets"))
        return cls(stored, targets, int(table["k"]), float(table["sharpness"]))


def _vote(
    queries: np.ndarray,
    stored: np.ndarray,
    targets: np.ndarray,
    k: int,
    sharpness: float,
    groups: np.ndarray | None,
) -> np.ndarray:
    """Log mean kernel of each class, shape (n, k); -inf where nobody can vote.

    With `groups`, queries are the stored cells, and no cell votes for one of its own group.
    """
    found = np.full((len(queries), k), -np.inf)
    columns = stored.T.astype(np.float64)
    for start in range(0, len(queries), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        # In fp64: a cell's numbers do not depend on the others.
        scaled = sharpness * (queries[rows].astype(np.float64) @ columns)
        if groups is not None:
            scaled[groups[rows][:, None] == groups[None]] = -np.inf
        for column in np.unique(targets):
            votes = scaled[:, targets == column]
            voters = np.isfinite(votes).sum(axis=1)
            with np.errstate(divide="ignore"):
                found[rows, column] = np.logaddexp.reduce(votes, axis=1) - np.log(
                    np.maximum(voters, 1)
                )
    return found


def fill_absent(scores: np.ndarray) -> np.ndarray:
    """Scores with the least finite one of the row where there is none."""
    least = np.where(np.isfinite(scores), scores, np.inf).min(axis=1, keepdims=True)
    return np.where(np.isfinite(scores), scores, least)


def log_counts(counts: np.ndarray) -> np.ndarray:
    """Log of class counts, shape (k,); -inf for a class without cells."""
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(counts, dtype=np.float64))
