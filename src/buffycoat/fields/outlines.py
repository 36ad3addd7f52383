"""The whole cell around each nucleus, cytoplasm included.

The contour finder of `segment` looks for it in the field's own densities, which are first brought
to the chromatin density that its limits were set for.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from buffycoat.fields.nuclei import RED_AREA_PX, RED_PX, Nucleus, disk, hull
from buffycoat.segment import outline
from buffycoat.segment.quality import plausibility
from buffycoat.segment.stain import WORK_PX

WINDOW = 4.5
"""Side of the window in red-cell diameters: 2.67 times a white cell of 1.7, as in PBC's frames."""
CHROMATIN_DENSITY = 2.0
"""Of red and green together, natural log units: where nuclei of PBC lie (1.5 to 2.8)."""
MOST_GAIN = 8.0
"""Factor on a pale field's densities, at most."""
TYPICAL = 1.7
"""Diameter of a white cell in red-cell diameters: medians of four sites, 1.6 to 1.85."""
MARGINS = (0.06, 0.2)
"""Cytoplasm around a nucleus, in red-cell diameters, where no contour is believed: what makes the
cell a typical one, within these."""
OPENED = 0.8
"""Width, in red-cell diameters, of the narrowest part of a cell: what hangs on by less is a
neighbour, or a crescent of background."""
LEAST_SOLID = 0.85
"""Area of a cell over that of its hull, at least: less has run into a neighbour."""
MOST_AREA = 4.4
"""Areas of a red cell that a cell may have, or `LEAST_ROOM` times its nucleus' hull."""
LEAST_ROOM = 1.8
MOST_OF_HULL = 3.5
"""Area of a cell over that of the hull of its nucleus, at most: more has run into what lies beside
it. Rendered monocytes and plasma cells have up to 3.6."""
LEAST_PLAUSIBLE = 0.5
"""Under which a contour is not believed, as the sites' sizes are measured from (`sites.scale`)."""


def whole_cells(density: np.ndarray, nuclei: Sequence[Nucleus]) -> list[np.ndarray]:
    """Pixels of the cell of each nucleus.

    Args:
        density: Of the field at `RED_PX`, shape (h, w, 3), float32.
        nuclei: n of it.

    Returns:
        n masks of shape (side, side), bool, around the middle of each nucleus' box; see `corner`.
    """
    if not nuclei:
        return []
    side = _side()
    everything = np.zeros(density.shape[:2], dtype=np.uint8)
    for number, nucleus in enumerate(nuclei):
        left, top, width, height = nucleus.box
        everything[top : top + height, left : left + width][nucleus.mask] = number % 254 + 1
    scenes = []
    for number, nucleus in enumerate(nuclei):
        left, top = corner(nucleus)
        colours = _window(density, left, top, side)
        labels = _window(everything, left, top, side)
        own = labels == number % 254 + 1
        gain = CHROMATIN_DENSITY / max(float(colours[..., :2][own].sum(axis=1).mean()), 1e-3)
        colours *= min(max(gain, 1 / MOST_GAIN), MOST_GAIN)
        large = cv2.resize(colours, (WORK_PX, WORK_PX), interpolation=cv2.INTER_LINEAR)
        scenes.append(outline.Scene(large, _scaled(own), _scaled((labels > 0) & ~own)))
    found = outline.find_cells(scenes)
    return [
        _believed(scene, cell, nucleus, side)
        for scene, (cell, nucleus) in zip(scenes, found, strict=True)
    ]


def _opened(cell: np.ndarray, nucleus: np.ndarray) -> np.ndarray:
    """A cell (h, w), bool, without what hangs on to it by a neck."""
    wide = cv2.morphologyEx(cell.astype(np.uint8), cv2.MORPH_OPEN, disk(OPENED))
    count, labels = cv2.connectedComponents(wide)
    shares = np.bincount(labels[nucleus], minlength=count)
    shares[0] = 0
    return (labels == shares.argmax()) & (wide > 0) | nucleus


def corner(nucleus: Nucleus) -> tuple[int, int]:
    """Left and top of a nucleus' window in the field; may be negative."""
    left, top, width, height = nucleus.box
    half = _side() // 2
    return left + width // 2 - half, top + height // 2 - half


def _side() -> int:
    return round(WINDOW * RED_PX)


def _window(image: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square of an image, 0 beyond it."""
    found = np.zeros((side, side, *image.shape[2:]), dtype=image.dtype)
    height, width = image.shape[:2]
    x, y = max(left, 0), max(top, 0)
    part = image[y : min(top + side, height), x : min(left + side, width)]
    found[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]] = part
    return found


def _scaled(mask: np.ndarray, side: int = WORK_PX) -> np.ndarray:
    soft = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return soft > 0.5


def _believed(scene: outline.Scene, cell: np.ndarray, nucleus: np.ndarray, side: int) -> np.ndarray:
    """The contour found if a cell looks like that, else the nucleus and a margin."""
    own = _scaled(scene.nucleus, side)
    around = hull(own)
    size = float(around.sum())
    if nucleus.any() and plausibility(scene.density, cell, nucleus) >= LEAST_PLAUSIBLE:
        within = _opened(_scaled(cell & ~scene.others, side) | own, own)
        area = float(within.sum())
        most = min(max(MOST_AREA * RED_AREA_PX, LEAST_ROOM * size), MOST_OF_HULL * size)
        if area <= most and area >= LEAST_SOLID * hull(within).sum():
            return within
    missing = (TYPICAL - 2 * np.sqrt(size / np.pi) / RED_PX) / 2
    return cv2.dilate(around, disk(2 * float(np.clip(missing, *MARGINS)))) > 0
