"""How large a site's photographs show things, told from the red cells around the white ones.

A red cell is 7 to 8 micrometres wide in anybody without anaemia of odd-sized cells, whichever white
cells a site sends; the white cells' own size depends on their types. So whole, round red cells are
measured, and the white cell only where there are too few of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

MIN_SHARE = 0.003
"""Area over that of the frame under which a spot is dirt: 0.06 of its side wide."""
MIN_OF_WHITE_CELL = 0.35
"""Diameter over that of the white cell under which a spot is a platelet; red cells are 0.45 of a
monocyte to 0.7 of a lymphocyte."""
MIN_SOLIDITY = 0.93
MAX_ELONGATION = 1.25
"""What is less solid or longer is two cells, or one that was cut or bent."""
LEAST_CELLS = 10
"""Red or white cells under which their median diameter says nothing."""
LOG_ERROR = {"red": 0.07, "white": 0.16}
"""Standard errors of the logarithm of the scale by each kind, between sites: of red cells, how far
sites whose framing is known came out; of white ones, what the mix of types alone can do."""
SAME = 1.15
"""Factor up to which scales count as equal: where the scale was known, no larger error was seen."""
LARGEST = 2.0
"""Factors beyond it are not believed."""


@dataclass(frozen=True)
class Sizes:
    """Typical diameters, as a share of the side of the photograph.

    Attributes:
        red: Median of whole round red cells; None of fewer than `LEAST_CELLS`.
        white: The same of white cells with a plausible outline.
    """

    red: float | None
    white: float | None

    @classmethod
    def of(cls, images: np.ndarray, masks: Sequence[np.ndarray], is_good: np.ndarray) -> Sizes:
        """Measure the cells of a site.

        Args:
            images: Whole photographs, shape (n, w, w, 3), uint8.
            masks: Of the white cell in each, shape (w, w), bool; may be empty.
            is_good: Whether a mask is to be trusted, shape (n,).
        """
        red = [d for image, mask in zip(images, masks, strict=True) for d in red_cells(image, mask)]
        white = [diameter(int(m.sum()), len(m)) for m, ok in zip(masks, is_good, strict=True) if ok]
        return cls(
            float(np.median(red)) if len(red) >= LEAST_CELLS else None,
            float(np.median(white)) if len(white) >= LEAST_CELLS else None,
        )

    def to_dict(self) -> dict[str, float | None]:
        """Plain values, as the constructor takes them."""
        return {"red": self.red, "white": self.white}


@dataclass(frozen=True)
class Magnification:
    """How a site's scale compares with the training's.

    Attributes:
        factor: By how much larger the site shows things; 1 where they count as equal.
        reason: Where it comes from, or why it stays 1, in words and numbers.
    """

    factor: float
    reason: str


def compare(site: Sizes, home: Sizes) -> Magnification:
    """The site's scale over the training's: both kinds of cells, weighted by their errors."""
    logs, weights, words = [], [], []
    for kind, error in LOG_ERROR.items():
        there, here = getattr(site, kind), getattr(home, kind)
        if there is None or here is None:
            continue
        logs.append(float(np.log(there / here)))
        weights.append(error**-2)
        words.append(f"{kind} cells {there / here:.2f} times as wide as in training")
    if not logs:
        return Magnification(1.0, "too few whole red and white cells to tell the scale by")
    factor = float(np.exp(np.average(logs, weights=weights)))
    text = f"{', '.join(words)}: scale {factor:.2f}"
    if 1 / SAME <= factor <= SAME:
        return Magnification(1.0, f"{text}, which counts as equal (up to {SAME:g})")
    if not 1 / LARGEST <= factor <= LARGEST:
        return Magnification(1.0, f"{text}, not believed beyond {LARGEST:g}; state um_per_px")
    return Magnification(factor, text)


def red_cells(image: np.ndarray, white_cell: np.ndarray) -> list[float]:
    """Diameters of the whole, round, single red cells of a photograph, as shares of its side.

    Args:
        image: Shape (w, w, 3), uint8, RGB.
        white_cell: Its mask, shape (w, w), bool; may be empty.
    """
    side = image.shape[0]
    around = cv2.dilate(white_cell.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    green = cv2.medianBlur(np.ascontiguousarray(image[..., 1]), 3)
    outside = green[~around]
    if outside.size < 16 or outside.max() == outside.min():
        return []
    # Of the logarithm, in which the light is a summand and the stain the difference.
    logs = np.round(255 * np.log1p(np.arange(256)) / np.log(256)).astype(np.uint8)
    level, _ = cv2.threshold(logs[outside], 0, 255, cv2.THRESH_OTSU)
    stained = ((logs[green] <= level) & ~around).astype(np.uint8)
    stained = cv2.morphologyEx(stained, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(stained, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    least = max(MIN_SHARE, (MIN_OF_WHITE_CELL**2) * float(white_cell.mean())) * side * side
    found = (c for c in contours if cv2.contourArea(c) >= least)
    return [diameter(cv2.contourArea(c), side) for c in found if _is_round_cell(c, side, around)]


def diameter(area_px: float, side_px: int) -> float:
    """Of the circle of that area, as a share of the side."""
    return float(2 * np.sqrt(area_px / np.pi) / side_px)


def _is_round_cell(contour: np.ndarray, side: int, around: np.ndarray) -> bool:
    area = cv2.contourArea(contour)
    left, top, width, height = cv2.boundingRect(contour)
    is_cut = left <= 0 or top <= 0 or left + width >= side or top + height >= side
    is_solid = area >= MIN_SOLIDITY * cv2.contourArea(cv2.convexHull(contour))
    if is_cut or not is_solid:
        return False
    _, axes, _ = cv2.minAreaRect(contour)
    touches_white_cell = around[top : top + height, left : left + width].mean() > 0.1
    return max(axes) <= MAX_ELONGATION * min(axes) and not touches_white_cell
