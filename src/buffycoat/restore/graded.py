"""Clean cells degraded at known severity, as measured: what the severity estimator learns from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.restore.one_by_one import Progress
from buffycoat.restore.symptoms import FEATURES, measure
from buffycoat.simulate.degrade import GROUPS as FAULT_GROUPS
from buffycoat.simulate.degrade import JPEG_CHANCE, JPEG_QUALITY, MAX_SEVERITY, degrade_labelled

GROUPS = tuple(FAULT_GROUPS)
"""What can be wrong with an image, in the order of the columns: noise, blur, light."""
TRAINING_IMAGES = 6000
"""Simulated images that the networks are fitted on, at most."""
MAX_REPEATS = 4
"""Times that one clean cell is degraded at one severity, at most."""


@dataclass(frozen=True)
class Graded:
    """Clean cells degraded at severity 0-4, in equal numbers, as measured.

    Attributes:
        features: Shape (n, d).
        severity: Shape (n,), 0 to 4.
        groups: Which of `GROUPS` were drawn, shape (n, 3), bool.
        cell: The clean cell that each was made from, shape (n,).
    """

    features: np.ndarray
    severity: np.ndarray
    groups: np.ndarray
    cell: np.ndarray

    def subset(self, rows: np.ndarray) -> Graded:
        """Some of them; `rows` is an index or a mask."""
        return Graded(*(value[rows] for value in vars(self).values()))


def grade(
    pristine: np.ndarray, rng: np.random.Generator, on_progress: Progress | None = None
) -> Graded:
    """Degrade clean cells, and measure them.

    Args:
        pristine: Shape (n, h, w, 3), uint8, RGB.
        rng: Randomness.
        on_progress: Called with (simulated images done, all).
    """
    rounds = min(MAX_REPEATS, max(1, TRAINING_IMAGES // (5 * len(pristine))))
    per_round = min(len(pristine), TRAINING_IMAGES // 5)
    rows = np.concatenate([rng.permutation(len(pristine))[:per_round] for _ in range(rounds)])
    pairs = [(row, severity) for row in rows for severity in range(MAX_SEVERITY + 1)]
    features = np.empty((len(pairs), len(FEATURES)))
    groups = np.empty((len(pairs), len(GROUPS)), dtype=bool)
    for place, (row, severity) in enumerate(pairs):
        image, drawn = degrade_labelled(np.ascontiguousarray(pristine[row]), severity, rng)
        features[place] = measure(image if severity else _compress(image, rng))
        groups[place] = [name in drawn for name in GROUPS]
        if on_progress is not None:
            on_progress(place + 1, len(pairs))
    cells, severities = np.array(pairs).T
    return Graded(features, severities, groups, cells)


def _compress(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # As often as degraded ones, so that compression alone does not look like damage.
    if rng.random() >= JPEG_CHANCE:
        return image
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1))]
    _, data = cv2.imencode(".jpg", image[..., ::-1], quality)
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])
