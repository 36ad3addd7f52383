"""Nuclei as shapes: lobes of one nucleus joined, nuclei that touch separated.

All lengths are in red-cell diameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

RED_PX = 24
"""Diameter of a red cell in the picture that nuclei are looked for in."""
RED_AREA_PX = np.pi * RED_PX**2 / 4
CLOSED = 0.12
"""Cracks in a nucleus that are closed."""
LOBE_GAP = 0.6
"""Between lobes of one nucleus, at most."""
LOBES_SPAN = 2.0
"""From end to end of all lobes of a nucleus, at most: a cell of 15 micrometres."""
OWN_RADIUS = 0.42
"""Of the largest circle, from which a part is a nucleus of its own however near others are: the
nucleus of a small lymphocyte is 7 micrometres wide, a lobe 3 to 5."""
NECK = 0.6
"""Width of what joins two nuclei over that of the larger one, at most."""
Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""
Part = tuple[Box, np.ndarray]
"""A box, and what of it belongs to something, shape (height, width), bool."""


KINDS = ("nucleus", "smudge", "platelet", "deposit", "clump")
"""Of what is stained like a nucleus: a nucleus, what is left of a broken one, a platelet, dirt,
and red cells on top of each other."""


@dataclass(frozen=True)
class Nucleus:
    """Something stained like a nucleus.

    Attributes:
        box: In pixels of the picture at `RED_PX`.
        mask: Its pixels in the box, shape (height, width), bool.
        density: Of chromatin at its darkest place, natural log units.
        signal: That over the field's middle, in robust standard deviations.
        kind: One of `KINDS`.
    """

    box: Box
    mask: np.ndarray
    density: float
    signal: float
    kind: str

    @property
    def area(self) -> float:
        """In areas of a red cell."""
        return float(np.count_nonzero(self.mask)) / RED_AREA_PX

    @property
    def centre(self) -> tuple[float, float]:
        """Of its pixels, across and down."""
        rows, columns = np.nonzero(self.mask)
        return self.box[0] + float(columns.mean()), self.box[1] + float(rows.mean())


def disk(diameter: float) -> np.ndarray:
    """A round kernel of OpenCV."""
    size = int(diameter * RED_PX) | 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def inner_radius(mask: np.ndarray) -> float:
    """Of the largest circle in a mask (h, w), bool, in pixels; beyond the mask is nothing."""
    return float(_depth(mask.astype(np.uint8)).max())


def hull(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask (h, w), bool; uint8."""
    filled = np.zeros(mask.shape, dtype=np.uint8)
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    if len(points):
        cv2.fillConvexPoly(filled, cv2.convexHull(np.ascontiguousarray(points)), 1)
    return filled


def separate(mask: np.ndarray) -> list[Part]:
    """Nuclei of a field.

    Args:
        mask: Pixels of nuclei, shape (h, w), uint8.

    Returns:
        Box of each, and its pixels in the box, bool; from top to bottom; without those of no pixel.
    """
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk(CLOSED))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = [(int(s[0]), int(s[1]), int(s[2]), int(s[3])) for s in stats]
    parts = {}
    for label in range(1, count):
        left, top, width, height = boxes[label]
        window = np.s_[top : top + height, left : left + width]
        parts[label] = (labels[window] == label) & (mask[window] > 0)
    found = []
    for group in _lobes([(boxes[label], part) for label, part in parts.items()]):
        box, whole = _union(group)
        found += [_trimmed(box, part) for part in _split(whole) if part.any()]
    return sorted(found, key=lambda one: (one[0][1], one[0][0]))


def _lobes(parts: list[Part]) -> list[list[Part]]:
    """Components that are one nucleus: the nearest first, as long as a nucleus can be so long."""
    corners = [_outer(part) for part in parts]
    gaps = sorted(
        (gap, one, other)
        for one in range(len(parts))
        for other in range(one)
        if (gap := _gap(corners[one], corners[other])) <= LOBE_GAP * RED_PX
    )
    radii = [inner_radius(mask) / RED_PX for _, mask in parts]
    group = list(range(len(parts)))
    for _, one, other in gaps:
        a, b = group[one], group[other]
        if a == b or min(radii[one], radii[other]) >= OWN_RADIUS:
            continue
        members = [place for place, number in enumerate(group) if number in (a, b)]
        if _span(np.concatenate([corners[place] for place in members])) <= LOBES_SPAN * RED_PX:
            group = [a if number == b else number for number in group]
    return [
        [part for part, own in zip(parts, group, strict=True) if own == number]
        for number in sorted(set(group))
    ]


def _outer(part: Part) -> np.ndarray:
    """Places on the outline of a component, shape (n, 2), across and down."""
    (left, top, _, _), mask = part
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top)
    )
    return np.concatenate(contours)[:, 0].astype(np.float32)


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    """The least distance between places (n, 2) and (m, 2); more than that if it is large."""
    apart = np.maximum(one.min(axis=0) - other.max(axis=0), other.min(axis=0) - one.max(axis=0))
    if apart.max() > LOBE_GAP * RED_PX:
        return float(apart.max())
    return float(np.sqrt(((one[:, None] - other) ** 2).sum(axis=2).min()))


def _span(places: np.ndarray) -> float:
    """The largest distance between two places (n, 2)."""
    hull = cv2.convexHull(places)[:, 0]
    return float(np.sqrt(((hull[:, None] - hull) ** 2).sum(axis=2).max()))


def _union(parts: list[Part]) -> Part:
    """The box around several parts, and all their pixels in it."""
    if len(parts) == 1:
        return parts[0]
    left, top = (min(box[axis] for box, _ in parts) for axis in (0, 1))
    right, bottom = (max(box[axis] + box[axis + 2] for box, _ in parts) for axis in (0, 1))
    whole = np.zeros((bottom - top, right - left), dtype=bool)
    for (x, y, width, height), mask in parts:
        whole[y - top : y - top + height, x - left : x - left + width] |= mask
    return (left, top, right - left, bottom - top), whole


def _split(mask: np.ndarray) -> list[np.ndarray]:
    """Parts of a mask (h, w), bool, that are nuclei of their own; same shape each."""
    depth = _depth(cv2.morphologyEx(np.pad(mask.astype(np.uint8), 4), cv2.MORPH_CLOSE, disk(0.2)))
    depth = depth[4:-4, 4:-4]
    deepest = float(depth.max())
    if deepest < OWN_RADIUS * RED_PX:
        return [mask]
    count, cores = cv2.connectedComponents((depth > NECK * deepest).astype(np.uint8))
    deep = [n for n in range(1, count) if depth[cores == n].max() >= OWN_RADIUS * RED_PX]
    if len(deep) < 2:
        return [mask]
    distances = [cv2.distanceTransform((cores != n).astype(np.uint8), cv2.DIST_L2, 5) for n in deep]
    nearest = np.argmin(distances, axis=0)
    return [mask & (nearest == place) for place in range(len(deep))]


def _depth(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel of a mask (h, w), uint8, to its edge."""
    return cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]


def _trimmed(box: Box, part: np.ndarray) -> Part:
    left, top, width, height = cv2.boundingRect(part.astype(np.uint8))
    own = part[top : top + height, left : left + width]
    return (box[0] + left, box[1] + top, width, height), own
