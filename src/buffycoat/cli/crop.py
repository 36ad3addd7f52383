"""`buffycoat crop`: cells cut out of fields of view by boxes that others drew."""

from __future__ import annotations

import fnmatch
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, print_bad_cells, results_console
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter
from buffycoat.errors import BadCellsError, ManifestError, OutputError
from buffycoat.plurals import counted

if TYPE_CHECKING:
    from buffycoat.exchange.boxes import LabelledField

CELLS = "cells.csv"


def crop(
    boxes: Annotated[
        Path,
        typer.Argument(
            help="COCO's .json file, or a folder with one, with YOLO's text files or with Pascal "
            "VOC's XML files."
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
    idle = {*(leave_out or ())} - cut_boxes(boxes, out, leave_out or (), side_px)
    if idle:
        raise ManifestError(f"--leave-out {', '.join(sorted(idle))}: no box has such a label")


def cells_of_boxes(
    data: Path, out: Path, leave_out: Sequence[str] | None
) -> tuple[Path, list[str]]:
    """Cells that a command can read: cut out first where the data are fields with boxes.

    Args:
        data: As it was given.
        out: Folder for the crops, if there are any to make.
        leave_out: Labels and names that are not wanted.

    Returns:
        The data, or the folder of crops; and what is still to be left out of it.

    Raises:
        ManifestError: A fault in the boxes, or boxes around what is no white cell.
    """
    from buffycoat.sources.boxed import is_boxed

    patterns = list(leave_out or ())
    if not data.exists() or not is_boxed(data):
        return data, patterns
    used = cut_boxes(data, out, patterns, is_white_only=True)
    return out, [pattern for pattern in patterns if pattern not in used]


def cut_boxes(
    boxes: Path,
    out: Path,
    leave_out: Sequence[str] = (),
    side_px: int | None = None,
    is_white_only: bool = False,
) -> set[str]:
    """Cut the cells out and write their table.

    Args:
        boxes: COCO's file, or a folder that holds boxes.
        out: Folder for crops and table.
        leave_out: Labels, in any spelling.
        side_px: Of each crop; None takes 2.65 times the median box.
        is_white_only: Whether labels that are known names of no white cell are refused.

    Returns:
        What of `leave_out` named a label.

    Raises:
        ManifestError: A fault in the boxes.
        BadCellsError: A field cannot be read; the cells of the others are there.
    """
    import pandas as pd

    from buffycoat.exchange.read import read_boxes
    from buffycoat.fields.given import SIDES, cut_out, small_boxes, typical_side, without
    from buffycoat.tables import write_csv

    check_folder(out)
    given = read_boxes(boxes)
    unwanted, used = _unwanted(given, leave_out)
    if is_white_only:
        _check_white(given, unwanted, boxes)
    fields = [without(field, unwanted) for field in given]
    among = {field.image.parent.resolve() for field in fields}
    if any(folder in (out / "x").resolve().parents for folder in among):
        raise OutputError(f"--out {out}: lies among the fields. Choose a folder outside")
    twice = [name for name, n in Counter(f.image.name for f in fields).items() if n > 1]
    if twice:
        raise ManifestError(
            f"{boxes}: {counted(len(twice), 'name belongs', 'names belong')} to several fields "
            f"(such as {twice[0]}), and cells are named after their field. Rename all "
            "but one of each"
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
        escape(
            f"{counted(len(table), 'cell')} of {side} x {side} px in "
            f"{counted(len(fields), 'field')}: {listed}"
        ),
        soft_wrap=True,
    )
    small = small_boxes(fields, typical)
    if small:
        n_small = counted(len(small), "box", "boxes")
        text = f"{n_small} under a quarter of the typical size: {'; '.join(small[:5])}"
        errors_console().print(f"[yellow]{escape(text)}. Look at their crops[/]", soft_wrap=True)
    console.print(escape(f"Cells: {out / CELLS}, crops beside it"), soft_wrap=True)
    if found.bad:
        print_bad_cells(found.bad)
        raise BadCellsError(
            f"{len(found.bad)} of {counted(len(fields), 'field')} cannot be read", found.bad
        )
    return used


def _unwanted(
    fields: Sequence[LabelledField], leave_out: Sequence[str]
) -> tuple[set[str], set[str]]:
    """Labels that are not wanted, and which of `leave_out` named them."""
    from buffycoat.taxonomy.spelling import words_of

    labels = {box.label for field in fields for box in field.boxes if box.label}
    found = {
        pattern: {
            label
            for label in labels
            if fnmatch.fnmatchcase(label.casefold(), pattern.casefold())
            or words_of(label) == words_of(pattern) != ()
        }
        for pattern in leave_out
    }
    unwanted = {label for named in found.values() for label in named}
    return unwanted, {pattern for pattern, named in found.items() if named}


def _check_white(fields: Sequence[LabelledField], unwanted: set[str], boxes: Path) -> None:
    """Refuse labels that are known names of what is no white cell."""
    from buffycoat.taxonomy.spelling import is_no_class

    counts = Counter(box.label for field in fields for box in field.boxes if box.label)
    strange = sorted(label for label in counts if is_no_class(label) and label not in unwanted)
    if strange:
        listed = ", ".join(f"{label} ({counts[label]})" for label in strange)
        options = " ".join(f"--leave-out {shlex.quote(label)}" for label in strange)
        raise ManifestError(
            f"{boxes}: boxes around what is no white cell: {listed}. Leave them out: {options}"
        )
