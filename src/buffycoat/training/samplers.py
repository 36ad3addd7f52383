"""Which cells an epoch shows, and how much a class weighs."""

from __future__ import annotations

import numpy as np

from buffycoat.optional import choose

CLASS_SHARE = {
    "instance": lambda counts: counts,
    "square_root": lambda counts: np.sqrt(counts),
    "inverse_log": lambda counts: counts / np.log1p(np.maximum(counts, 1)),
    "balanced": lambda counts: (counts > 0).astype(float),
}
"""How often each class is drawn, from its number of cells; "inverse_log" is the paper's
1/log1p(n) for each cell (arXiv 2603.16249)."""

EFFECTIVE_BETA = 0.999
CLASS_WEIGHT = {
    "inverse_log": lambda counts: 1 / np.log1p(np.maximum(counts, 1)),
    "effective_number": lambda counts: (
        (1 - EFFECTIVE_BETA) / (1 - EFFECTIVE_BETA ** np.maximum(counts, 1))
    ),
}
"""Weight of a class in the loss, from its number of cells, before it is scaled to a mean of 1."""


def draw_epoch(
    targets: np.ndarray, kind: str, rng: np.random.Generator, shares: np.ndarray | None = None
) -> np.ndarray:
    """The cells of one epoch, in order.

    Args:
        targets: Shape (n,), label of each cell that may be drawn.
        kind: A key of `CLASS_SHARE`. "instance" shows each cell once; the others draw n cells
            with replacement.
        rng: Source of randomness.
        shares: Shape (t, k): expected share of each class among the cells of a label; None where
            each label is a class.

    Returns:
        Shape (n,), positions in `targets`.
    """
    if kind == "instance":
        return rng.permutation(len(targets))
    n_labels = int(targets.max()) + 1 if shares is None else len(shares)
    table = np.eye(n_labels) if shares is None else shares
    per_cell = label_weights(np.bincount(targets, minlength=n_labels), kind, table)[targets]
    return rng.choice(len(targets), size=len(targets), p=per_cell / per_cell.sum())


def label_weights(counts: np.ndarray, kind: str, shares: np.ndarray) -> np.ndarray:
    """How often one cell of each label is drawn, up to a factor.

    Args:
        counts: Shape (t,), cells of each label.
        kind: A key of `CLASS_SHARE`.
        shares: Shape (t, k): expected share of each class among the cells of a label.

    Returns:
        Shape (t,): of a class as `class_share` has it, of a group the mean of its classes.
    """
    of_class = counts @ shares  # expected cells of each class
    return shares @ (class_share(of_class, kind) / np.maximum(of_class, 1))


def class_share(counts: np.ndarray, kind: str) -> np.ndarray:
    """Share of each class among the cells that an epoch shows.

    Args:
        counts: Shape (k,), training cells of each class.
        kind: A key of `CLASS_SHARE`.

    Returns:
        Shape (k,), float64, sums to 1.
    """
    share = choose(CLASS_SHARE, kind, "sampler")(counts.astype(float))
    return share / share.sum()


def class_weights(counts: np.ndarray, kind: str) -> np.ndarray | None:
    """Weight of each class in the loss, mean 1 over the classes present.

    Args:
        counts: Shape (k,), training cells of each class.
        kind: "none"; "inverse_log": 1 / log1p(n), as arXiv 2603.16249 has it; or
            "effective_number": (1 - b) / (1 - b^n) with b = 0.999, the class-balanced loss of Cui
            et al., arXiv 1901.05555.

    Returns:
        Shape (k,), float64, or None for "none". A class without cells gets 0.
    """
    if kind == "none":
        return None
    present = counts > 0
    weights = np.where(present, choose(CLASS_WEIGHT, kind, "class weights")(counts), 0.0)
    return weights / weights[present].mean()
