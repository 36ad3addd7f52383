"""How degraded an image looks, from 0 (pristine) to 4, without its clean twin.

Sharpness, noise and light are measured on the pixels (`symptoms`); a network of one small layer
that has seen clean cells degraded at known severity turns them into a probability for each
severity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from buffycoat.errors import BundleError, ShapeError
from buffycoat.restore.apply import Progress, check_images
from buffycoat.restore.symptoms import FEATURES, measure
from buffycoat.simulate.degrade import MAX_SEVERITY, degrade

TRAINING_IMAGES = 6000
"""Simulated images that the regression is fitted on, at most."""
MAX_REPEATS = 4
"""Times that one clean cell is degraded at one severity, at most."""
JPEG_CHANCE = 0.5
"""Clean images pass JPEG as often as `simulate.degrade` sends degraded ones through it, so that
compression alone does not look like damage."""
HIDDEN = 64
REGULARISATION = 0.3
"""L2 penalty; with `HIDDEN` chosen on PBC-LT's phase1, half of it held out, degraded by
simulation: area under the ROC curve (pristine or not) 0.991 against 0.981 of a logistic regression
with squares; at severity 1 alone 0.972 against 0.945."""
EPOCHS = 100
LEARNING_RATE = 2e-3
FARTHEST_SD = 6.0
"""Standardised features are cut here, so that one strange value cannot decide."""


@dataclass(frozen=True)
class SeverityEstimator:
    """A fitted estimator of severity.

    Attributes:
        mean: Of each feature on the simulated images, shape (d,).
        sd: Their standard deviation, shape (d,), > 0.
        hidden_weights: Shape (d, 64), from standardised features to the layer of ReLUs.
        hidden_bias: Shape (64,).
        weights: Shape (64, 5), to the log odds of each severity.
        bias: Shape (5,).
    """

    mean: np.ndarray
    sd: np.ndarray
    hidden_weights: np.ndarray
    hidden_bias: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def probs(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Probability of each severity.

        Args:
            images: Shape (n, h, w, 3), uint8, RGB; may be a memory map.
            on_progress: Called with (images done, n).

        Returns:
            Shape (n, 5), rows sum to 1.

        Raises:
            ShapeError: Not such images.
        """
        check_images(images)
        probs = np.empty((len(images), MAX_SEVERITY + 1))
        for row in range(len(images)):
            # Row by row, since a matrix product may round differently for another n.
            standard = _standardise(measure(images[row]), self.mean, self.sd)
            hidden = np.maximum(standard @ self.hidden_weights + self.hidden_bias, 0.0)
            scores = hidden @ self.weights + self.bias
            odds = np.exp(scores - scores.max())
            probs[row] = odds / odds.sum()
            if on_progress is not None:
                on_progress(row + 1, len(images))
        return probs

    def estimate(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Expected severity.

        Args:
            images: Shape (n, h, w, 3), uint8, RGB.
            on_progress: Called with (images done, n).

        Returns:
            Shape (n,), 0 to 4.
        """
        return (self.probs(images, on_progress) * np.arange(MAX_SEVERITY + 1.0)).sum(axis=1)

    def prob_pristine(self, images: np.ndarray) -> np.ndarray:
        """Probability of severity 0, shape (n,)."""
        return self.probs(images)[:, 0]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {"features": list(FEATURES)} | {k: v.tolist() for k, v in vars(self).items()}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> SeverityEstimator:
        """The estimator that was stored, bit for bit.

        Raises:
            BundleError: It was fitted on other features than this version measures.
        """
        if tuple(table["features"]) != FEATURES:
            raise BundleError(
                "the severity estimator was fitted on other features than this version measures; "
                "train the bundle again, or use the version that wrote it"
            )
        arrays = {key: np.array(table[key], dtype=np.float64) for key in cls.__dataclass_fields__}
        return cls(**arrays)


def fit_severity(
    pristine: np.ndarray, seed: int, on_progress: Progress | None = None
) -> SeverityEstimator:
    """Fit the estimator on clean cells degraded at severity 0-4, in equal numbers.

    Args:
        pristine: Cells known to be clean, shape (n, h, w, 3), uint8, RGB.
        seed: Of the simulated degradation.
        on_progress: Called with (simulated images done, all).

    Returns:
        The estimator, for images of that size.

    Raises:
        ShapeError: Not such images, or fewer than two.
    """
    from sklearn.neural_network import MLPClassifier

    check_images(pristine)
    if len(pristine) < 2:
        raise ShapeError(
            f"severity needs at least two clean cells to learn from, got {len(pristine)}"
        )
    features, severity = _simulate(pristine, np.random.default_rng(seed), on_progress)
    mean, sd = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    standard = _standardise(features, mean, sd)
    model = MLPClassifier(
        (HIDDEN,), alpha=REGULARISATION, learning_rate_init=LEARNING_RATE, random_state=seed
    )
    for _ in range(EPOCHS):
        model.partial_fit(standard, severity, classes=np.arange(MAX_SEVERITY + 1))
    (hidden_weights, weights), (hidden_bias, bias) = model.coefs_, model.intercepts_
    return SeverityEstimator(mean, sd, hidden_weights, hidden_bias, weights, bias)


def select_pristine(
    images: np.ndarray,
    is_known_pristine: np.ndarray,
    estimator: SeverityEstimator,
    below: float,
    on_progress: Progress | None = None,
) -> np.ndarray:
    """Cells that may serve as clean targets.

    Args:
        images: Training cells, shape (n, h, w, 3), uint8, RGB.
        is_known_pristine: Shape (n,), bool; these are taken as they are.
        estimator: Judges the others.
        below: Estimated severity under which a cell counts as clean.
        on_progress: Called with (images done, n).

    Returns:
        Shape (n,), bool.
    """
    if len(is_known_pristine) != len(images):
        raise ShapeError(
            f"{len(images)} images, but {len(is_known_pristine)} marks of pristine ones"
        )
    return np.asarray(is_known_pristine, dtype=bool) | (
        estimator.estimate(images, on_progress) < below
    )


def _standardise(features: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return np.clip((features - mean) / sd, -FARTHEST_SD, FARTHEST_SD)


def _simulate(
    pristine: np.ndarray, rng: np.random.Generator, on_progress: Progress | None
) -> tuple[np.ndarray, np.ndarray]:
    """Features and severities of as many clean cells at each severity, in equal numbers."""
    rounds = min(MAX_REPEATS, max(1, TRAINING_IMAGES // (5 * len(pristine))))
    per_round = min(len(pristine), TRAINING_IMAGES // 5)
    rows = np.concatenate([rng.permutation(len(pristine))[:per_round] for _ in range(rounds)])
    features, severities = [], []
    total = len(rows) * (MAX_SEVERITY + 1)
    for row in rows:
        for severity in range(MAX_SEVERITY + 1):
            image = np.ascontiguousarray(pristine[row])
            image = degrade(image, severity, rng) if severity else _compress(image, rng)
            features.append(measure(image))
            severities.append(severity)
            if on_progress is not None:
                on_progress(len(features), total)
    return np.array(features), np.array(severities)


def _compress(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() >= JPEG_CHANCE:
        return image
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))]
    _, data = cv2.imencode(".jpg", image[..., ::-1], quality)
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])
