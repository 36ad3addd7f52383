"""Shape of a mask. A mask too small to have a shape gives NaN, never a made-up number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from buffycoat.statistics import quantile

MIN_AREA_PX = 30
"""Masks with fewer pixels have no measurable contour: at a radius of three pixels the grid alone
moves spikiness by a tenth."""
CONTOUR_POINTS = 360
COARSE_HARMONICS = slice(3, 7)
"""Corners and broad bulges. The first harmonic is the centre's place, the second an ellipse."""
FINE_HARMONICS = slice(7, 41)
"""Blebs, villi and jags; beyond it is the grid of the pixels."""
BLEB_HEIGHT = 0.06
"""Of the mean radius, from which a bulge counts as a bleb. Ours, not fitted."""
MAX_BLEB_HARMONIC = 20
"""Bulges narrower than a fortieth of the contour are jags of the mask, not blebs."""
NOTCH_DEPTH = 0.1
"""Of the radius of a disc of the mask's area, from which a convexity defect is counted."""
NECK = 0.7
"""Depth of a lobe's neck over the lobe's own. Set by eye on the training cells of PBC."""
MIN_LOBE_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Shape:
    """A mask and what several measurements take from it, each found once.

    Attributes:
        mask: Shape (h, w), uint8, 0 or 1.
    """

    mask: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray | Shape) -> Shape:
        """Of a mask, bool or uint8, or what is one already."""
        if isinstance(mask, Shape):
            return mask
        mask = np.ascontiguousarray(mask)
        return cls(mask.view(np.uint8) if mask.dtype == bool else mask.astype(np.uint8, copy=False))

    @cached_property
    def area_px(self) -> int:
        """Pixels of the mask."""
        return cv2.countNonZero(self.mask)

    @cached_property
    def moments(self) -> dict[str, float]:
        """Moments of its pixels, as OpenCV names them."""
        return dict(cv2.moments(self.mask, binaryImage=True))

    @cached_property
    def parts(self) -> list[np.ndarray]:
        """Outer contour of each part, shape (p, 1, 2), as x, y."""
        return list(cv2.findContours(self.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0])

    @cached_property
    def outline(self) -> np.ndarray | None:
        """Contour points (p, 2) as x, y of the largest part; None if it is too small."""
        if not self.parts:
            return None
        largest = max(self.parts, key=cv2.contourArea)
        if cv2.contourArea(largest) < MIN_AREA_PX * 0.5 or self.area_px < MIN_AREA_PX:
            return None
        return largest[:, 0, :]

    @cached_property
    def even(self) -> tuple[np.ndarray, float]:
        """The outline at even steps, as `_even` gives it; it must not be None."""
        assert self.outline is not None
        return _even(self.outline)

    @cached_property
    def box(self) -> np.ndarray:
        """The mask within its bounding box, and one pixel around it."""
        left, top, width, height = cv2.boundingRect(self.mask)
        box = self.mask[top : top + height, left : left + width]
        return cv2.copyMakeBorder(box, 1, 1, 1, 1, cv2.BORDER_CONSTANT)

    @cached_property
    def depth(self) -> np.ndarray:
        """Distance to the rim of each pixel of the box, float32."""
        return cv2.distanceTransform(self.box, cv2.DIST_L2, 5)


@dataclass(frozen=True)
class Profile:
    """How far the contour of a mask's largest part lies from its centroid.

    Attributes:
        radii_px: Shape (`CONTOUR_POINTS`,), at even steps along the contour.
        length_px: Length of the contour.
    """

    radii_px: np.ndarray
    length_px: float

    @cached_property
    def waves(self) -> np.ndarray:
        """Fourier harmonics of the radii, shape (`CONTOUR_POINTS` // 2 + 1,)."""
        return np.fft.rfft(self.radii_px)

    @cached_property
    def amplitudes(self) -> np.ndarray:
        """Of the harmonics, in pixels, same shape."""
        return np.abs(self.waves) / len(self.radii_px)

    @property
    def spikiness(self) -> float:
        """Longest over median radius, >= 1 (arXiv 2603.16249)."""
        return float(self.radii_px.max() / quantile(self.radii_px, 0.5))

    def roughness(self, harmonics: slice) -> float:
        """Root mean square over some harmonics of the profile, over the mean radius."""
        own = self.amplitudes[harmonics]
        return float(np.sqrt(2 * (own @ own)) / self.amplitudes[0])

    def blebs(self) -> float:
        """Bulges that rise `BLEB_HEIGHT` of the mean radius over the contour's broad form."""
        waves = self.waves.copy()
        waves[: COARSE_HARMONICS.start] = 0
        waves[MAX_BLEB_HARMONIC + 1 :] = 0
        above = np.fft.irfft(waves, len(self.radii_px))
        is_high = above > BLEB_HEIGHT * self.radii_px.mean()
        before = np.append(is_high[-1], is_high[:-1])
        return float(np.count_nonzero(is_high & ~before))


def profile(mask: np.ndarray | Shape) -> Profile | None:
    """The radial profile of a mask; None under `MIN_AREA_PX` pixels.

    The contour is resampled evenly by arc length, so that its diagonal steps count as much as
    they are long.
    """
    shape = Shape.of(mask)
    if shape.outline is None:
        return None
    even, length_px = shape.even
    return Profile(np.abs(even - even.mean()), length_px)


def spikiness(mask: np.ndarray | Shape) -> float:
    """Longest over median distance from the contour's centroid to the contour.

    As published in arXiv 2603.16249: near 1 for a smooth round cell, larger with blebs and
    villi.

    Args:
        mask: Shape (h, w), bool. Its largest part is measured.

    Returns:
        Unitless, >= 1; NaN under `MIN_AREA_PX` pixels.
    """
    radial = profile(mask)
    return float("nan") if radial is None else radial.spikiness


