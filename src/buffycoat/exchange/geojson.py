"""Cells of a field as GeoJSON that QuPath opens over the same picture.

The form is that of QuPath 0.4 and later (`qupath.lib.io.QuPathTypeAdapters`): a FeatureCollection
of detections, each with a UUID, the name and colour of its class, and measurements as numbers by
name. Coordinates are pixels of the full picture, from its upper left corner.
"""

from __future__ import annotations

import colorsys
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buffycoat.exchange.outlines import Outline
from buffycoat.images import write_atomic

NAMESPACE = uuid.UUID("6f1c1f0e-6b0a-5d0e-9a53-6f9f5f6b7a11")
"""Of UUIDs made from a cell's id: the same cell has the same one in every export."""


@dataclass(frozen=True)
class Detection:
    """A cell as QuPath has it.

    Attributes:
        cell_id: Name; its UUID follows from it.
        outline: In pixels of the field.
        label: Class; None leaves it unclassified.
        measurements: Name -> number; what is not finite is left out, since JSON has no word for it.
    """

    cell_id: str
    outline: Outline
    label: str | None
    measurements: Mapping[str, float]


def write_geojson(path: Path, cells: Sequence[Detection], classes: Sequence[str]) -> None:
    """Write the cells of one field.

    Args:
        path: The .geojson file; replaced once the new one is whole.
        cells: In any order; one without an outline is refused by `ValueError`.
        classes: All classes, in an order that gives each its colour, the same in every field.
    """
    table = {"type": "FeatureCollection", "features": [_feature(c, classes) for c in cells]}
    write_atomic(path, json.dumps(table, allow_nan=False).encode())


def colour_of(label: str, classes: Sequence[str]) -> list[int]:
    """Red, green and blue, 0-255, of a class: hues as far apart as the classes are many."""
    hue = classes.index(label) / len(classes)
    return [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.8, 0.85)]


def _feature(cell: Detection, classes: Sequence[str]) -> dict[str, Any]:
    if not cell.outline.rings:
        raise ValueError(f"{cell.cell_id}: has no outline")
    properties: dict[str, Any] = {"objectType": "detection", "name": cell.cell_id}
    if cell.label is not None:
        colour = colour_of(cell.label, classes)
        properties["classification"] = {"name": cell.label, "color": colour}
    numbers = {n: float(v) for n, v in cell.measurements.items() if math.isfinite(v)}
    if numbers:
        properties["measurements"] = numbers
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(NAMESPACE, cell.cell_id)),
        "geometry": _geometry(cell.outline),
        "properties": properties,
    }


def _geometry(outline: Outline) -> dict[str, Any]:
    """A polygon, or several; rings are closed, as GeoJSON has them (RFC 7946)."""
    rings = [[[x, y] for x, y in (*ring, ring[0])] for ring in outline.rings]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
