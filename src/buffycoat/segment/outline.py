"""The closed contour of the cell around a known nucleus.

Seen from the nucleus a cell is nearly star-shaped, so its contour is one radius for each angle.
Dynamic programming finds the closed contour with the largest sum of a region term (pixels inside
look like cytoplasm, neither background nor red cell) and an edge term, with a bounded slope.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from buffycoat.segment import contrast
from buffycoat.segment.masks import box_around
from buffycoat.segment.path import closed_paths
from buffycoat.statistics import quantile

ANGLES = 80
RADII = 96
EDGE_WEIGHT = 6.0
NEAR_PX = 10
"""How far around the nucleus the cytoplasm's colour is looked for, at most."""
MIN_SAMPLE = 40
"""Pixels needed of cytoplasm and of red cells before their colours are told apart."""
_WEIGHTS: np.ndarray = 0.3 + np.arange(RADII, dtype=np.float32) / 30.0
_TURN: np.ndarray = 2 * np.pi * np.arange(ANGLES) / ANGLES
_DIRECTIONS: np.ndarray = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def find_cells(scenes: Iterable[Scene]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cell masks around nuclei, for several images at once: numpy works on all of them in a call.

    Returns:
        Cell and nucleus of each, both (h, w), bool. The nucleus loses what lies outside the
        contour.
    """
    searches = [_Search.of(*scene) for scene in scenes]
    if not searches:
        return []
    inside = [search.around for search in searches]
    cells = inside
    for _ in range(2):
        gains = np.stack([s.gain(own) for s, own in zip(searches, inside, strict=True)])
        paths = zip(searches, closed_paths(gains), strict=True)
        cells = [search.filled(radii) for search, radii in paths]
        inside = [cell & s.beside for s, cell in zip(searches, cells, strict=True)]
    return [search.tidy(cell) for search, cell in zip(searches, cells, strict=True)]


class Scene(NamedTuple):
    """What the contour of a cell is looked for in.

    Attributes:
        density: Optical density, shape (h, w, 3), h = w.
        nucleus: Shape (h, w), bool, not empty.
        others: Nuclei of other white cells, shape (h, w), bool.
    """

    density: np.ndarray
    nucleus: np.ndarray
    others: np.ndarray


class _Search(NamedTuple):
    """What both rounds of the search for one cell have in common.

    Attributes:
        scene: Where.
        stain: Density in red and green, shape (h, w).
        limit: Stain above which a pixel is not background.
        region: How far it is above, -1 to 1, shape (h, w).
        beside: Stained and not nucleus, shape (h, w), bool.
        around: Of those, what is near the nucleus.
        far: Surely not the cell.
        red: Colours of that.
        seen: The view from the nucleus.
    """

    scene: Scene
    stain: np.ndarray
    limit: float
    region: np.ndarray
    beside: np.ndarray
    around: np.ndarray
    far: np.ndarray
    red: _Colours
    seen: _Seen

    @classmethod
    def of(cls, density: np.ndarray, nucleus: np.ndarray, others: np.ndarray) -> _Search:
        """Arguments as in `Scene`."""
        near = _distance_from(nucleus, NEAR_PX)
        stain = cv2.transform(density, np.array([[1, 1, 0]], np.float32))
        limit = _background_limit(stain, near)
        is_stained = stain > limit
        far = _red_sample(is_stained, nucleus, others)
        beside = is_stained & (near > 2)
        return cls(
            scene=Scene(density, nucleus, others),
            stain=stain,
            limit=limit,
            region=np.clip((stain - limit) / (0.5 * limit), -1.0, 1.0),
            beside=beside,
            around=beside & (near < 0.06 * len(near)),
            far=far,
            red=_Colours.of(density, far),
            seen=_Seen.of(*_clipped(density, near, limit), nucleus),
        )

    def gain(self, inside: np.ndarray) -> np.ndarray:
        """What a contour gains at each place seen, if the cytoplasm looks like these pixels.

        Args:
            inside: Shape (h, w), bool.

        Returns:
            Shape (`ANGLES`, `RADII`), float32.
        """
        density, nucleus, others = self.scene
        score = _cytoplasm_score(density, inside & ~self.far, self.red)
        score = np.minimum(self.region, score, out=score)
        score[others] = -2.0
        score[nucleus] = 1.0
        return self.seen.gain_of(score)

    def filled(self, radii: np.ndarray) -> np.ndarray:
        """What is within a contour, shape (h, w), bool; one sample's number for each angle."""
        return self.seen.filled(radii, self.stain.shape)

    def tidy(self, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cell without slivers, and the nucleus in it."""
        nucleus = self.scene.nucleus
        cell = _tidy(cell, self.stain, self.limit, nucleus)
        return cell, nucleus & cell


def _distance_from(mask: np.ndarray, reach: int) -> np.ndarray:
    """Distance of each pixel to a mask up to `reach`, and more beyond; shape (h, w), float32."""
    distance = np.full(mask.shape, reach + 1, dtype=np.float32)
    box = box_around(mask, reach)
    distance[box] = cv2.distanceTransform((~mask[box]).view(np.uint8), cv2.DIST_L2, 5)
    return distance


def _background_limit(stain: np.ndarray, near: np.ndarray) -> float:
    """Stain above which a pixel is not background: a share of the cytoplasm's own."""
    ring = stain[(near > 2) & (near < 0.05 * len(near))]
    ring = ring[ring > 0.05]
    level = quantile(ring, 0.5) if ring.size else 0.3
    return float(np.clip(0.4 * level, 0.08, 0.25))


def _red_sample(stained: np.ndarray, nucleus: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pixels that are surely not the central cell: other components, and the image's border."""
    side = len(stained)
    labels = _labelled(stained)
    is_apart = np.ones(int(labels.max()) + 1, dtype=bool)
    is_apart[labels[nucleus]] = False
    is_apart[0] = False
    apart = is_apart[labels]
    band = np.ones_like(stained)
    edge = side // 12
    band[edge:-edge, edge:-edge] = False
    if others.any():
        reach = 0.12 * side
        is_beyond = _distance_from(others, math.ceil(reach)) >= reach
        apart &= is_beyond
        band &= is_beyond
    return apart | (band & stained)


def _labelled(mask: np.ndarray) -> np.ndarray:
    """Number of the component that a pixel is in, 0 for none; shape (h, w), uint16."""
    return cv2.connectedComponents(mask.view(np.uint8), connectivity=4, ltype=cv2.CV_16U)[1]


class _Colours(NamedTuple):
    """Densities of some pixels.

    Attributes:
        values: Shape (n, 3), float64.
        mean: Shape (3,); of no pixel: 0.
        spread: Their covariance, shape (3, 3).
    """

    values: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, density: np.ndarray, mask: np.ndarray) -> _Colours:
        """Of a mask, shape (h, w), bool."""
        places = np.flatnonzero(mask)
        return cls.among(density.reshape(-1, 3).take(places, axis=0).astype(np.float64))

    @classmethod
    def among(cls, values: np.ndarray) -> _Colours:
        """Of pixels, shape (n, 3)."""
        n = len(values)
        mean = (np.ones(n) @ values) / max(n, 1)
        spread = (values.T @ values - n * np.outer(mean, mean)) / max(n - 1, 1)
        return cls(values, mean, spread)


def _cytoplasm_score(density: np.ndarray, inside: np.ndarray, red: _Colours) -> np.ndarray:
    """Log-likelihood ratio of cytoplasm to red cell, from a shared-covariance Gaussian each.

    Returns:
        Shape (h, w), in [-1, 1]; all 1 where one of the samples is too small.
    """
    sample = cytoplasm = _Colours.of(density, inside)
    if min(len(sample.values), len(red.values)) < MIN_SAMPLE:
        return np.ones(inside.shape, dtype=np.float32)
    for _ in range(2):
        spread = (cytoplasm.spread + red.spread) / 2 + 1e-3 * np.eye(3)
        apart = (cytoplasm.mean - red.mean)[:, None]
        weights = cv2.solve(spread, apart, flags=cv2.DECOMP_CHOLESKY)[1][:, 0]
        offset = weights @ (cytoplasm.mean + red.mean) / 2
        agrees = np.flatnonzero(sample.values @ weights > offset)
        if len(agrees) < max(MIN_SAMPLE, 0.3 * len(sample.values)):
            break
        cytoplasm = _Colours.among(sample.values.take(agrees, axis=0))
    score = cv2.transform(density, np.append(0.5 * weights, 0.35 - 0.5 * offset)[None])
    return np.clip(score, -1.0, 1.0, out=score)


def _clipped(density: np.ndarray, near: np.ndarray, limit: float) -> tuple[np.ndarray, float]:
    """Density whose dark end is cut at the cytoplasm's level, so that the nucleus has no edge.

    Returns:
        Shape (h, w, 3), float32, and the level of its channels together.
    """
    is_stained = contrast.total(density) > limit
    places = np.flatnonzero((near > 2) & (near < 0.06 * len(near)) & is_stained)
    level = np.full(3, 0.3)
    if len(places):
        ring = density.reshape(-1, 3).take(places, axis=0).T
        level = np.array([quantile(channel, 0.6) for channel in ring])
    level = np.maximum(level, 0.12)
    lowest, highest = (-0.1, -0.1, -0.1, 0.0), (*level.tolist(), 0.0)
    clipped = cv2.max(density, lowest)  # pyright: ignore[reportCallIssue, reportArgumentType]
    clipped = cv2.min(clipped, highest)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return clipped, float(level.sum())


class _Seen(NamedTuple):
    """What both rounds see from the nucleus: everything but the score.

    Attributes:
        centre: Of the nucleus, x and y.
        reach: Radius of the last sample, in pixels.
        gain: What a contour gains by its edge, shape (`ANGLES`, `RADII`).
        is_within: Samples before the end of the nucleus, same shape.
    """

    centre: tuple[float, float]
    reach: float
    gain: np.ndarray
    is_within: np.ndarray

    @classmethod
    def of(cls, colour: np.ndarray, level: float, nucleus: np.ndarray) -> _Seen:
        """From the clipped density (h, w, 3), its level and the nucleus (h, w)."""
        moments = cv2.moments(nucleus.view(np.uint8), binaryImage=True)
        centre = (moments["m10"] / moments["m00"], moments["m01"] / moments["m00"])
        reach = 0.62 * len(nucleus)
        polar = cv2.GaussianBlur(_unroll(colour, centre, reach), (3, 5), 0)
        gain = np.zeros((ANGLES, RADII), dtype=np.float32)
        gain[:, 2:-2] = contrast.total(cv2.absdiff(polar[:, :-4], polar[:, 4:]))
        gain *= EDGE_WEIGHT / level
        chromatin = _unroll(nucleus, centre, reach) > 0.5
        last = np.where(chromatin.any(axis=1), RADII - 1 - chromatin[:, ::-1].argmax(axis=1), 0)
        return cls(centre, reach, gain, np.arange(RADII) < last[:, None])

    def gain_of(self, score: np.ndarray) -> np.ndarray:
        """What a contour gains at each sample, by a score of the pixels (h, w) inside it."""
        gain = np.cumsum(_unroll(score, self.centre, self.reach) * _WEIGHTS, axis=1)
        gain += self.gain
        gain[self.is_within] -= 50.0
        return gain

    def filled(self, radii: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """What is within a contour, bool; the number of a sample for each angle."""
        length = (radii + 0.5) * self.reach / RADII
        points = self.centre + length[:, None] * _DIRECTIONS
        mask = np.zeros(shape, dtype=np.uint8)
        cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
        return mask.view(bool)


def _unroll(image: np.ndarray, centre: tuple[float, float], reach: float) -> np.ndarray:
    """The image seen from a place, shape (`ANGLES`, `RADII`) or (..., 3), float32."""
    return cv2.warpPolar(
        image.astype(np.float32, copy=False),
        (RADII, ANGLES),
        centre,
        reach,
        cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS,
    )


def _tidy(cell: np.ndarray, stain: np.ndarray, limit: float, nucleus: np.ndarray) -> np.ndarray:
    """Cut background slivers off the contour, keep the part with the nucleus, fill holes."""
    solid = (cell & ((stain > 0.8 * limit) | nucleus)).view(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, kernel)
    solid = cv2.bitwise_or(solid, nucleus.view(np.uint8))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, kernel)
    contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(solid)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.view(bool)
