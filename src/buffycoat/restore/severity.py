"""How degraded an image looks, from 0 (pristine) to 4, and by what, without its clean twin.

Sharpness, noise and light are measured on the pixels (`symptoms`); two networks of one small layer
that have seen clean cells degraded at known severity turn them into a probability for each
severity, and one for each group of faults. How they were chosen is in ADR 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import BundleError, ShapeError
from buffycoat.restore.graded import GROUPS, Graded, grade
from buffycoat.restore.one_by_one import Progress, check_images
from buffycoat.restore.symptoms import FEATURES, measure
from buffycoat.simulate.degrade import MAX_SEVERITY

PRESENT_FROM = 0.5
"""Probability from which a group is named."""
MIN_CELLS = 2
"""Clean cells that the estimator is fitted on at least: with one, what that cell looks like and
what a clean cell looks like are the same."""
HIDDEN = 128
REGULARISATION = 0.3
EPOCHS = 200
LEARNING_RATE = 2e-3
FARTHEST_SD = 6.0
"""Standardised features are cut here, so that one strange value cannot decide."""
WEIGHT_DECIMALS = 6
"""Weights are rounded when fitted, to keep a bundle's text short and exact."""
CLEAN_SHARE_RESTORED = 0.01
"""Share of clean cells that may reach `restore_above`, at most."""
CONFIDENCE = 0.95
"""That no more than this share do."""
MIN_CLEAN_CELLS = 100
"""Fewer clean cells cannot show what 1 % of them reach: `restore_above` stays as below."""
UNFITTED_RESTORE_ABOVE = 0.5


@dataclass(frozen=True)
class Degradation:
    """What the estimator says of n cells.

    Attributes:
        probs: Of each severity, shape (n, 5), rows sum to 1.
        kinds: That each of `GROUPS` is present, shape (n, 3); not exclusive.
        restore_above: Severity from which a cell counts as degraded.
    """

    probs: np.ndarray
    kinds: np.ndarray
    restore_above: float

    @property
    def severity(self) -> np.ndarray:
        """Expected severity, shape (n,), 0 to 4."""
        return (self.probs * np.arange(MAX_SEVERITY + 1.0)).sum(axis=1)

    def has(self, group: str) -> np.ndarray:
        """Whether a group is more likely present than not, shape (n,), bool."""
        return self.kinds[:, GROUPS.index(group)] >= PRESENT_FROM

    def subset(self, rows: np.ndarray) -> Degradation:
        """Some of the cells; `rows` is an index or a mask."""
        return Degradation(self.probs[rows], self.kinds[rows], self.restore_above)

    def names(self, row: int, restore_above: float | None = None) -> tuple[str, ...]:
        """The groups that one cell suffers, none where it does not count as degraded.

        Args:
            row: Of the cell.
            restore_above: Severity from which it counts as degraded; None: as fitted.
        """
        limit = self.restore_above if restore_above is None else restore_above
        if self.severity[row] < limit:
            return ()
        return tuple(
            name for name, prob in zip(GROUPS, self.kinds[row], strict=True) if prob >= PRESENT_FROM
        )


