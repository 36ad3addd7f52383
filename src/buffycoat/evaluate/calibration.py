"""Whether a probability means what it says.

Bins hold equal numbers of cells, since a good classifier's probabilities crowd near 1 and bins of
equal width would stay empty (Nixon et al. 2019, arXiv 1904.01685). Equal values share a bin, so
the order of the rows never matters.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.evaluate.metrics import check_indices

Array = np.ndarray[Any, Any]

DEFAULT_BINS = 15
"""As in Guo et al. 2017, arXiv 1706.04599."""
SUM_TOLERANCE = 1e-3
"""A row of half-precision probabilities sums to 1 within this."""


@dataclass(frozen=True)
class Reliability:
    """Bins of cells by stated probability, each array of shape (bins,).

    Attributes:
        count: Cells in the bin.
        confidence: Mean stated probability.
        frequency: Share of the cells where the event came true.
    """

    count: Array
    confidence: Array
    frequency: Array

    @property
    def gap(self) -> float:
        """Mean distance between what was said and what came true, weighted by cells."""
        if not len(self.count):
            return 0.0
        return float(np.average(np.abs(self.confidence - self.frequency), weights=self.count))

    def to_rows(self) -> list[dict[str, float | int]]:
        """One plain record a bin, for JSON."""
        return [
            {"count": int(n), "confidence": float(c), "frequency": float(f)}
            for n, c, f in zip(self.count, self.confidence, self.frequency, strict=True)
        ]


@dataclass(frozen=True)
class BrierParts:
    """Brier's score = reliability - resolution + uncertainty + within_bins.

    Attributes:
        score: Brier's score, 0 to 2.
        reliability: Squared gap between what is said and what comes true; 0 is calibrated.
        resolution: How far apart the bins' shares lie; more is better.
        uncertainty: Score of always saying the classes' shares in these cells.
        within_bins: What is left since a bin holds unequal probabilities, of either sign
            (Stephenson et al. 2008, doi 10.1175/2007WAF2006116.1).
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float

    def to_dict(self) -> dict[str, float]:
        """The fields as plain values for JSON."""
        return asdict(self)


def reliability(probs: Array, targets: Array, n_bins: int = DEFAULT_BINS) -> Reliability:
    """Top probability against how often the top class is right, in equal-mass bins.

    Args:
        probs: Shape (n, k), rows sum to 1.
        targets: Shape (n,), true column index.
        n_bins: Most bins there can be; ties make them fewer.

    Raises:
        ShapeError: Not probabilities, or the lengths differ.
    """
    probs, targets = check_probs(probs, targets)
    return _binned(probs.max(axis=1), probs.argmax(axis=1) == targets, n_bins)


def ece(probs: Array, targets: Array, n_bins: int = DEFAULT_BINS) -> float:
    """Expected calibration error of the top class (Guo et al. 2017), equal-mass bins; 0 to 1.

    Args:
        probs: Shape (n, k), rows sum to 1.
        targets: Shape (n,), true column index.
        n_bins: Most bins there can be.
    """
    return reliability(probs, targets, n_bins).gap


def ece_if_calibrated(
    probs: Array, n_draws: int = 500, seed: int = 0, n_bins: int = DEFAULT_BINS
) -> tuple[float, float]:
    """What `ece` would be on as many cells if every stated probability were true.

    With few cells a bin, chance alone leaves a gap: an ECE is read beside this (Vaicenavicius et
    al. 2019, arXiv 1902.06977).

    Args:
        probs: Shape (n, k), rows sum to 1.
        n_draws: Times that true classes are drawn from the probabilities.
        seed: Of the draws.
        n_bins: Most bins there can be.

    Returns:
        Mean and 95th percentile over the draws.
    """
    probs, _ = check_probs(probs, np.zeros(len(probs), dtype=int))
    stated = probs.max(axis=1)
    rng = np.random.default_rng(seed)
    # Only whether the top class is right matters, and that has the stated probability.
    gaps = [_binned(stated, rng.random(len(stated)) < stated, n_bins).gap for _ in range(n_draws)]
    return float(np.mean(gaps)), float(np.quantile(gaps, 0.95))


