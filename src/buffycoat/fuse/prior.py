"""From one mix of classes to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from buffycoat.errors import ConfigError, ShapeError
from buffycoat.optional import choose

ABSENT_COUNT = 0.5
"""Cells that a class without any counts for: a prior of 0 could never be undone."""
MAX_STEPS, TOLERANCE = 1000, 1e-6
"""Of the expectation maximisation, and the largest change of a share in its last step."""


def shares(counts: np.ndarray) -> np.ndarray:
    """Class shares from class counts.

    Args:
        counts: Shape (k,), >= 0.

    Returns:
        Shape (k,), positive, sum 1.
    """
    filled = np.where(np.asarray(counts) > 0, counts, ABSENT_COUNT).astype(np.float64)
    return filled / filled.sum()


def uniform(k: int) -> np.ndarray:
    """All of k classes alike, shape (k,)."""
    return np.full(k, 1.0 / k)


def given(text: str, codes: Sequence[str]) -> np.ndarray:
    """A class mix that a person states.

    Args:
        text: "SNE=60,LY=30,...": a share or a count for every class; the sum does not matter.
        codes: Classes in column order, k of them.

    Returns:
        Shape (k,), >= 0, sum 1.

    Raises:
        ConfigError: Lists every class that is missing, unknown, named twice or not a number >= 0.
    """
    stated: dict[str, float] = {}
    faults = []
    for part in text.split(","):
        code, _, value = (piece.strip() for piece in part.partition("="))
        try:
            amount = float(value)
        except ValueError:
            amount = float("nan")
        if code in stated:
            faults.append(f"{code} is named twice")
        if code not in codes:
            faults.append(f"{code!r} is no class here")
        if not (np.isfinite(amount) and amount >= 0):
            faults.append(f"{part.strip()!r} is not CODE=NUMBER with a number >= 0")
        stated[code] = amount
    faults += [
        f"{code} is missing (say 0 if it cannot occur)" for code in codes if code not in stated
    ]
    if not faults and not any(stated.values()):
        faults.append("all classes are 0")
    if faults:
        raise ConfigError(f"prior {text!r}: {'; '.join(faults)}. Classes: {', '.join(codes)}")
    amounts = np.array([stated[code] for code in codes])
    return amounts / amounts.sum()


def apply_prior(probs: np.ndarray, from_prior: np.ndarray, to_prior: np.ndarray) -> np.ndarray:
    """What the probabilities would be if the classes were mixed otherwise.

    p(c | x) * to(c) / from(c), normalised: the cells of a class look the same, only how many
    there are changes (Saerens et al. 2002; Alexandari et al., arXiv 1901.06852).

    Args:
        probs: Shape (n, k), rows sum to 1.
        from_prior: Shape (k,), positive: the mix that `probs` assume.
        to_prior: Shape (k,), >= 0, not all 0: the mix that is wanted.

    Returns:
        Shape (n, k), rows sum to 1.

    Raises:
        ConfigError: A prior is negative or not finite, or 0 where it may not be.
        ShapeError: Shapes do not match.
    """
    source, wanted = (np.asarray(prior, dtype=np.float64) for prior in (from_prior, to_prior))
    if probs.ndim != 2 or not source.shape == wanted.shape == probs.shape[1:]:
        raise ShapeError(
            f"expected probs (n, k) and priors (k,), got {probs.shape}, {source.shape} and "
            f"{wanted.shape}"
        )
    is_finite = np.isfinite(source).all() and np.isfinite(wanted).all()
    if not is_finite or (source <= 0).any() or (wanted < 0).any() or wanted.sum() <= 0:
        raise ConfigError(
            f"a prior is finite, the old one positive and the new one not negative; got {source} "
            f"and {wanted}"
        )
    # In logs: a class that is rare in the old mix would overflow, and a row could become 0.
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(probs, 1e-300)) + np.log(wanted) - np.log(source)
    moved = np.exp(logs - logs.max(axis=1, keepdims=True))
    return moved / moved.sum(axis=1, keepdims=True)


def estimate_prior(probs: np.ndarray, from_prior: np.ndarray) -> np.ndarray:
    """The class mix under which calibrated probabilities of unlabelled cells agree with themselves.

    Maximum likelihood by expectation maximisation (Saerens et al. 2002, doi
    10.1162/089976602753284446). Unlike an estimate from a confusion on labelled cells
    (`evaluate.mixture`) it asks nothing of another model and little of classes with few labels.

    Args:
        probs: Of n cells, shape (n, k), rows sum to 1.
        from_prior: Shape (k,), positive: the mix that `probs` assume.

    Returns:
        Shape (k,), positive, sum 1: a class of which no cell seems to be there is not ruled out.

    Raises:
        ShapeError: Shapes do not match, or there is no cell.
    """
    if not len(probs):
        raise ShapeError("a class mix needs at least one cell")
    mix = np.asarray(from_prior, dtype=np.float64)
    for _ in range(MAX_STEPS):
        old, mix = mix, apply_prior(probs, from_prior, mix).mean(axis=0)
        if np.abs(mix - old).max() < TOLERANCE:
            break
    return shares(np.maximum(mix * len(probs), ABSENT_COUNT))


def prior_of(name: str, counts: np.ndarray) -> np.ndarray:
    """The class mix that final scores assume, shape (k,).

    Args:
        name: "uniform", "train" or "as_trained". The last leaves scores as they are, which is
            what a uniform target does to scores that were never corrected.
        counts: Training cells of each class.

    Raises:
        ConfigError: Another name.
    """
    return choose(PRIORS, name, "prior")(counts)


PRIORS = {
    "uniform": lambda counts: uniform(len(counts)),
    "train": shares,
    "as_trained": lambda counts: uniform(len(counts)),
}