@dataclass(frozen=True)
class Network:
    """One hidden layer of ReLUs.

    Attributes:
        hidden_weights: Shape (d, 128), from standardised features.
        hidden_bias: Shape (128,).
        weights: Shape (128, k), to the scores.
        bias: Shape (k,).
    """

    hidden_weights: np.ndarray
    hidden_bias: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def scores(self, standard: np.ndarray) -> np.ndarray:
        """Log odds, shape (k,), of one cell's standardised features, shape (d,)."""
        hidden = np.maximum(standard @ self.hidden_weights + self.hidden_bias, 0.0)
        return hidden @ self.weights + self.bias

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {name: value.tolist() for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Network:
        """The network that was stored, bit for bit."""
        names = cls.__dataclass_fields__
        return cls(**{name: np.array(table[name], dtype=np.float64) for name in names})


@dataclass(frozen=True)
class SeverityEstimator:
    """A fitted estimator of severity and kind.

    Attributes:
        mean: Of each feature on the simulated images, shape (d,).
        sd: Their standard deviation, shape (d,), > 0.
        to_severity: Scores of severity 0 to 4.
        to_kinds: Scores of `GROUPS`.
        restore_above: Severity that at most 1 % of clean cells reach.
    """

    mean: np.ndarray
    sd: np.ndarray
    to_severity: Network
    to_kinds: Network
    restore_above: float

    def estimate(self, images: np.ndarray, on_progress: Progress | None = None) -> Degradation:
        """Severity and kind.

        Args:
            images: Shape (n, h, w, 3), uint8, RGB; may be a memory map.
            on_progress: Called with (images done, n).

        Raises:
            ShapeError: Not such images.
        """
        check_images(images)
        probs = np.empty((len(images), MAX_SEVERITY + 1))
        kinds = np.empty((len(images), len(GROUPS)))
        for row in range(len(images)):
            # Row by row, since a matrix product may round differently for another n.
            standard = _standardise(measure(images[row]), self.mean, self.sd)
            probs[row] = _softmax(self.to_severity.scores(standard))
            kinds[row] = 1.0 / (1.0 + np.exp(-self.to_kinds.scores(standard)))
            if on_progress is not None:
                on_progress(row + 1, len(images))
        return Degradation(probs, kinds, self.restore_above)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {
            "features": list(FEATURES),
            "groups": list(GROUPS),
            "mean": self.mean.tolist(),
            "sd": self.sd.tolist(),
            "to_severity": self.to_severity.to_dict(),
            "to_kinds": self.to_kinds.to_dict(),
            "restore_above": self.restore_above,
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> SeverityEstimator:
        """The estimator that was stored, bit for bit.

        Raises:
            BundleError: It was fitted on other features than this version measures, or to tell
                other groups apart.
        """
        told = (tuple(table["features"]), tuple(table.get("groups", ())))
        if told != (FEATURES, GROUPS):
            raise BundleError(
                "the severity estimator was fitted on other features than this version measures; "
                "train the bundle again, or use the version that wrote it"
            )
        return cls(
            np.array(table["mean"], dtype=np.float64),
            np.array(table["sd"], dtype=np.float64),
            Network.from_dict(table["to_severity"]),
            Network.from_dict(table["to_kinds"]),
            float(table["restore_above"]),
        )


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
    check_images(pristine)
    if len(pristine) < MIN_CELLS:
        raise ShapeError(
            f"severity needs at least {MIN_CELLS} clean cells to learn from, got {len(pristine)}"
        )
    rng = np.random.default_rng(seed)
    graded = grade(pristine, rng, on_progress)
    limit = _cross_fit_limit(graded, rng.permutation(len(pristine)) % 2, seed)
    mean, sd = _moments(graded.features)
    standard = _standardise(graded.features, mean, sd)
    to_kinds = _fit_network(standard, graded.groups.astype(int), seed)
    return SeverityEstimator(
        mean, sd, _fit_network(standard, graded.severity, seed), to_kinds, limit
    )


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
        estimator: Says it of the others.
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
        estimator.estimate(images, on_progress).severity < below
    )


def _fit_network(standard: np.ndarray, targets: np.ndarray, seed: int) -> Network:
    """Classes 0 to k - 1, targets of shape (n,), or k labels of shape (n, k), 0 or 1."""
    from sklearn.neural_network import MLPClassifier

    classes = np.arange(MAX_SEVERITY + 1 if targets.ndim == 1 else targets.shape[1])
    model = MLPClassifier(
        (HIDDEN,), alpha=REGULARISATION, learning_rate_init=LEARNING_RATE, random_state=seed
    )
    for _ in range(EPOCHS):
        model.partial_fit(standard, targets, classes=classes)
    (hidden_weights, weights), (hidden_bias, bias) = model.coefs_, model.intercepts_
    arrays = (hidden_weights, hidden_bias, weights, bias)
    return Network(*(np.array(a, order="C").round(WEIGHT_DECIMALS) for a in arrays))


def _cross_fit_limit(graded: Graded, half: np.ndarray, seed: int) -> float:
    """The severity that at most 1 % of clean cells reach, by networks that have not seen them.

    What a network of half the cells says of new ones is a little worse than what the final one
    says, so the limit errs on the side of leaving cells alone.

    Args:
        graded: Images made of n clean cells.
        half: Shape (n,), 0 or 1: cells of one half are scored by a network fitted on the other.
        seed: Of the networks.
    """
    if len(half) < MIN_CLEAN_CELLS:
        return UNFITTED_RESTORE_ABOVE
    found = []
    for side in (0, 1):
        is_scored = half[graded.cell] == side
        known = graded.subset(~is_scored)
        clean = graded.subset(is_scored & (graded.severity == 0))
        mean, sd = _moments(known.features)
        network = _fit_network(_standardise(known.features, mean, sd), known.severity, seed)
        standard = _standardise(clean.features, mean, sd)
        probs = np.array([_softmax(network.scores(row)) for row in standard])
        found.append(probs @ np.arange(MAX_SEVERITY + 1.0))
    return limit_for(np.concatenate(found), CLEAN_SHARE_RESTORED)


def limit_for(severity: np.ndarray, share: float) -> float:
    """A limit that at most this share of new cells reach, with a confidence of 95 %.

    An order statistic, whatever the distribution (Wilks, Annals of Mathematical Statistics 12,
    1941). With too few cells for that confidence it is just above the highest.

    Args:
        severity: Of n cells like them, shape (n,).
        share: 0 to 1.
    """
    from scipy.stats import binom

    # Were more than `share` of all cells above the limit, so few of n would be in one draw of 20.
    n_above = max(int(binom.ppf(1 - CONFIDENCE, len(severity), share)) - 1, 0)
    return float(np.nextafter(np.sort(severity)[::-1][n_above], np.inf))


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)


def _standardise(features: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return np.clip((features - mean) / sd, -FARTHEST_SD, FARTHEST_SD)


def _softmax(scores: np.ndarray) -> np.ndarray:
    odds = np.exp(scores - scores.max())
    return odds / odds.sum()
