"""Outlier scores by how little a linear probe, or the classifier itself, says for any class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from buffycoat.embed.strangeness import Strangeness

INVERSE_PENALTY = 1.0
"""Of the probe: scikit-learn's default `C`; fitted on nothing."""
MAX_STEPS = 1000
"""Of L-BFGS, with room to spare: on PBC-LT's 2,138 cells it took 53."""
LEAST_SPREAD = 0.1
"""Least deviation that a dimension is scaled by, relative to the mean of all: as in the head, one
that hardly fires in training must not drown the rest when it does later."""


@dataclass(frozen=True, eq=False)
class Energy(Strangeness):
    """Negative log-sum-exp of the logits of a linear probe (Liu et al., arXiv 2010.03759).

    The probe is a multinomial logistic regression on standardised embeddings, each class weighing
    the same. It asks on which side of the boundaries a cell lies, not how far from the others: one
    far out on a class's side passes for familiar. With one class every cell scores alike.

    Attributes:
        centre: Mean embedding, shape (d,).
        scale: Deviation of each dimension, shape (d,).
        weights: Shape (c, d), for the c classes that have cells.
        intercepts: Shape (c,).
    """

    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray

    @classmethod
    def fit(cls, embeddings: np.ndarray, targets: np.ndarray, k: int) -> Energy:
        """Fit the probe."""
        rows = np.asarray(embeddings, dtype=np.float64)
        spread = rows.std(axis=0)
        least = LEAST_SPREAD * spread.mean()
        centre, scale = rows.mean(axis=0), np.maximum(spread, least if least > 0 else 1.0)
        return cls(centre, scale, *_probe((rows - centre) / scale, targets))

    def score_together(self, embeddings: np.ndarray) -> np.ndarray:
        """Nats, of either sign."""
        from scipy.special import logsumexp

        inputs = (np.asarray(embeddings, dtype=np.float64) - self.centre) / self.scale
        return -logsumexp(inputs @ self.weights.T + self.intercepts, axis=1)

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The probe and its standardisation."""
        return dict(vars(self))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> Energy:
        """From the probe and its standardisation."""
        names = ("centre", "scale", "weights", "intercepts")
        return cls(*(np.asarray(tensors[name]) for name in names))


@dataclass(frozen=True, eq=False)
class ClassifierEnergy(Strangeness):
    """Negative log-sum-exp of the classifier's own logits (Liu et al., arXiv 2010.03759).

    There is nothing to fit. The logits of training cells must be those of models that have not
    seen them, or every new cell looks strange.
    """

    looks_at: ClassVar[Literal["embeddings", "logits"]] = "logits"

    @classmethod
    def fit(cls, embeddings: np.ndarray, targets: np.ndarray, k: int) -> ClassifierEnergy:
        """Nothing to learn."""
        del embeddings, targets, k
        return cls()

    def score_together(self, embeddings: np.ndarray) -> np.ndarray:
        """Nats, of either sign, from logits of shape (n, k)."""
        from scipy.special import logsumexp

        return -np.asarray(logsumexp(np.asarray(embeddings, dtype=np.float64), axis=1))

    def to_tensors(self) -> dict[str, np.ndarray]:
        """None."""
        return {}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> ClassifierEnergy:
        """From none."""
        del tensors
        return cls()


def _probe(inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (c, d) and intercepts (c,); both sum to 0 over the classes."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(targets)) == 1:
        return np.zeros((1, inputs.shape[1])), np.zeros(1)
    probe = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=MAX_STEPS)
    probe.fit(inputs, targets)
    weights, intercepts = probe.coef_, np.asarray(probe.intercept_)
    if len(weights) == 1:  # two classes: scikit-learn gives the second's logit less the first's
        weights, intercepts = np.vstack([-weights, weights]) / 2, np.array([-1, 1]) * intercepts / 2
    return np.ascontiguousarray(weights), intercepts