def solidity(mask: np.ndarray | Shape) -> float:
    """Area over the area of the convex hull of all its parts, 0-1; NaN if too small."""
    shape = Shape.of(mask)
    if shape.area_px < MIN_AREA_PX:
        return float("nan")
    hull = cv2.convexHull(np.concatenate(shape.parts))
    steps = np.abs(np.diff(hull[:, 0], axis=0, append=hull[:1, 0]))
    # pixels in the hull by Pick's theorem: drawn ones would differ between a cell and its mirror
    filled = cv2.contourArea(hull) + np.gcd(steps[:, 0], steps[:, 1]).sum() / 2 + 1
    return float(shape.area_px / filled)


def notches(mask: np.ndarray | Shape) -> tuple[float, float]:
    """Convexity defects of the largest part: how many, and the deepest.

    Returns:
        Defects deeper than `NOTCH_DEPTH`, and the depth of the deepest, both over the radius of
        a disc of the mask's area; NaN if it is too small.
    """
    shape = Shape.of(mask)
    contour = shape.outline
    if contour is None:
        return float("nan"), float("nan")
    radius = np.sqrt(shape.area_px / np.pi)
    hull = cv2.convexHull(contour, returnPoints=False)
    # a contour that touches itself has hull points out of order, which OpenCV refuses
    hull = np.ascontiguousarray(np.sort(hull.ravel())[::-1]).reshape(-1, 1)
    defects = cv2.convexityDefects(contour, hull) if len(hull) > 3 else None
    if defects is None:
        return 0.0, 0.0
    depth = defects.reshape(-1, 4)[:, 3] / (256.0 * radius)
    return float((depth > NOTCH_DEPTH).sum()), float(depth.max())


def circularity(mask: np.ndarray | Shape) -> float:
    """4 pi area over squared perimeter of all parts: 1 a disc, less the longer its edge is.

    Both are of the contour without what lies beyond `MAX_BLEB_HARMONIC`: the steps of the pixels
    make a disc's edge longer by a twentieth, and a slanted edge longer than an upright one.
    """
    shape = Shape.of(mask)
    if shape.area_px < MIN_AREA_PX:
        return float("nan")
    area = around = 0.0
    for part in shape.parts:
        if len(part) < 3:
            continue
        is_only = len(shape.parts) == 1 and shape.outline is not None
        points, _ = shape.even if is_only else _even(part[:, 0, :])
        waves = np.fft.fft(points)
        waves[MAX_BLEB_HARMONIC + 1 : -MAX_BLEB_HARMONIC] = 0
        smooth = np.fft.ifft(waves)
        after = np.append(smooth[1:], smooth[0])
        area += abs((smooth.conj() * after).imag.sum()) / 2
        around += np.abs(after - smooth).sum()
    return float(4 * np.pi * area / around**2) if around else float("nan")


def eccentricity(mask: np.ndarray | Shape) -> float:
    """Of the ellipse with the same second moments: 0 a circle, near 1 a line; NaN if too small."""
    moments = Shape.of(mask).moments
    if moments["m00"] < MIN_AREA_PX:
        return float("nan")
    middle = (moments["mu20"] + moments["mu02"]) / 2
    half = np.hypot((moments["mu20"] - moments["mu02"]) / 2, moments["mu11"])
    return float(np.sqrt(max(0.0, 1.0 - max(middle - half, 0.0) / (middle + half))))


def lobes(mask: np.ndarray | Shape) -> float:
    """Lobes of a nucleus: parts left once its necks are cut.

    A neck is where the distance to the rim falls under `NECK` of the largest in that part.

    Args:
        mask: Nucleus, shape (h, w), bool.

    Returns:
        Number of lobes; NaN under `MIN_AREA_PX` pixels.
    """
    shape = Shape.of(mask)
    total, depth = shape.area_px, shape.depth
    if total < MIN_AREA_PX:
        return float("nan")
    parts, areas = _components(shape.box, connectivity=4)
    found = 0
    for part in np.flatnonzero(areas[1:] >= MIN_LOBE_SHARE * total) + 1:
        inside = np.where(parts == part, depth, 0.0)
        cores = (inside > NECK * inside.max()).view(np.uint8)
        found += np.count_nonzero(_components(cores, connectivity=8)[1][1:] >= 2)
    return float(found)


def _components(mask: np.ndarray, connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """Label of each pixel, 0 outside the mask, and the area under each label."""
    _, labels = cv2.connectedComponents(mask, connectivity=connectivity, ltype=cv2.CV_16U)
    return labels, np.bincount(labels.ravel())


def _even(contour: np.ndarray) -> tuple[np.ndarray, float]:
    """A contour at even steps along it, x + iy, shape (`CONTOUR_POINTS`,), and its length.

    It begins at the point farthest from its middle: where the scan of the image comes upon it first
    would change with a quarter turn.
    """
    points = contour.astype(np.float64).view(np.complex128)[:, 0]
    away = np.abs(points - points.mean())
    ends = np.flatnonzero(away > (1 - 1e-9) * away.max())
    if len(ends) > 1:  # equally far: what tells them apart must turn with the contour, too
        apart = [(np.abs(points - points[end]) ** 4).sum() for end in ends]
        ends = ends[np.argsort(apart)[::-1]]
    first = int(ends[0])
    closed = np.concatenate([points[first:], points[: first + 1]])
    lengths = np.zeros(len(closed))
    np.cumsum(np.abs(closed[1:] - closed[:-1]), out=lengths[1:])
    at = np.arange(CONTOUR_POINTS) * (lengths[-1] / CONTOUR_POINTS)
    return np.interp(at, lengths, closed), float(lengths[-1])
