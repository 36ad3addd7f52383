"""Named morphology features with units: the seven published ones, and shape and texture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from buffycoat.backbones.threads import cpus
from buffycoat.errors import ShapeError
from buffycoat.refine import chromatin, contour, cytoplasm, nucleus
from buffycoat.refine.region import Region, cut


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


def with_unit(value: float, unit: str) -> str:
    """A value and its unit, such as "6,912 px²", "2 lobes" and "1 lobe"."""
    unit = unit.removesuffix("s") if value == 1 else unit
    return plain(value) + ("" if unit == "1" else f" {unit}")


def plain(value: float) -> str:
    """Three significant digits without an exponent; larger numbers whole, thousands apart."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    digits = max(2 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


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
    Feature(
        "nucleus_lobes",
        "lobes",
        "parts of the nucleus left once what is thinner than 70 % of its thickest place is cut",
    ),
    Feature("chromatin_sd", "gray levels", "standard deviation of gray level over the nucleus"),
    Feature(
        "granularity",
        "gray levels",
        "mean absolute difference of the cytoplasm to its Gaussian blur (1.5 % of the side)",
    ),
    # New ones go to the end: bundles keep usual ranges by the order of these names.
    Feature("cell_area_px", "px²", "pixels of the cell, nucleus included"),
    Feature("nucleus_area_px", "px²", "pixels of the nucleus that lie in the cell"),
    Feature("cell_diameter_px", "px", "diameter of a disc of the cell's area"),
    Feature("nucleus_diameter_px", "px", "diameter of a disc of the nucleus's area"),
    Feature(
        "cell_circularity",
        "1",
        "4 pi area over squared perimeter of the cell's contour of 20 harmonics: 1 a disc",
    ),
    Feature(
        "cell_roughness",
        "1",
        "root mean square of the Fourier harmonics 7 to 40 of the distance from contour centroid "
        "to contour, over its mean: blebs, villi, jags",
    ),
    Feature("cell_waviness", "1", "the same of harmonics 3 to 6: corners and broad bulges"),
    Feature(
        "cell_blebs",
        "blebs",
        "bulges of the contour's harmonics 3 to 20 that rise by 6 % of the mean radius",
    ),
    Feature("cell_notches", "notches", "convexity defects deeper than a tenth of the radius"),
    Feature("cell_notch_depth", "cell radii", "depth of the cell's deepest convexity defect"),
    Feature("nucleus_circularity", "1", "as cell_circularity, of all parts of the nucleus"),
    Feature("nucleus_roughness", "1", "as cell_roughness, of the nucleus's largest part"),
    Feature("nucleus_waviness", "1", "as cell_waviness, of the nucleus's largest part"),
    Feature("nucleus_notches", "notches", "as cell_notches, of the nucleus's largest part"),
    Feature("nucleus_notch_depth", "nucleus radii", "depth of its deepest convexity defect"),
    Feature("nucleus_hole_share", "1", "area that the nucleus encloses over its own: a ring's"),
    Feature("nucleus_span", "cell diameters", "diameter of the smallest circle around the nucleus"),
    Feature(
        "nucleus_segments",
        "segments",
        "parts of the nucleus whose neck is under a third of their own width; a band has one",
    ),
    Feature(
        "nucleus_constriction",
        "1",
        "how much narrower the neck is than the smaller of the two main parts that it joins: 0 no "
        "neck, 1 parts that are apart",
    ),
    Feature("nucleus_width", "nucleus diameters", "twice the largest distance to the rim"),
    Feature("nucleus_ridge_width", "nucleus diameters", "median width along the nucleus's ridge"),
    Feature(
        "nucleus_evenness",
        "1",
        "10th over 90th percentile of the width along that ridge: near 1 for a band or a disc",
    ),
    Feature(
        "nucleus_bandness",
        "1",
        "1 less nucleus_constriction, times 1 less squared nucleus_width: high where it is long "
        "and of even width, 0 for a disc and for segments that are apart",
    ),
    Feature("chromatin_density", "log units", "mean absorption of the nucleus in red and green"),
    Feature("chromatin_contrast", "1", "standard deviation of that absorption over its mean"),
    Feature(
        "chromatin_clumping",
        "1",
        "standard deviation of the absorption between blurs of 0.8 and 2 % of the cell's diameter, "
        "over the mean absorption: fine texture",
    ),
    Feature("chromatin_coarseness", "1", "the same between 2 and 5 %: coarse texture"),
    Feature("chromatin_pale_share", "1", "share of the nucleus under 80 % of median absorption"),
    Feature("chromatin_redness", "1", "absorption in blue over absorption in red"),
    Feature(
        "cytoplasm_hue",
        "degrees, 180-540",
        "hue of the cytoplasm before white: 240 blue, 300 purple, 360 red, 420 yellow",
    ),
    Feature("cytoplasm_density", "log units", "mean absorption of the cytoplasm, channels summed"),
    Feature("basophilia", "1", "absorption in red less in blue, over all: blue cytoplasm is high"),
    Feature("cytoplasm_unevenness", "1", "standard deviation of its absorption over its mean"),
    Feature(
        "granule_share",
        "1",
        "share of the cytoplasm that absorbs more than around it by a quarter of the cytoplasm's "
        "median: coarse, dark granules; fine ones are not resolved",
    ),
    Feature(
        "granule_contrast",
        "1",
        "standard deviation of the absorption to that around it, over the median",
    ),
    Feature("granule_hue", "degrees, 180-540", "hue of the granules, as cytoplasm_hue"),
    Feature("granule_redness", "1", "absorption of the granules in blue less in red, over all"),
    Feature("vacuoles", "vacuoles", "pale round spots enclosed by the cell"),
    Feature("vacuole_share", "1", "their area over the area of the cell"),
    Feature("largest_vacuole", "1", "area of the largest over the area of the cell"),
    Feature(
        "perinuclear_halo",
        "1",
        "absorption of the cytoplasm far from the nucleus (12 to 22 % of the cell's diameter) less "
        "that next to it (3 to 8 %), each its 33rd percentile, over the median: a pale ring",
    ),
)
NAMES = tuple(feature.name for feature in FEATURES)
PUBLISHED = NAMES[:7]
"""The seven of arXiv 2603.16249. There nucleus and cytoplasm are split by 2-means on gray level;
here they are the segmenter's masks."""


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
    region = cut(image, cell_mask, nucleus_mask)
    values = dict.fromkeys(NAMES, float("nan"))
    if region is not None:
        values |= _published(region)
        values |= _whole_cell(region)
        values |= nucleus.measure(region)
        values |= chromatin.measure(region)
        values |= cytoplasm.measure(region)
    return np.array([values[name] for name in NAMES], dtype=np.float64)


