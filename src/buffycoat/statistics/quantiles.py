"""Quantiles of many small tables."""

from __future__ import annotations

import numpy as np


def quantile(values: np.ndarray, share: float) -> float:
    """`np.quantile` of one axis, without what it spends on cases that do not occur here.

    Args:
        values: Shape (n,), n > 0, without NaN.
        share: 0 to 1.
    """
    place = share * (len(values) - 1)
    low = int(place)
    ordered = np.partition(values, low)  # two places would take numpy's slower way
    below = float(ordered[low])
    above = float(ordered[low + 1 :].min()) if place > low else below
    return below + (above - below) * (place - low)
