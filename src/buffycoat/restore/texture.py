"""Colour, granules and blobs of a cell before and after restoration, measured on the pixels.

Everything is in optical density (natural logarithm), where a change of light is an offset, and at
a scale coarser than noise. Lengths are shares of the image's shorter side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from buffycoat.statistics import quantile

MEASURE_PX = 128
"""Shorter side at which the pixels are compared; larger images are averaged down to it."""
WHITE_PERCENTILE = 90
"""The level of the free background, against which stain is measured."""
FLOOR = 8.0
"""Gray levels added before a logarithm, so that noise in the dark does not count as stain."""
MIN_PIXELS = 12
"""Fewer pixels, at `MEASURE_PX`, than make a region."""
EDGE = 0.01
"""Rim of the cytoplasm, which takes part in the blur of nucleus and cell border."""
GRANULE_SCALES = (0.008, 0.025)
"""Sigmas of the difference of Gaussians that granules pass."""
GRANULE_FLOOR = 0.01
"""Optical density under which contrast counts as none."""
BLOB_SCALE = 0.015
"""Sigma at which a local change is looked for."""
LIGHT_SCALE = 0.12
"""Sigma from which a change counts as one of light, and is taken out."""
REACH = 0.06
"""How far around the cell a local change counts."""
BLUR_SCALES = (0.0, 0.008, 0.016, 0.024, 0.035)
"""Sigmas of the blur that restoration may have undone; the one that explains most is taken."""
WIDE_PX = 8.0
"""Sigma from which a blur is made at a quarter of the size."""
STEADY = 0.005
"""Least typical change, in optical density: less is rounding."""


class Masks(Protocol):
    """Masks of one cell, as the segmenter gives them."""

    @property
    def cell(self) -> np.ndarray:
        """Shape (h, w), bool."""
        ...

    @property
    def nucleus(self) -> np.ndarray:
        """Shape (h, w), bool."""
        ...

    @property
    def quality(self) -> float:
        """0 to 1."""
        ...


@dataclass(frozen=True)
class Pair:
    """A cell before and after restoration, at `MEASURE_PX`.

    Attributes:
        before: Shape (h, w, 3), float32, gray levels.
        after: Same shape.
        nucleus: What is nucleus in both, shape (h, w), bool.
        cytoplasm: What is cytoplasm in both.
        cell: What is cell in either.
    """

    before: np.ndarray
    after: np.ndarray
    nucleus: np.ndarray
    cytoplasm: np.ndarray
    cell: np.ndarray

    @classmethod
    def of(cls, original: np.ndarray, restored: np.ndarray, before: Masks, after: Masks) -> Pair:
        """Scale two images (h, w, 3), uint8, and their masks down."""
        height, width = original.shape[:2]
        size = _small_size(height, width)

        def mask(values: np.ndarray) -> np.ndarray:
            small = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            return small > 0.5

        either = before.nucleus | after.nucleus
        return cls(
            small_copy(original),
            small_copy(restored),
            mask(before.nucleus & after.nucleus),
            mask(before.cell & after.cell & ~either),
            mask(before.cell | after.cell),
        )

    @property
    def side(self) -> int:
        """The shorter side, in pixels."""
        return min(self.cell.shape)


def small_copy(image: np.ndarray) -> np.ndarray:
    """An image (h, w, 3), uint8, averaged down to `MEASURE_PX`; float32, whole gray levels."""
    clean = cv2.medianBlur(np.ascontiguousarray(image), 3)  # salt and pepper would survive a mean
    size = _small_size(*image.shape[:2])
    return cv2.resize(clean, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def hue_shift(pair: Pair) -> float:
    """Angle between stain colours before and after, in degrees; NaN without a nucleus.

    The larger of nucleus and cytoplasm. A region's colour is its mean optical density in red,
    green and blue against the bright background of the same image; its direction is the hue, its
    length how strongly it is stained.
    """
    angles = []
    whites = [_white(image, pair.cell) for image in (pair.before, pair.after)]
    for region in (pair.nucleus, pair.cytoplasm):
        if np.count_nonzero(region) >= MIN_PIXELS:
            first = _stain(pair.before, region, whites[0])
            second = _stain(pair.after, region, whites[1])
            lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
            cosine = float(np.sum(first * second)) / lengths if lengths > 0 else np.nan
            angles.append(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
        elif region is pair.nucleus:
            return float("nan")
    return float(np.max(angles))


def granules(pair: Pair) -> tuple[float, float]:
    """Log ratio of granule contrast after over before, and slope of before over after.

    A cell with hardly any cytoplasm has no granules to lose: 0 and 1.
    """
    inner = _erode(pair.cytoplasm, EDGE * pair.side)
    if np.count_nonzero(inner) < MIN_PIXELS:
        return 0.0, 1.0
    before, after = (_granule_band(image, inner) for image in (pair.before, pair.after))
    floor = GRANULE_FLOOR**2
    power_before, power_after = (float(np.mean(b**2)) + floor for b in (before, after))
    shared = float(np.mean(before * after)) + floor
    return 0.5 * float(np.log(power_after / power_before)), shared / power_after


def local_change(pair: Pair) -> float:
    """Largest change at blob scale in and around the cell, over the typical change there.

    The restored image is first blurred so that it explains the original best, since undoing a
    blur changes every edge; then changes as smooth as light are taken out.
    """
    around = _dilate(pair.cell, REACH * pair.side)
    if not around.any():
        return float("nan")
    before = _log_level(pair.before, BLOB_SCALE)
    inside = around.view(np.uint8)
    best, least = None, np.inf
    for blur in BLUR_SCALES:
        change = before - _log_level(pair.after, float(np.hypot(BLOB_SCALE, blur)))
        sharp = cv2.subtract(change, smooth(change, LIGHT_SCALE))
        unexplained = cv2.norm(sharp, cv2.NORM_L2SQR, mask=inside)
        if unexplained < least:
            best, least = sharp, unexplained
    if best is None:
        return float("nan")
    size = np.abs(best[around])
    return float(size.max() / (1.4826 * quantile(size.ravel(), 0.5) + STEADY))


def _small_size(height: int, width: int) -> tuple[int, int]:
    """Width and height whose shorter one is `MEASURE_PX`, or what they are if that is less."""
    factor = min(1.0, MEASURE_PX / min(height, width))
    return max(round(width * factor), 1), max(round(height * factor), 1)


def _white(image: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Level of the free background of each channel, shape (3,)."""
    places = np.flatnonzero(~cell) if not cell.all() else slice(None)
    channels = (channel.ravel()[places] for channel in cv2.split(image))
    return np.array([quantile(channel, WHITE_PERCENTILE / 100) for channel in channels])


