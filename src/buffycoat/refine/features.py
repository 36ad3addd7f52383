"""Named morphology features with units: the seven published ones, and shape and texture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.refine import contour


@dataclass(frozen=True)
class Feature:
    """One column of the feature table.

    Attributes:
        name: Name of the column.
        unit: Its unit.
        definition: How it is measured.
    """

    name: str
    unit: str
    definition: str


FEATURES = (
    Feature("cell_area", "share of image", "pixels of the cell over pixels of the image"),
    Feature("mean_intensity", "gray level 0-255", "mean gray level of the cell"),
    Feature("sd_intensity", "gray levels", "standard deviation of gray level over the cell"),
    Feature("red_blue_ratio", "1", "mean red over mean blue of the cell"),
    Feature("nc_ratio", "1", "area of the nucleus over area of the cell (N:C)"),
    Feature(
        "nucleus_offset",
        "cell radii",
        "distance of the nucleus's centroid from the cell's, over the radius of a disc of the "
        "cell's area",
    ),
    Feature("cytoplasm_intensity", "gray level 0-255", "mean gray level of cell less nucleus"),
    Feature("spikiness", "1", "longest over median distance from contour centroid to contour"),
    Feature("cell_solidity", "1", "area of the cell over area of its convex hull"),
    Feature("cell_eccentricity", "1", "of the ellipse with the cell's second moments"),
    Feature("nucleus_solidity", "1", "area of the nucleus over area of its convex hull"),
    Feature("nucleus_eccentricity", "1", "of the ellipse with the nucleus's second moments"),
    Feature("nucleus_lobes", "lobes", "parts of the nucleus left once its necks are cut"),
    Feature("chromatin_sd", "gray levels", "standard deviation of gray level over the nucleus"),
    Feature(
        "granularity",
        "gray levels",
        "mean absolute difference of the cytoplasm to its Gaussian blur (1.5 % of the side)",
    ),
)
NAMES = tuple(feature.name for feature in FEATURES)
PUBLISHED = NAMES[:7]
"""The seven of arXiv 2603.16249. There nucleus and cytoplasm are split by 2-means on gray level;
here they are the segmenter's masks."""
MIN_CYTOPLASM_PX = 10


class Masks(Protocol):
    """Whatever has a cell and a nucleus mask."""

    @property
    def cell(self) -> np.ndarray:
        """Shape (h, w), bool."""
        ...

    @property
    def nucleus(self) -> np.ndarray:
        """Shape (h, w), bool."""
        ...


def measure(image: np.ndarray, cell_mask: np.ndarray, nucleus_mask: np.ndarray) -> np.ndarray:
    """Measure one cell.

    Args:
        image: Shape (h, w, 3), uint8, RGB.
        cell_mask: Shape (h, w), bool.
        nucleus_mask: Shape (h, w), bool; only what lies in the cell counts.

    Returns:
        Shape (len(NAMES),), float64, in the order and units of `FEATURES`. NaN where a feature
        cannot be measured: everything without a cell, contour features of a tiny mask,
        cytoplasm features of a cell that is all nucleus.

    Raises:
        ShapeError: Image and masks do not match.
    """
    if image.shape != (*cell_mask.shape, 3) or nucleus_mask.shape != cell_mask.shape:
        raise ShapeError(
            f"expected image (h, w, 3) and masks (h, w); got {image.shape}, {cell_mask.shape} "
            f"and {nucleus_mask.shape}"
        )
    values = dict.fromkeys(NAMES, float("nan"))
    if cell_mask.any():
        nucleus = nucleus_mask & cell_mask
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        values |= _whole_cell(image, gray, cell_mask)
        values |= _nucleus(gray, cell_mask, nucleus)
        values |= _cytoplasm(gray, cell_mask & ~nucleus)
    return np.array([values[name] for name in NAMES], dtype=np.float64)


def measure_all(
    images: Sequence[np.ndarray] | np.ndarray,
    masks: Sequence[Masks],
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Measure many cells.

    Args:
        images: n images, e.g. an array (n, h, w, 3).
        masks: n records with `cell` and `nucleus`.
        on_progress: Called with (done, total).

    Returns:
        Shape (n, len(NAMES)), float64.

    Raises:
        ShapeError: Different numbers of images and masks.
    """
    if len(images) != len(masks):
        raise ShapeError(f"expected masks for {len(images)} images, got {len(masks)}")
    table = np.full((len(masks), len(NAMES)), np.nan)
    for row, mask in enumerate(masks):
        table[row] = measure(np.asarray(images[row]), mask.cell, mask.nucleus)
        if on_progress is not None:
            on_progress(row + 1, len(masks))
    return table


def columns(names: Sequence[str]) -> list[int]:
    """Positions of named features in a row of the table."""
    return [NAMES.index(name) for name in names]


def _whole_cell(image: np.ndarray, gray: np.ndarray, cell: np.ndarray) -> dict[str, float]:
    red, _, blue = image[cell].mean(axis=0)
    return {
        "cell_area": float(cell.mean()),
        "mean_intensity": float(gray[cell].mean()),
        "sd_intensity": float(gray[cell].std()),
        "red_blue_ratio": float(red / blue) if blue > 0 else float("nan"),
        "spikiness": contour.spikiness(cell),
        "cell_solidity": contour.solidity(cell),
        "cell_eccentricity": contour.eccentricity(cell),
    }


def _nucleus(gray: np.ndarray, cell: np.ndarray, nucleus: np.ndarray) -> dict[str, float]:
    values = {"nc_ratio": float(nucleus.sum() / cell.sum())}
    if not nucleus.any():
        return values
    radius = np.sqrt(cell.sum() / np.pi)
    gap = np.argwhere(nucleus).mean(axis=0) - np.argwhere(cell).mean(axis=0)
    return values | {
        "nucleus_offset": float(np.linalg.norm(gap) / radius),
        "nucleus_solidity": contour.solidity(nucleus),
        "nucleus_eccentricity": contour.eccentricity(nucleus),
        "nucleus_lobes": contour.lobes(nucleus),
        "chromatin_sd": float(gray[nucleus].std()),
    }


def _cytoplasm(gray: np.ndarray, cytoplasm: np.ndarray) -> dict[str, float]:
    if np.count_nonzero(cytoplasm) < MIN_CYTOPLASM_PX:
        return {}
    sigma = max(0.015 * min(gray.shape), 0.5)
    weight = cv2.GaussianBlur(cytoplasm.astype(np.float32), (0, 0), sigma)
    smooth = cv2.GaussianBlur(gray * cytoplasm, (0, 0), sigma) / np.maximum(weight, 1e-3)
    return {
        "cytoplasm_intensity": float(gray[cytoplasm].mean()),
        "granularity": float(np.abs(gray - smooth)[cytoplasm].mean()),
    }
