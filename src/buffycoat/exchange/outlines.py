"""Masks of cells as valid polygons, by shapely (extra `fields`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.optional import require

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Outline:
    """A cell's or nucleus's outline.

    Attributes:
        rings: One a part: a lobed nucleus may have several. Points (x, y) in pixels of the field,
            along the borders of pixels, the first not repeated; no ring crosses or touches itself.
    """

    rings: tuple[Ring, ...]


def outline_of(mask: np.ndarray, left: int = 0, top: int = 0) -> Outline:
    """The outline of a mask, holes filled; empty where the mask is.

    Args:
        mask: Shape (h, w), bool.
        left: Of the mask in its field, pixels.
        top: Likewise.

    Raises:
        MissingExtraError: shapely is not installed.
    """
    shapely = require("shapely", extra="fields")
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, stops = np.nonzero(steps == -1)  # row by row, so each run's stop is beside its start
    runs = shapely.box(starts + left, rows + top, stops + left, rows + top + 1)
    parts = shapely.get_parts(shapely.union_all(runs))
    # Without their holes parts may overlap: one may lie in the hole of another.
    filled = shapely.union_all([shapely.polygons(part.exterior) for part in parts])
    return _outline(shapely, filled)


def outline_through(points: np.ndarray) -> Outline:
    """The outline of a contour, valid also where the contour touches or crosses itself.

    Args:
        points: Shape (n, 2), across and down, in pixels of the field.

    Returns:
        Empty where the contour has no area.

    Raises:
        MissingExtraError: shapely is not installed.
    """
    shapely = require("shapely", extra="fields")
    if len(points) < 3:
        return Outline(())
    mended = shapely.make_valid(shapely.Polygon(points), method="structure", keep_collapsed=False)
    parts = [part for part in shapely.get_parts(mended) if part.geom_type == "Polygon"]
    filled = shapely.union_all([shapely.polygons(part.exterior) for part in parts])
    return _outline(shapely, filled)


def _outline(shapely: Any, filled: Any) -> Outline:
    """Of polygons without holes; exteriors run as GeoJSON asks (RFC 7946)."""
    turned = shapely.orient_polygons(shapely.get_parts(filled))
    rings = [part.exterior.simplify(0).coords[:-1] for part in turned]
    return Outline(tuple(tuple((float(x), float(y)) for x, y in ring) for ring in rings))


def area_of(ring: Ring) -> float:
    """Of a ring, in square pixels, by the shoelace formula."""
    x, y = np.array(ring).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