def classwise_reliability(
    probs: Array, targets: Array, n_bins: int = DEFAULT_BINS
) -> list[Reliability]:
    """Reliability diagram of each class: its probability against how often it is the truth.

    Args:
        probs: Shape (n, k), rows sum to 1.
        targets: Shape (n,), true column index.
        n_bins: Most bins there can be.

    Returns:
        k diagrams, in column order.
    """
    probs, targets = check_probs(probs, targets)
    return [
        _binned(probs[:, column], targets == column, n_bins) for column in range(probs.shape[1])
    ]


def classwise_ece(probs: Array, targets: Array, n_bins: int = DEFAULT_BINS) -> Array:
    """Calibration error of each class's own probability (Kull et al. 2019, arXiv 1910.12656).

    Args:
        probs: Shape (n, k), rows sum to 1.
        targets: Shape (n,), true column index.
        n_bins: Most bins there can be.

    Returns:
        Shape (k,), 0 to 1; its mean is the class-wise ECE.
    """
    return np.array([table.gap for table in classwise_reliability(probs, targets, n_bins)])


def brier(probs: Array, targets: Array) -> float:
    """Brier's score over all classes (Brier 1950): 0 is perfect, 2 the worst.

    Args:
        probs: Shape (n, k), rows sum to 1.
        targets: Shape (n,), true column index.
    """
    probs, targets = check_probs(probs, targets)
    truth = np.eye(probs.shape[1])[targets]
    return float(((probs - truth) ** 2).sum(axis=1).mean())


def brier_parts(probs: Array, targets: Array, n_bins: int = DEFAULT_BINS) -> BrierParts:
    """Split Brier's score into its parts (Murphy 1973), each the sum over the classes.

    Args:
        probs: Shape (n, k), rows sum to 1.
        targets: Shape (n,), true column index.
        n_bins: Most bins there can be, for each class.
    """
    score = brier(probs, targets)
    tables = classwise_reliability(probs, targets, n_bins)
    bias = sum(_weighed(t, (t.confidence - t.frequency) ** 2) for t in tables)
    base = [_weighed(t, t.frequency) for t in tables]
    gain = sum(
        _weighed(t, (t.frequency - share) ** 2) for t, share in zip(tables, base, strict=True)
    )
    chance = sum(share * (1 - share) for share in base)
    return BrierParts(score, bias, gain, chance, score - (bias - gain + chance))


def _weighed(table: Reliability, values: Array) -> float:
    return float(np.average(values, weights=table.count))


def _binned(stated: Array, came_true: Array, n_bins: int) -> Reliability:
    edges = np.unique(np.quantile(stated, np.linspace(0, 1, n_bins + 1)[1:-1]))
    place = np.searchsorted(edges, stated, side="right")
    count = np.bincount(place)
    used = count > 0
    said = np.bincount(place, weights=stated)[used] / count[used]
    came = np.bincount(place, weights=came_true.astype(float))[used] / count[used]
    return Reliability(count[used], said, came)


def check_probs(probs: Array, targets: Array) -> tuple[Array, Array]:
    """Probabilities as float64 and targets as int64, or an error that says what is wrong.

    Args:
        probs: Shape (n, k), rows sum to 1.
        targets: Shape (n,), true column index.

    Raises:
        ShapeError: Not probabilities, or the lengths differ.
    """
    probs = np.asarray(probs, dtype=float)
    if probs.ndim != 2 or probs.size == 0:
        raise ShapeError(f"probs: expected shape (n, k) with n >= 1, got {probs.shape}")
    off = ~(np.isfinite(probs).all(axis=1) & (np.abs(probs.sum(axis=1) - 1) <= SUM_TOLERANCE))
    if off.any() or probs.min() < 0:
        row = int(np.flatnonzero(off | (probs < 0).any(axis=1))[0])
        raise ShapeError(f"probs: row {row} is not a set of probabilities: {probs[row].tolist()}")
    targets = check_indices(targets, probs.shape[1], "targets")
    if len(targets) != len(probs):
        raise ShapeError(f"targets: expected {len(probs)} cells as in probs, got {len(targets)}")
    return probs, targets
