"""How strange a cell is among the training cells, as a score and as a percentile of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.embed import prototypes
from buffycoat.embed.energy import ClassifierEnergy, Energy
from buffycoat.embed.gaussians import Mahalanobis, RelativeMahalanobis
from buffycoat.embed.knn import KthNeighbour
from buffycoat.embed.strangeness import Strangeness
from buffycoat.errors import ShapeError
from buffycoat.optional import choose

CROSS_FITS = 5
FALLBACK = "classifier_energy"
"""What stands in for a score that the cells are too few for: it needs nothing but the logits."""
MIN_CELLS = 20
"""Training cells under which no percentile is given: of fewer, one alone is more than 5 %."""

SCORES: dict[str, type[Strangeness]] = {
    "relative_mahalanobis": RelativeMahalanobis,
    "mahalanobis": Mahalanobis,
    "knn": KthNeighbour,
    "energy": Energy,
    "classifier_energy": ClassifierEnergy,
}
OF_EMBEDDINGS = {name: kind for name, kind in SCORES.items() if kind.looks_at == "embeddings"}


@dataclass(frozen=True, eq=False)
class OutlierModel:
    """An outlier score, and what it gives the training cells.

    Training scores are cross-fitted: each cell is scored by a fit without it, so that a
    percentile means the same for a new cell.

    Attributes:
        name: Of the score; a key of `SCORES`.
        strangeness: The score, fitted on all training cells.
        training_scores: Sorted cross-fitted scores of the training cells, shape (n,).
    """

    name: str
    strangeness: Strangeness
    training_scores: np.ndarray

    @classmethod
    def fit(cls, name: str, embeddings: np.ndarray, targets: np.ndarray, k: int) -> OutlierModel:
        """Fit on training cells.

        Args:
            name: A key of `SCORES`.
            embeddings: Shape (n, d), rows of length 1; n >= 2. For a score that looks at logits,
                those, shape (n, k), of models that have not seen the cell.
            targets: Shape (n,).
            k: Number of classes.

        Raises:
            ConfigError: No such score.
            ShapeError: Shapes do not match, or a value is not finite.
            NotEstimableError: The embeddings hardly vary, and the score is a Mahalanobis distance.
        """
        score = choose(SCORES, name, "outlier score")
        _check(embeddings, targets)
        part = _parts(targets)
        scores = np.empty(len(targets))
        for number in np.unique(part):
            held_out = part == number
            fitted = score.fit(embeddings[~held_out], targets[~held_out], k)
            scores[held_out] = fitted.score_together(embeddings[held_out])
        return cls(name, score.fit(embeddings, targets, k), np.sort(scores))

    @property
    def sees_logits(self) -> bool:
        """Whether it scores the classifier's logits, and not embeddings."""
        return self.strangeness.looks_at == "logits"

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """How strange each cell is; a cell's score does not depend on the cells beside it.

        Args:
            embeddings: Shape (n, d), rows of length 1.

        Returns:
            Shape (n,); the larger the stranger.
        """
        return self.strangeness.score(embeddings)

    def percentile(self, scores: np.ndarray) -> np.ndarray:
        """Share of the training cells that are less strange.

        Args:
            scores: Shape (n,), from `score`.

        Returns:
            Shape (n,), 0-100; NaN where there were fewer than `MIN_CELLS` training cells.
        """
        if len(self.training_scores) < MIN_CELLS:
            return np.full(len(scores), np.nan)
        below = np.searchsorted(self.training_scores, scores, side="left")
        return 100.0 * below / len(self.training_scores)

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name, as `from_tensors` reads them; the name is not among them."""
        return {**self.strangeness.to_tensors(), "training_scores": self.training_scores}

    @classmethod
    def from_tensors(cls, name: str, tensors: Mapping[str, Any]) -> OutlierModel:
        """The model that `to_tensors` wrote.

        Args:
            name: Of its score.
            tensors: Its arrays.

        Raises:
            ConfigError: No such score.
        """
        strangeness = choose(SCORES, name, "outlier score").from_tensors(tensors)
        return cls(name, strangeness, np.asarray(tensors["training_scores"]))


def too_few(targets: np.ndarray, names: np.ndarray) -> str:
    """What a Mahalanobis distance lacks in these cells, in words; "" if nothing.

    Args:
        targets: Shape (n,).
        names: Shape (n,); rows of one cell share one.
    """
    part = _parts(targets)
    lacking = (prototypes.too_few(targets[part != p], names[part != p]) for p in np.unique(part))
    return next((reason for reason in lacking if reason), "")


def _check(embeddings: np.ndarray, targets: np.ndarray) -> None:
    if embeddings.ndim != 2 or len(embeddings) < 2 or targets.shape != embeddings.shape[:1]:
        raise ShapeError(
            f"expected embeddings of shape (n, d), n >= 2, and n targets; got "
            f"{embeddings.shape} and {targets.shape}"
        )
    bad = int((~np.isfinite(embeddings)).any(axis=1).sum())
    if bad:
        raise ShapeError(f"{bad} of {len(embeddings)} embeddings hold values that are not finite")


def _parts(targets: np.ndarray) -> np.ndarray:
    """Cells of each class dealt in turn to the cross-fits; each part leaves others to fit on."""
    part = np.empty(len(targets), dtype=np.int64)
    dealt = 0
    for column in np.unique(targets):
        rows = np.flatnonzero(targets == column)
        part[rows] = (dealt + np.arange(len(rows))) % CROSS_FITS
        dealt += len(rows)
    return part
