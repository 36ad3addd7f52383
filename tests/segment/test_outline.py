"""The contour's dynamic programme from both ends, against one that goes one way."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.segment.outline import ANGLES, MAX_STEP, RADII, STEP_COST, _closed_path


def one_way(gain: np.ndarray) -> np.ndarray:
    """Best path through one and a half turns, angle by angle, of which the middle turn counts."""
    overlap = ANGLES // 4
    looped = np.concatenate([gain, gain[: 2 * overlap]]).astype(np.float64)
    best = looped[0]
    came_from = []
    for row in looped[1:]:
        reached, source = np.empty(RADII), np.empty(RADII, dtype=int)
        for radius in range(RADII):
            near = np.arange(max(radius - MAX_STEP, 0), min(radius + MAX_STEP + 1, RADII))
            options = best[near] - STEP_COST * np.abs(near - radius)
            source[radius] = near[options.argmax()]
            reached[radius] = options.max()
        best = reached + row
        came_from.append(source)
    path = [int(best.argmax())]
    for source in reversed(came_from):
        path.append(int(source[path[-1]]))
    path = np.array(path[::-1])
    return np.concatenate([path[ANGLES : ANGLES + overlap], path[overlap:ANGLES]])


@pytest.mark.parametrize("seed", range(5))
def test_a_path_from_both_ends_is_the_one_way_path(seed: int) -> None:
    gain = np.random.default_rng(seed).normal(scale=3, size=(ANGLES, RADII)).astype(np.float32)
    path = _closed_path(gain)
    assert path.tolist() == one_way(gain).tolist()
    steps = np.abs(np.diff(path))
    steps[ANGLES // 4 - 1] = 0  # where the turns are joined, noise need not close
    assert steps.max() <= MAX_STEP
