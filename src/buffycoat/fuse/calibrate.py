"""Probabilities that mean what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from buffycoat.errors import ShapeError

TEMPERATURES = (0.1, 10.0)
"""Range searched. A small fold without an error would ask for 0: infinite confidence."""
MIN_ROWS = 20
"""Rows under which the temperature stays 1: ten held-out cells, each as it is and once degraded.
Fewer are often all right or all wrong, and ask for an end of the range."""
FLOOR = 1e-12


def balanced_weights(targets: np.ndarray) -> np.ndarray:
    """Weight 1/n of its class for each row, scaled so that all sum to 1.

    Args:
        targets: Shape (n,).

    Returns:
        Shape (n,), float64.
    """
    counts = np.bincount(targets)
    return 1.0 / (counts[targets] * np.count_nonzero(counts))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log of the softmax over the last axis, float64."""
    values = np.asarray(logits, dtype=np.float64)
    values = values - values.max(axis=-1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=-1, keepdims=True))


def log_probs(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Log of the probabilities at a temperature; the mean softmax where there are views.

    Args:
        logits: Shape (n, k), or (n, v, k) with v views of each cell.
        temperature: Divides the logits.

    Returns:
        Shape (n, k), float64; exponentials of rows sum to 1.
    """
    logs = log_softmax(np.asarray(logits, dtype=np.float64) / temperature)
    if logs.ndim == 2:
        return logs
    mean = np.exp(logs).mean(axis=1)
    return np.log(np.maximum(mean, FLOOR))


def flatten(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at a temperature: p ** (1 / temperature), normalised; 0 stays 0.

    Args:
        probs: Shape (n, k), rows sum to 1.
        temperature: Over 1 flattens, 1 leaves as it is.

    Returns:
        Shape (n, k), rows sum to 1.
    """
    with np.errstate(divide="ignore"):
        return np.exp(log_softmax(np.log(probs) / temperature))


def nll(logs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Weighted negative log-likelihood.

    Args:
        logs: Log-probabilities, shape (n, k).
        targets: Shape (n,).
        weights: Shape (n,), sum 1.
    """
    return float(-(weights * logs[np.arange(len(targets)), targets]).sum())


def fit_temperature(
    logits: np.ndarray, targets: np.ndarray, sample_weights: np.ndarray | None = None
) -> float:
    """The temperature of the least negative log-likelihood (Guo et al., arXiv 1706.04599).

    Args:
        logits: Shape (n, k), or (n, v, k) with v views whose mean softmax is scored.
        targets: Shape (n,).
        sample_weights: Shape (n,); `balanced_weights(targets)` if not given, so that a tail
            class counts as much as a head class.

    Returns:
        In `TEMPERATURES`; 1 where there are fewer than `MIN_ROWS`.

    Raises:
        ShapeError: Shapes do not match.
    """
    if logits.ndim not in (2, 3) or len(logits) != len(targets):
        raise ShapeError(
            f"expected logits (n, k) or (n, v, k) and n targets, got {logits.shape} and "
            f"{len(targets)}"
        )
    if len(targets) < MIN_ROWS:
        return 1.0
    return fit_factor(lambda factor: log_probs(logits, factor), targets, sample_weights)


def fit_factor(
    said: Callable[[float], np.ndarray],
    targets: np.ndarray,
    sample_weights: np.ndarray | None = None,
) -> float:
    """The number in `TEMPERATURES` with the least negative log-likelihood.

    Args:
        said: The number to log-probabilities, shape (n, k).
        targets: Shape (n,).
        sample_weights: As in `fit_temperature`.
    """
    weights = balanced_weights(targets) if sample_weights is None else np.asarray(sample_weights)
    weights = weights / weights.sum()
    from scipy.optimize import minimize_scalar

    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda log_factor: nll(said(float(np.exp(log_factor))), targets, weights),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))
