"""Which unlabelled cells a classifier may name by itself, so that another learns from them."""

from __future__ import annotations

import numpy as np

from buffycoat.errors import ConfigError

NONE = -1
"""What stands for no class."""


def pseudo_labels(
    probs: np.ndarray, is_asked: np.ndarray, precision: float, least_share: float = 0.0
) -> np.ndarray:
    """The most probable class of each cell, where the cells of that class hold together.

    Of the cells that are called one class the surest are taken, as many as make the mean
    probability of those taken at least `precision`: with calibrated probabilities of the right
    class mix that is the share of them that are of it. So each class has a limit of its own, and a
    class that is always called with doubt still gets its surest cells (compare FlexMatch, Zhang et
    al., arXiv 2110.08263, whose limits follow how far each class has been learned).

    A class that is always called with much doubt would get none of them while its neighbours get
    theirs, and a student would forget it. `least_share` names its surest cells all the same, up to
    that share of the cells which are expected to be of it.

    Args:
        probs: Calibrated, under the class mix of these cells, shape (n, k).
        is_asked: Shape (n,), bool: cells that may be taken.
        precision: Expected share of right ones among the cells taken for a class, over 0 to 1.
        least_share: Of the cells expected to be of a class, those that are taken for it at least,
            however sure; 0 to 1. No cell is taken that is called another class.

    Returns:
        Shape (n,), int64; `NONE` for a cell that is not taken.

    Raises:
        ConfigError: `precision` or `least_share` is no such share.
    """
    if not 0 < precision <= 1:
        raise ConfigError(f"precision: expected a share over 0, at most 1; got {precision}")
    if not 0 <= least_share <= 1:
        raise ConfigError(f"least_share: expected a share from 0 to 1; got {least_share}")
    called, sureness = probs.argmax(axis=1), probs.max(axis=1)
    taken = np.full(len(probs), NONE, dtype=np.int64)
    for column in range(probs.shape[1]):
        rows = np.flatnonzero(is_asked & (called == column))
        rows = rows[np.argsort(-sureness[rows], kind="stable")]
        mean = np.cumsum(sureness[rows]) / np.arange(1, len(rows) + 1)
        # The mean of ever less sure cells falls, but for rounding.
        precise = int((mean >= precision - 1e-12).sum())
        least = round(least_share * float(probs[is_asked, column].sum()))
        taken[rows[: max(precise, least)]] = column
    return taken
