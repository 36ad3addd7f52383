"""Prediction sets by MAPIE and crepes, in an environment of their own; imports no buffycoat.

    VENV/bin/python benchmarks/comparison/rival_sets.py IN.npz OUT.npz

IN has `probs` (n, k), `targets` (n,), `calibration` (s, n) and `alpha`. OUT has, for each method,
sets of shape (s, n, k), bool.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
from crepes import WrapClassifier
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin


class Stated(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose features are the probabilities themselves."""

    def __init__(self, k: int = 2) -> None:
        self.k = k

    def fit(self, X: np.ndarray, y: np.ndarray) -> Stated:  # noqa: N803
        """Nothing is learned."""
        self.classes_ = np.arange(self.k)
        self.n_features_in_ = self.k
        self.is_fitted_ = True
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """The features."""
        return np.asarray(X)

    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """The most probable class."""
        return self.predict_proba(X).argmax(axis=1)


def by_crepes(
    stated: Stated, probs: np.ndarray, targets: np.ndarray, rows: np.ndarray, alpha: float,
    class_cond: bool,
) -> np.ndarray:  # fmt: skip
    """Hinge scores, one limit in all or one a class; no smoothing, so that nothing is random."""
    wrapped = WrapClassifier(stated)
    wrapped.calibrate(probs[rows], targets[rows], class_cond=class_cond)
    found = wrapped.predict_set(probs, labels=False, confidence=1 - alpha, smoothing=False)
    return np.asarray(found).astype(bool)


def by_mapie(
    stated: Stated, probs: np.ndarray, targets: np.ndarray, rows: np.ndarray, alpha: float,
    score: str,
) -> np.ndarray:  # fmt: skip
    """Split conformal with one limit in all."""
    found = SplitConformalClassifier(
        stated, confidence_level=1 - alpha, prefit=True, conformity_score=score, random_state=0
    )
    found.conformalize(probs[rows], targets[rows])
    return found.predict_set(probs)[1][:, :, 0].astype(bool)


METHODS = {
    "crepes, a limit a class": lambda *a: by_crepes(*a, class_cond=True),
    "crepes, one limit": lambda *a: by_crepes(*a, class_cond=False),
    "MAPIE, lac": lambda *a: by_mapie(*a, score="lac"),
    "MAPIE, aps": lambda *a: by_mapie(*a, score="aps"),
}


def main() -> None:
    """Calibrate each method on each split."""
    warnings.simplefilter("ignore")  # of classes that a small split does not hold
    given = np.load(sys.argv[1])
    probs, targets, alpha = given["probs"], given["targets"], float(given["alpha"])
    stated = Stated(probs.shape[1]).fit(probs, targets)
    sets = {
        name: np.stack([make(stated, probs, targets, rows, alpha) for rows in given["calibration"]])
        for name, make in METHODS.items()
    }
    np.savez_compressed(sys.argv[2], **sets)


if __name__ == "__main__":
    main()
