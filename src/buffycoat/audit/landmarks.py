"""Landmarks of a picture, and how those of two pictures fall into place.

A landmark is a spot that is found again however a picture is turned, cropped or sized, with a
description of what surrounds it (SIFT; Lowe, IJCV 60:91, 2004), here with square roots taken
(Arandjelovic and Zisserman, CVPR 2012). Two pictures of one photograph share many that agree on one
turn, scale and shift; strangers share a few by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SIDE_PX = 192
"""Longer side at which landmarks are looked for. At 96 px half as many agree between copies."""
MAX_POINTS = 100
"""The strongest are kept; each takes 136 bytes."""
MAX_SPOTS = 180
"""That are looked at: those in the corners are left out, see `Landmarks.of`."""
CONTRAST_AT_LEAST = 0.01
"""Of OpenCV's SIFT, which takes 0.04 by default: few pass that on cells that are blurred, dim, or
so bright that their surroundings are white."""
DESCRIPTOR_SCALE = 512
"""Descriptors of length 1, times this, fit uint8: no entry passes 0.45 or so."""
_REACH = 0.47
"""From the centre, in shares of a side: the edge of what a turn fills in is left out as well."""
_RATIO = 0.85
"""A match must be nearer than the second nearest by this (Lowe takes 0.8 for other pictures)."""
_TOLERANCE_PX = 4.0
"""How far a landmark may lie from where the others put it."""
_N_FIT = 4
"""Matches from which a fit is tried; two fix turn, scale and shift."""
_MIRROR = np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8) % 8].ravel()
"""Order of a descriptor's entries in the mirrored picture: rows and directions change sides."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The landmarks of one picture.

    Attributes:
        points: Where they lie, shape (k, 2), float32, as shares of width and height.
        descriptors: Shape (k, 128), uint8: `DESCRIPTOR_SCALE` times a vector of length 1.
        sides: Width and height over the longer of them.
    """

    points: np.ndarray
    descriptors: np.ndarray
    sides: tuple[float, float]

    @classmethod
    def of(cls, image: np.ndarray) -> Landmarks:
        """Look for landmarks in an image, shape (h, w, 3), uint8.

        In its green channel: stains show best there, and it is the last to be white throughout when
        a picture is brightened. Corners are left out: in turned copies they are filled in, and all
        that were turned alike would share them.
        """
        height, width = image.shape[:2]
        longer = max(height, width)
        size = tuple(max(round(side * SIDE_PX / longer), 8) for side in (width, height))
        green = np.ascontiguousarray(image[..., 1])
        how = cv2.INTER_AREA if longer > SIDE_PX else cv2.INTER_CUBIC
        gray = cv2.resize(green, size, interpolation=how)
        sift = cv2.SIFT.create(nfeatures=MAX_SPOTS, contrastThreshold=CONTRAST_AT_LEAST)
        spots, raw = sift.detectAndCompute(gray, None)
        sides = (width / longer, height / longer)
        if raw is None:
            return cls.none(sides)
        points = (np.array([spot.pt for spot in spots]) + 0.5) / size
        inside = np.flatnonzero(np.hypot(*(points - 0.5).T) < _REACH)
        strength = np.array([spot.response for spot in spots])[inside]
        kept = inside[np.argsort(-strength, kind="stable")[:MAX_POINTS]]
        rooted = np.sqrt(raw[kept] / np.maximum(raw[kept].sum(axis=1, keepdims=True), 1))
        descriptors = np.clip(np.rint(DESCRIPTOR_SCALE * rooted), 0, 255).astype(np.uint8)
        return cls(points[kept].astype(np.float32), descriptors, sides)

    @classmethod
    def none(cls, sides: tuple[float, float] = (1.0, 1.0)) -> Landmarks:
        """Of a blank picture, or of a file that cannot be read."""
        return cls(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8), sides)


@dataclass(frozen=True, eq=False)
class Match:
    """Landmarks of two pictures that agree.

    Attributes:
        count: How many, each spot counted once.
        warp: From the first to the second, see `warp`.
    """

    count: int
    warp: np.ndarray


def mirrored(descriptors: np.ndarray) -> np.ndarray:
    """The descriptors of the picture with its columns mirrored, shape (k, 128)."""
    return descriptors[:, _MIRROR]


def match(first: Landmarks, second: Landmarks, is_mirrored: bool) -> Match | None:
    """The turn, scale and shift on which most landmarks of two pictures agree.

    Args:
        first: Of a picture.
        second: Of another.
        is_mirrored: Whether the second is taken mirrored.

    Returns:
        None if too few landmarks are alike.
    """
    if min(len(first.points), len(second.points)) < _N_FIT:
        return None
    there = second.descriptors[:, _MIRROR] if is_mirrored else second.descriptors
    rows, columns = _alike(first.descriptors, there)
    if len(rows) < _N_FIT:
        return None
    here = first.points[rows] * first.sides * SIDE_PX
    goal = second.points[columns].copy()
    if is_mirrored:
        goal[:, 0] = 1 - goal[:, 0]
    goal = goal * second.sides * SIDE_PX
    fitted, agrees = cv2.estimateAffinePartial2D(
        here, goal, ransacReprojThreshold=_TOLERANCE_PX, maxIters=300
    )
    if fitted is None or not np.isfinite(fitted).all():
        return None
    kept = agrees.ravel().astype(bool)
    count = min(len(np.unique(spots[kept].round(), axis=0)) for spots in (here, goal))
    return Match(count, _in_frames(fitted, first, second, is_mirrored))


def _alike(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both that describe the same: nearest neighbours of the second in the first."""
    similar = second.astype(np.float32) @ first.astype(np.float32).T / DESCRIPTOR_SCALE**2
    rows = np.arange(len(similar))
    nearest = similar.argmax(axis=1)
    best = similar[rows, nearest]
    similar[rows, nearest] = -1
    distances = [np.sqrt(np.maximum(2 - 2 * value, 0)) for value in (best, similar.max(axis=1))]
    is_alike = distances[0] < _RATIO * distances[1]
    return nearest[is_alike], rows[is_alike]


def _in_frames(
    fitted: np.ndarray, first: Landmarks, second: Landmarks, is_mirrored: bool
) -> np.ndarray:
    """A warp between pixels as one between shares of the two frames."""
    into, out = np.array(first.sides) * SIDE_PX, np.array(second.sides) * SIDE_PX
    found = fitted * [*into, 1.0] / out[:, None]
    if is_mirrored:
        found[0] = -found[0]
        found[0, 2] += 1
    return found