def measure_all(
    images: Sequence[np.ndarray] | np.ndarray,
    masks: Sequence[Masks],
    on_progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """Measure many cells.

    Args:
        images: n images, e.g. an array (n, h, w, 3).
        masks: n records with `cell` and `nucleus`.
        on_progress: Called with (done, total).
        workers: Threads, by default one a CPU; OpenCV and numpy
            release the interpreter's lock for much of the work.

    Returns:
        Shape (n, len(NAMES)), float64.

    Raises:
        ShapeError: Different numbers of images and masks.
    """
    if len(images) != len(masks):
        raise ShapeError(f"expected masks for {len(images)} images, got {len(masks)}")
    table = np.full((len(masks), len(NAMES)), np.nan)

    def measure_row(row: int) -> np.ndarray:
        return measure(np.asarray(images[row]), masks[row].cell, masks[row].nucleus)

    with ThreadPoolExecutor(workers or cpus()) as pool:
        for row, values in enumerate(pool.map(measure_row, range(len(masks)))):
            table[row] = values
            if on_progress is not None:
                on_progress(row + 1, len(masks))
    return table


def columns(names: Sequence[str]) -> list[int]:
    """Positions of named features in a row of the table."""
    return [NAMES.index(name) for name in names]


def is_in_pixels(name: str) -> bool:
    """Whether a feature is a length or area in pixels of the image that it is measured on."""
    return _power(name) > 0


def in_micrometres(name: str) -> tuple[str, int]:
    """What a feature in pixels is called in micrometres.

    Args:
        name: Of a feature that `is_in_pixels`.

    Returns:
        The other name (`cell_area_um2` for `cell_area_px`), and the power of micrometres a pixel to
        multiply by.
    """
    power = _power(name)
    return f"{name.removesuffix('px')}{'um2' if power == 2 else 'um'}", power


def _power(name: str) -> int:
    return {"px": 1, "px²": 2}.get(FEATURES[NAMES.index(name)].unit, 0)


def _published(region: Region) -> dict[str, float]:
    """The seven, from moments and masked means: no array of the image's size is made."""
    mean, spread = cv2.meanStdDev(region.gray, mask=region.cell)
    red, _, blue, _ = cv2.mean(region.pixels, mask=region.cell)
    height, width = region.image.shape[:2]
    values = {
        "cell_area": region.cell_px / (height * width),
        "mean_intensity": float(mean[0, 0]),
        "sd_intensity": float(spread[0, 0]),
        "red_blue_ratio": red / blue if blue > 0 else float("nan"),
        "nc_ratio": region.nucleus_px / region.cell_px,
    }
    if region.nucleus_px:
        values["nucleus_offset"] = nucleus.offset(region)
    if region.cell_px - region.nucleus_px >= cytoplasm.MIN_CYTOPLASM_PX:
        values["cytoplasm_intensity"] = cv2.mean(region.gray, mask=region.cytoplasm)[0]
    return values


def _whole_cell(region: Region) -> dict[str, float]:
    cell = region.cell_shape
    values = {
        "cell_area_px": float(region.cell_px),
        "nucleus_area_px": float(region.nucleus_px),
        "cell_diameter_px": region.diameter_px,
        "nucleus_diameter_px": float(2 * np.sqrt(region.nucleus_px / np.pi)),
        "cell_solidity": contour.solidity(cell),
        "cell_eccentricity": contour.eccentricity(cell),
    }
    radial = contour.profile(cell)
    if radial is None:
        return values
    count, deepest = contour.notches(cell)
    return values | {
        "spikiness": radial.spikiness,
        "cell_circularity": contour.circularity(cell),
        "cell_roughness": radial.roughness(contour.FINE_HARMONICS),
        "cell_waviness": radial.roughness(contour.COARSE_HARMONICS),
        "cell_blebs": radial.blebs(),
        "cell_notches": count,
        "cell_notch_depth": deepest,
    }
