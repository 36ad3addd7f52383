"""What tables say of a cell, a field and a part of a slide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from buffycoat.fields.find import FoundCell, FoundCells
from buffycoat.fields.outlines import WINDOW
from buffycoat.fields.quality import FieldQuality
from buffycoat.fields.red_cells import RED_CELL_UM

CELL_COLUMNS = {
    "cell_id": "string", "path": "string", "slide_id": "string", "field": "string",
    "box": "string", "is_cut": "bool", "kind": "string", "is_counted": "bool",
    "area_um2": "float64", "nucleus_area_um2": "float64", "signal": "float64",
    "um_per_px": "float64", "crop_px": "int64", "field_faults": "string", "outline": "string",
}  # fmt: skip
"""Columns of the table of cells and their pandas types."""
COUNTED = ("platelet", "deposit", "clump")
"""Kinds of spots that tables count."""


def cell_row(
    name: str, cell: FoundCell, red_px: float, faults: Sequence[str], counts: bool
) -> dict[str, Any]:
    """A row of the table of cells, without `slide_id`.

    Args:
        name: Of its field or slide.
        cell: In pixels of that.
        red_px: Diameter of a red cell.
        faults: Of the field, or of the part of a slide.
        counts: Whether it is to be counted (`counting.is_counted`).
    """
    left, top, width, height = cell.box
    crop = f"{name}-x{left}-y{top}.png"
    unit = RED_CELL_UM**2 * 3.141592653589793 / 4
    return {
        "cell_id": crop,
        "path": crop,
        "field": name,
        "box": f"{left},{top},{width},{height}",
        "is_cut": cell.is_cut,
        "kind": cell.kind,
        "is_counted": counts,
        "area_um2": round(cell.area * unit, 2),
        "nucleus_area_um2": round(cell.nucleus_area * unit, 2),
        "signal": round(cell.signal, 2),
        "um_per_px": RED_CELL_UM / red_px,
        "crop_px": round(WINDOW * red_px),
        "field_faults": "; ".join(faults),
        "outline": " ".join(f"{x:.1f},{y:.1f}" for x, y in cell.outline),
    }


def box_of(row: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Left, top, width, height of a row of the table of cells.

    Raises:
        ValueError: Its box is not such a text.
    """
    left, top, width, height = (int(value) for value in row["box"].split(","))
    return left, top, width, height


def points_of(row: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Points (x, y) of the outline of a row of the table of cells, in pixels of the field.

    Raises:
        ValueError: Its outline is not such a text.
    """
    pairs = (pair.split(",") for pair in row["outline"].split())
    points = tuple((float(x), float(y)) for x, y in pairs)
    if not all(math.isfinite(value) for point in points for value in point):
        raise ValueError("an outline has finite points")
    return points


def field_row(
    name: str, size: tuple[int, int], scale: tuple[float, str], found: FoundCells
) -> dict[str, Any]:
    """A row of the table of fields.

    Args:
        name: Of the field.
        size: Width and height in pixels.
        scale: Diameter of a red cell in pixels, and where that is from.
        found: What it holds.
    """
    kinds = [cell.kind for cell in found.cells]
    return {
        **_head(name, size, scale),
        "cells": kinds.count("cell"),
        "smudges": kinds.count("smudge"),
        **{f"{kind}s": found.spots.get(kind, 0) for kind in COUNTED},
        "red_cells": found.red_count,
        **_quality(found.quality),
        "parts": 1,
    }


def _head(name: str, size: tuple[int, int], scale: tuple[float, str]) -> dict[str, Any]:
    return {
        "field": name,
        "width": size[0],
        "height": size[1],
        "um_per_px": RED_CELL_UM / scale[0],
        "scale_from": scale[1],
    }


def _quality(seen: FieldQuality) -> dict[str, Any]:
    return {
        "covered": round(seen.covered, 4),
        "edge_um": round(seen.edge * RED_CELL_UM, 3),
        "stain": round(seen.stain, 4),
        "faults": "; ".join(seen.faults),
    }


def part_row(core: tuple[int, int, int, int], found: FoundCells) -> dict[str, Any]:
    """A row of the table of parts; cells are counted later, as two parts may find the same one."""
    return {
        **dict(zip(("left", "top", "width", "height"), core, strict=True)),
        **{f"{kind}s": found.spots.get(kind, 0) for kind in COUNTED},
        "red_cells": found.red_count,
        **_quality(found.quality),
    }


def slide_row(
    name: str,
    size: tuple[int, int],
    scale: tuple[float, str],
    parts: Sequence[Mapping[str, Any]],
    cells: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A row of the table of fields, for a slide.

    Counts are sums over its parts, measures their medians. A fault is one of the slide if every
    part has faults and half of them this one: a slide always has places that are too thick.

    Args:
        name: Of the slide.
        size: Width and height in pixels.
        scale: Diameter of a red cell in pixels, and where that is from.
        parts: Rows of those that are not blank.
        cells: Rows of its cells.
    """
    kinds = [row["kind"] for row in cells]
    faults = [part["faults"].split("; ") for part in parts]
    common = {f for own in faults for f in own if sum(f in o for o in faults) * 2 >= len(faults)}
    is_faulty = all(part["faults"] for part in parts)
    return {
        **_head(name, size, scale),
        "cells": kinds.count("cell"),
        "smudges": kinds.count("smudge"),
        **{f"{kind}s": sum(part[f"{kind}s"] for part in parts) for kind in COUNTED},
        "red_cells": sum(part["red_cells"] for part in parts),
        **{
            measure: float(np.round(np.median([part[measure] for part in parts]), 4))
            if parts
            else 0.0
            for measure in ("covered", "edge_um", "stain")
        },
        "faults": "; ".join(sorted(common)) if parts and is_faulty else "" if parts else "blank",
        "parts": len(parts),
    }
