"""The white behind a cell: a quadratic surface through the logarithms of the free background.

The background is the upper envelope of the green channel, where both red cells and chromatin are
dark; a ridge holds the surface flat where little of it is seen. Samples lie on a grid, so that all
sums of the fit are products with powers of its sides.
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.statistics import quantile

TOLERANCES = (0.3, 0.15, 0.08)
"""Log units under the fitted white that a pixel may lie and still count as background."""
MIN_SHARE = 0.04
"""Of the samples, under which what counts as background is too little to fit on."""
DARK_OFFSET = 8.0
"""Added to gray levels before the logarithm, so that black is finite and noise there small."""
LOGS: np.ndarray = np.log(np.arange(256, dtype=np.float32) + np.float32(DARK_OFFSET))
"""Of each gray level."""
_RIDGE: np.ndarray = np.diag([0.0, 0.02, 0.02, 0.05, 0.05, 0.05])
_DOWN: np.ndarray = np.array([0, 1, 0, 2, 0, 1])
_ACROSS: np.ndarray = np.array([0, 0, 1, 0, 2, 1])
"""Powers of row and column in each term of a quadratic surface."""


def powers(places: np.ndarray) -> np.ndarray:
    """Powers 0 to 4 of places along one side, from -1 to 1; shape (n, 5)."""
    return np.vander(places, 5, increasing=True)


def fit(
    logs: np.ndarray, free: np.ndarray, down: np.ndarray, across: np.ndarray, share: float
) -> np.ndarray:
    """Factors of the surface through the brightest samples.

    Args:
        logs: Of red, green and blue at the samples, shape (r, c, 3).
        free: Samples that may be background, shape (r, c), bool.
        down: `powers` of the rows, shape (r, 5).
        across: `powers` of the columns, shape (c, 5).
        share: Quantile of green where the search for the background begins; at most 1 less
            `MIN_SHARE`.

    Returns:
        Of each term and channel, shape (6, 3); the white of a full pixel where nothing is free.
    """
    factors = np.zeros((6, 3))
    total = np.count_nonzero(free)
    if not total:
        factors[0] = LOGS[-1]
        return factors
    channels = logs.transpose(2, 0, 1).astype(np.float64, order="C")  # (3, r, c)
    green = channels[1]
    fitted = quantile(green[free], share)  # so the first round keeps enough
    for tolerance in TOLERANCES:
        keep = (free & (green > fitted - tolerance)).astype(np.float64)
        moments = down.T @ keep @ across
        if moments[0, 0] < MIN_SHARE * total:
            break
        normal = moments[_DOWN[:, None] + _DOWN, _ACROSS[:, None] + _ACROSS]
        sums = down[:, :3].T @ (channels * keep) @ across[:, :3]  # (3, 3, 3): channel first
        normal += moments[0, 0] * _RIDGE
        factors = cv2.solve(normal, sums[:, _DOWN, _ACROSS].T, flags=cv2.DECOMP_CHOLESKY)[1]
        fitted = down[:, :3] @ _table(factors)[..., 1] @ across[:, :3].T
    return factors


def surface(factors: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The surface, shape (h, w, 3), float32.

    Args:
        factors: From `fit`.
        down: `powers` of the rows, shape (h, 5).
        across: `powers` of the columns, shape (w, 5).
    """
    by_row = across[:, :3] @ _table(factors)  # (3, w, 3): power of the row first
    values = down[:, :3].astype(np.float32) @ by_row.reshape(3, -1).astype(np.float32)
    return values.reshape(len(down), len(across), 3)


def _table(factors: np.ndarray) -> np.ndarray:
    """The factors by power of row, power of column, and channel; shape (3, 3, 3)."""
    table = np.zeros((3, 3, 3))
    table[_DOWN, _ACROSS] = factors
    return table
