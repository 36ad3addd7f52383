"""`buffycoat annotate`: found and classified cells for QuPath, CVAT and other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli.output import check_file, check_folder
from buffycoat.plurals import counted


class Format(StrEnum):
    """What other tools read."""

    GEOJSON = "geojson"
    COCO = "coco"
    YOLO = "yolo"


def annotate(
    cells: Annotated[
        Path,
        typer.Argument(help="Folder that find wrote, or that differential wrote for FIELDS."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for geojson and yolo; .json file for coco.")],
    kind: Annotated[
        Format, typer.Option("--format", help="geojson (QuPath), coco or yolo.")
    ] = Format.GEOJSON,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Parquet that predict wrote for CELLS: adds classes and probabilities."),
    ] = None,
) -> None:
    """Write the cells of fields as annotations that other tools open over the same pictures.

    geojson: one file a field, OUT/FIELD.geojson, for QuPath: every cell is a detection with its
    outline, class and colour; probabilities and areas are its measurements. coco: one file with
    boxes, outlines, and probabilities as score. yolo: labels/FIELD.txt and data.yaml, boxes and
    classes alone. Pictures are not copied. Coordinates are pixels of the field.

    Example: `buffycoat annotate cells/ --predictions cells.parquet --format geojson --out qupath/`
    """
    if kind is Format.COCO:
        check_file(out, (".json",), predictions)
    else:
        check_folder(out)
    from buffycoat.exchange import found

    if predictions is None and not (cells / found.CELLS).exists():
        inner, table = cells / "cells", cells / "predictions.parquet"
        if (inner / found.CELLS).exists() and table.exists():  # as `differential` writes it
            cells, predictions = inner, table
    known = found.read_found(cells, predictions)
    write = {Format.GEOJSON: found.to_geojson, Format.COCO: found.to_coco}.get(kind, found.to_yolo)
    n_files = write(known, out)
    typer.echo(
        f"{counted(len(known.cells), 'cell')} of {counted(len(known.sizes), 'field')} in "
        f"{counted(n_files, 'file')}: {out}"
    )
