"""`buffycoat crop`: cells cut out of fields of view by boxes that others drew."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, print_bad_cells, results_console
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter
from buffycoat.errors import BadCellsError, ManifestError, OutputError

CELLS = "cells.csv"


def crop(
    boxes: Annotated[
        Path,
        typer.Argument(
            help="COCO's .json file, or a folder with YOLO's text files or Pascal VOC's XML files."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for crops and the table of cells.")],
    side_px: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Side of each crop in pixels of the fields; by default 2.65 times the median box, "
            "so that cells are as large in it as `starter` knows them.",
        ),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="Label that is no white cell, such as RBC; may be repeated."),
    ] = None,
) -> None:
    """Cut the cells out of annotated fields, so that other commands take them.

    Boxes are read from COCO, YOLO or Pascal VOC. Every crop is a square of the same side around
    the middle of a box, mirrored where it leaves the field. OUT/cells.csv has a row a cell: label,
    field and box. All faults of the boxes are listed at once.

    Example: `buffycoat crop bccd.json --leave-out RBC --out cells/`, then `buffycoat train cells/
    --out run`, or `buffycoat predict starter cells/ --out predictions.csv`
    """
    import pandas as pd

    from buffycoat.exchange.read import read_boxes
    from buffycoat.fields.given import SIDES, cut_out, small_boxes, typical_side, without
    from buffycoat.tables import write_csv

    check_folder(out)
    fields = [without(field, leave_out or ()) for field in read_boxes(boxes)]
    among = {field.image.parent.resolve() for field in fields}
    if any(folder in (out / "x").resolve().parents for folder in among):
        raise OutputError(f"--out {out}: lies among the fields. Choose a folder outside")
    twice = [name for name, n in Counter(f.image.name for f in fields).items() if n > 1]
    if twice:
        raise ManifestError(
            f"{boxes}: {len(twice)} fields share their name with another (such as {twice[0]}), and "
            "cells are named after their field. Rename one of each"
        )
    typical = typical_side(fields)
    side = side_px or round(SIDES * typical)
    with make_reporter() as reporter:
        found = cut_out(fields, out, side, reporter)
    table = pd.DataFrame(found.rows)
    if not any(row["label"] for row in found.rows):
        table = table.drop(columns="label")
    write_csv(out / CELLS, table)
    kinds = Counter(row["label"] or "without a label" for row in found.rows)
    listed = ", ".join(f"{kind} {n}" for kind, n in kinds.most_common())
    console = results_console()
    console.print(
        escape(f"{len(table)} cells of {side} x {side} px in {len(fields)} fields: {listed}"),
        soft_wrap=True,
    )
    small = small_boxes(fields, typical)
    if small:
        text = f"{len(small)} boxes are under a quarter of the typical size: {'; '.join(small[:5])}"
        errors_console().print(f"[yellow]{escape(text)}. Look at their crops[/]", soft_wrap=True)
    console.print(escape(f"Cells: {out / CELLS}, crops beside it"), soft_wrap=True)
    if found.bad:
        print_bad_cells(found.bad)
        raise BadCellsError(f"{len(found.bad)} of {len(fields)} fields cannot be read", found.bad)
