"""The best closed path around a centre, by dynamic programming."""

from __future__ import annotations

import numpy as np

MAX_STEP = 3
"""Largest change of radius, in samples, from one angle to the next."""
STEP_COST = 0.35
_STEP_COSTS: np.ndarray = (STEP_COST * np.abs(np.arange(-MAX_STEP, MAX_STEP + 1))).astype(
    np.float32
)[:, None]


def closed_paths(gains: np.ndarray) -> np.ndarray:
    """One radius for each angle with the largest total gain; half a turn more closes it.

    Paths run from both ends towards the middle, two angles at a time, and the best pair meets.

    Args:
        gains: What n paths gain at each place, shape (n, angles, radii), float32.

    Returns:
        Shape (n, angles): numbers of radii, of which neighbours differ by `MAX_STEP` at most.
    """
    n, angles, radii = gains.shape
    overlap = angles // 4
    looped = np.concatenate([gains, gains[:, : 2 * overlap]], axis=1).swapaxes(0, 1)
    middle = len(looped) // 2
    # (angles, 2, n, radii): what a path from either end has gained; beyond the radii is no way
    best = np.full((middle, 2, n, radii + 2 * MAX_STEP), -np.inf, dtype=np.float32)
    inner = best[..., MAX_STEP:-MAX_STEP]
    inner[:, 0], inner[:, 1] = looped[:middle], looped[: middle - 1 : -1]
    around = np.lib.stride_tricks.sliding_window_view(best, radii, axis=3)
    options = np.empty((2, n, len(_STEP_COSTS), radii), dtype=np.float32)
    reached = np.empty((2, n, radii), dtype=np.float32)
    for angle in range(1, middle):
        np.subtract(around[angle - 1], _STEP_COSTS, out=options)
        np.maximum.reduce(options, axis=2, out=reached)
        inner[angle] += reached
    joined = (around[-1, 0] - _STEP_COSTS) + inner[-1, 1][:, None]
    step, start = np.divmod(joined.reshape(n, -1).argmax(axis=1), radii)
    ways = _ways_back(best, np.stack([start + step - MAX_STEP, start]))
    paths = np.concatenate([ways[:, 0], ways[::-1, 1]]).T
    return np.concatenate([paths[:, angles : angles + overlap], paths[:, overlap:angles]], axis=1)


def _ways_back(best: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Radii of the paths to their ends; each step is found again, as it is one radius an angle.

    Args:
        best: Shape (angles, 2, n, radii).
        ends: Shape (2, n).

    Returns:
        Shape (angles, 2, n).
    """
    flat = best.reshape(len(best), -1)
    # (2 * n, steps): where the ways to radius 0 begin in a row of `flat`
    ways = np.arange(ends.size)[:, None] * best.shape[-1] + np.arange(len(_STEP_COSTS))
    paths = np.empty((len(best), ends.size), dtype=np.int64)
    paths[-1] = ends.ravel()
    for angle in range(len(best) - 2, -1, -1):
        options = flat[angle].take(ways + paths[angle + 1][:, None]) - _STEP_COSTS[:, 0]
        paths[angle] = paths[angle + 1] + options.argmax(axis=1) - MAX_STEP
    return paths.reshape(len(best), *ends.shape)
