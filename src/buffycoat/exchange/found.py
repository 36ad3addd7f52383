"""The cells that `find` lists, with their predicted classes, for the formats of other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ManifestError
from buffycoat.exchange.boxes import Box, LabelledField
from buffycoat.exchange.coco import corners, write_coco
from buffycoat.exchange.geojson import Detection, write_geojson
from buffycoat.exchange.outlines import Outline, outline_through
from buffycoat.exchange.yolo import write_yolo
from buffycoat.plurals import counted
from buffycoat.tables import read_rows

CELLS, FIELDS = "cells.parquet", "fields.csv"
PROBABILITY = "prob_"
NUMBERS = ("area_um2", "nucleus_area_um2", "signal")
PREDICTED = ("probability", "entropy", "severity", "outlier_percentile", "is_abstained")
"""Columns of `find` and of predictions that become measurements, beside the probabilities."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class FoundCells:
    """Cells of some fields.

    Attributes:
        sizes: Field -> its width and height, pixels; also of fields without a cell.
        cells: A row a cell: columns of `find`, `label`, and what was predicted.
        classes: Every label, in the order that gives it its colour and number.
        measured: Columns that become measurements.
    """

    sizes: Mapping[str, tuple[int, int]]
    cells: Sequence[Row]
    classes: Sequence[str]
    measured: Sequence[str]

    def by_field(self) -> dict[str, list[Row]]:
        """Cells of each field, in order."""
        found: dict[str, list[Row]] = {name: [] for name in self.sizes}
        for cell in self.cells:
            found[cell["field"]].append(cell)
        return found


def read_found(folder: Path, predictions: Path | None = None) -> FoundCells:
    """Read what `find` wrote, and the predictions for it.

    Args:
        folder: That `find` wrote.
        predictions: That `predict` wrote for it, as Parquet. Cells without one, and all cells where
            it is None, are labelled "cell" or "smudge".

    Raises:
        ManifestError: A table is missing, or the predictions are of other cells.
    """
    missing = [name for name in (CELLS, FIELDS) if not (folder / name).is_file()]
    if missing:
        raise ManifestError(
            f"{folder}: no {' and no '.join(missing)} in it. Give the folder that `buffycoat find` "
            "wrote"
        )
    rows = read_rows(folder / FIELDS, ("field", "width", "height"))
    sizes = {row["field"]: (int(row["width"]), int(row["height"])) for _, row in rows}
    cells = pd.read_parquet(folder / CELLS)
    measured, codes = list(NUMBERS), []
    if predictions is None:
        cells["label"] = cells["kind"]
    else:
        said = _predictions(predictions, cells, folder)
        probabilities = [name for name in said if name.startswith(PROBABILITY)]
        codes = [name.removeprefix(PROBABILITY) for name in probabilities]
        measured = [*(name for name in PREDICTED if name in said), *probabilities, *measured]
        cells = cells.merge(said, on="cell_id", how="left")
        cells["label"] = cells["label"].fillna(cells["kind"])
    classes = list(dict.fromkeys([*codes, *sorted(set(cells["label"]))]))
    records = [{str(name): value for name, value in row.items()}
               for row in cells.to_dict("records")]  # fmt: skip
    return FoundCells(sizes, records, classes, measured)


def _predictions(path: Path, cells: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """What is taken of predictions, a row a cell."""
    try:
        said = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: not a readable Parquet table ({error})") from error
    if not {"cell_id", "label"} <= {*said}:
        raise ManifestError(f"{path}: no predictions. Give the .parquet that `predict` wrote")
    others = sorted({*said["cell_id"]} - {*cells["cell_id"]})
    if others:
        raise ManifestError(
            f"{path}: {len(others)} of its {counted(len(said), 'cell')}, such as {others[0]}, "
            f"{'is' if len(others) == 1 else 'are'} not in {folder / CELLS}. Give the predictions "
            "for that folder"
        )
    names = [n for n in said if n in ("cell_id", "label", *PREDICTED) or n.startswith(PROBABILITY)]
    return said.loc[:, names]


def to_geojson(found: FoundCells, folder: Path) -> int:
    """Write one file a field, which QuPath opens over its picture; returns how many."""
    for field, cells in found.by_field().items():
        detections = [
            Detection(
                str(cell["cell_id"]),
                _outline(cell),
                str(cell["label"]),
                {name: float(cell[name]) for name in found.measured},
            )
            for cell in cells
        ]
        write_geojson(folder / f"{field}.geojson", detections, found.classes)
    return len(found.sizes)


def to_coco(found: FoundCells, path: Path) -> int:
    """Write one file for all fields, with outlines and, as `score`, probabilities."""
    by_field = found.by_field()
    fields = [
        (_labelled(field, cells, found.sizes[field]), [_outline(cell) for cell in cells])
        for field, cells in by_field.items()
    ]
    ordered = [cell for cells in by_field.values() for cell in cells]
    scores = {
        number: float(cell["probability"])
        for number, cell in enumerate(ordered)
        if "probability" in cell and np.isfinite(cell["probability"])
    }
    write_coco(path, fields, scores)
    return 1


def to_yolo(found: FoundCells, folder: Path) -> int:
    """Write one file of boxes a field, and the names of the classes; returns how many."""
    fields = [
        _labelled(field, cells, found.sizes[field]) for field, cells in found.by_field().items()
    ]
    write_yolo(folder, fields, found.classes)
    return len(fields) + 1


def _labelled(field: str, cells: Sequence[Row], size: tuple[int, int]) -> LabelledField:
    return LabelledField(Path(field), *size, tuple(_box(cell) for cell in cells))


def _box(cell: Row) -> Box:
    left, top, width, height = map(float, cell["box"].split(","))
    return Box(left, top, width, height, str(cell["label"]))


def _outline(cell: Row) -> Outline:
    """Of a cell; its box where its contour has no area."""
    points = [point.split(",") for point in str(cell["outline"]).split()]
    found = outline_through(np.array(points, dtype=float).reshape(-1, 2))
    return found if found.rings else Outline((corners(_box(cell)),))