def _stain(image: np.ndarray, region: np.ndarray, white: np.ndarray) -> np.ndarray:
    mean = np.array(cv2.mean(image, mask=region.view(np.uint8))[:3])
    return np.log((white + 1.0) / (mean + 1.0))


def _granule_band(image: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Contrast at granule scale within a region, shape (pixels, 3); nothing leaks in."""
    left, top, width, height = cv2.boundingRect(region.view(np.uint8))
    rows = slice(max(top - 1, 0), top + height + 1)  # and a rim of nothing, which may be repeated
    columns = slice(max(left - 1, 0), left + width + 1)
    inside, side = region[rows, columns], min(region.shape)
    weight = inside.astype(np.float32)
    own = cv2.merge([*cv2.split(image[rows, columns] * weight[..., None]), weight])
    logs = []
    for scale in GRANULE_SCALES:
        soft = _blur(own, scale * side)[inside]
        logs.append(np.log(soft[:, :3] / np.maximum(soft[:, 3:], 1e-3) + FLOOR))
    return (logs[1] - logs[0]).astype(np.float64)


def _log_level(image: np.ndarray, scale: float) -> np.ndarray:
    """Logarithm of an image that is smoothed: its optical density with the sign turned."""
    soft = smooth(image, scale)
    soft += np.float32(FLOOR)
    return np.log(soft, out=soft)


def smooth(image: np.ndarray, scale: float) -> np.ndarray:
    """Gaussian blur; a wide one is made at a quarter of the size, where it is cheap.

    Args:
        image: Shape (h, w) or (h, w, c), float32.
        scale: Sigma over the shorter side.
    """
    height, width = image.shape[:2]
    sigma = scale * min(height, width)
    if sigma < WIDE_PX:
        return _blur(image, sigma)
    small = cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    return cv2.resize(_blur(small, sigma / 4), (width, height), interpolation=cv2.INTER_LINEAR)


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)


def _erode(mask: np.ndarray, radius_px: float) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), _disk(radius_px), borderValue=0) > 0


def _dilate(mask: np.ndarray, radius_px: float) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), _disk(radius_px)) > 0


def _disk(radius_px: float) -> np.ndarray:
    side = 2 * max(1, round(radius_px)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
