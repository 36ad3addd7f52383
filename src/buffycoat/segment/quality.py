"""How far masks can be trusted."""

from __future__ import annotations

import math

import cv2
import numpy as np

from buffycoat.segment import contrast
from buffycoat.statistics import quantile


def plausibility(density: np.ndarray, cell: np.ndarray, nucleus: np.ndarray) -> float:
    """Geometric mean of plausibilities: size, N:C ratio, contrast, solidity, wholeness.

    Args:
        density: Optical density, shape (h, h, 3), as `contrast.optical_density` gives it.
        cell: Shape (h, h), bool, not empty.
        nucleus: Shape (h, h), bool, not empty, within `cell`.

    Returns:
        0 (no cell looks like that) to 1.
    """
    side = cell.shape[0]
    total = contrast.total(density)
    whole, own = cell.view(np.uint8), nucleus.view(np.uint8)
    cytoplasm = whole & ~own
    area = cv2.countNonZero(whole)
    share = area / side**2
    ratio = cv2.countNonZero(own) / max(area, 1)
    inner = cv2.mean(total, own)[0]
    middle = cv2.mean(total, cytoplasm)[0] if cytoplasm.any() else inner / 2
    outer = quantile(total[::2, ::2].ravel(), 0.05)
    contour = max(
        cv2.findContours(whole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0],
        key=cv2.contourArea,
    )
    hull = cv2.contourArea(cv2.convexHull(contour))
    solidity = cv2.contourArea(contour) / max(hull, 1.0)
    edges = (cell[0], cell[-1], cell[:, 0], cell[:, -1])
    border = sum(map(np.count_nonzero, edges)) / (4 * side)
    scores = (
        _ramp(share, 0.01, 0.03) * _ramp(0.75 - share, 0.0, 0.2),
        _ramp(ratio, 0.03, 0.12),
        _ramp(inner - middle, 0.1, 0.8),
        _ramp(middle - outer, 0.0, 0.3),
        _ramp(solidity, 0.6, 0.9),
        1.0 - _ramp(border, 0.0, 0.25),
    )
    return math.prod(scores) ** (1 / len(scores))


def _ramp(value: float, low: float, high: float) -> float:
    return min(max(float((value - low) / (high - low)), 0.0), 1.0)
