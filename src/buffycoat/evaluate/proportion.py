"""Exact limits of a proportion that was counted."""

from __future__ import annotations

from typing import Any

import numpy as np

from buffycoat.errors import ShapeError

Array = np.ndarray[Any, Any]


def clopper_pearson(count: Array | int, n: Array | int, level: float = 0.95) -> tuple[Array, Array]:
    """Exact binomial limits (Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404).

    For a differential of n cells these are the limits that Rumke tabulated (1985). They cover at
    least `level` of the time, usually more.

    Args:
        count: Events, 0 to n; broadcasts with n. May be a fraction: of cells scored several
            times, each counts as the share of times.
        n: Trials. With 0, nothing is known: the limits are 0 and 1.
        level: Probability mass between the limits.

    Returns:
        Lower and upper limit, 0 to 1.

    Raises:
        ShapeError: A count is below 0 or above n.
    """
    from scipy.special import betaincinv

    hits, trials = np.broadcast_arrays(np.asarray(count, float), np.asarray(n, float))
    if not ((hits >= 0) & (hits <= trials)).all():
        raise ShapeError(f"count: expected 0 to n, got {count!r} of {n!r}")
    tail = (1 - level) / 2
    # The beta quantile has no meaning at a parameter of 0; there the limit is the end itself.
    misses = trials - hits
    low = np.where(hits > 0, betaincinv(np.where(hits > 0, hits, 1), misses + 1, tail), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1, np.where(misses > 0, misses, 1), 1 - tail), 1)
    return low, high
