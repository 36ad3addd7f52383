"""The path's dynamic programme from both ends, against one that goes one way."""

from __future__ import annotations

import numpy as np

from buffycoat.segment.outline import ANGLES, RADII
from buffycoat.segment.path import MAX_STEP, STEP_COST, closed_paths


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


def test_paths_from_both_ends_are_the_one_way_paths() -> None:
    rng = np.random.default_rng(0)
    gains = rng.normal(scale=3, size=(5, ANGLES, RADII)).astype(np.float32)
    for gain, path in zip(gains, closed_paths(gains), strict=True):
        assert path.tolist() == one_way(gain).tolist()
        steps = np.abs(np.diff(path))
        steps[ANGLES // 4 - 1] = 0  # where the turns are joined, noise need not close
        assert steps.max() <= MAX_STEP
