"""`buffycoat find`: cut the white cells out of photographs of whole fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, print_bad_cells, results_console
from buffycoat.cli.progress import make_reporter
from buffycoat.errors import BadCellsError
from buffycoat.plurals import counted, some_of

if TYPE_CHECKING:
    from buffycoat.fields.folder import Outcome

FULL, MIDDLE = 0.8, 0.1
"""A picture is a crop of one cell where the crop cut out around it would take so much of the
picture's shorter side, and the cell lies so near to the middle, in sides."""


def find(
    fields: Annotated[
        Path,
        typer.Argument(metavar="FIELDS", help="Folder of photographs of fields or slides, or one."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for crops and tables.")],
    um_per_px: Annotated[
        float | None,
        typer.Option(help="Micrometres that a pixel is wide; by default by file or red cells."),
    ] = None,
    overlays: Annotated[
        Path | None, typer.Option(help="Another folder, for pictures with what was found.")
    ] = None,
    allow_bad: Annotated[
        int, typer.Option(min=0, help="Exit with 0 if at most so many fields cannot be used.")
    ] = 0,
    tile_px: Annotated[
        int | None,
        typer.Option(min=256, help="Pixels a side of a slide to read at once; results are equal."),
    ] = None,
) -> None:
    """Find the nucleated cells in photographs of fields of view or in slides; cut each one out.

    Nuclei are recognised by their stain, compared with the field's own red cells and background,
    and by their size; no weights are needed. Every crop shows a cell at the scale that `starter`
    knows. Killed, the same command goes on. OUT/cells.parquet lists the cells: field, box, outline,
    size, whether the field's border cuts it, whether it is a smudge, and whether it counts in a
    differential. OUT/fields.csv lists the
    fields: cells, platelets, red cells, scale, focus, and faults for which a field should not be
    counted. OUT/parts.csv does so for the parts of slides. OUT/bad-fields.csv lists what cannot be
    used.

    Example: `buffycoat find fields/ --out cells/`, then `buffycoat predict starter cells/ --out
    cells.csv`; or both, and the differential, by `buffycoat
    differential starter fields/`
    """
    from buffycoat.api.fields import find_cells
    from buffycoat.fields import tables

    with make_reporter() as reporter:
        outcome, places = find_cells(fields, out, reporter, um_per_px, overlays, tile_px)
    print_found(outcome, out)
    if len(outcome.bad) > allow_bad:
        raise BadCellsError(
            f"{len(outcome.bad)} of {counted(len(places), 'field')} could not be used, more than "
            f"--allow-bad {allow_bad}. The others are in {out}; the list is in {out / tables.BAD}",
            outcome.bad,
        )
    if outcome.bad:
        print_bad_cells(outcome.bad)


def print_found(outcome: Outcome, out: Path) -> None:
    """Say how many cells and fields there are, and where they are listed."""
    from collections import Counter

    from buffycoat.fields.tables import CELLS, FIELDS

    cells = [row for row in outcome.cells if row["kind"] == "cell"]
    n_cut = sum(row["is_cut"] for row in cells)
    smudges = len(outcome.cells) - len(cells)
    empty = sum(row["cells"] == 0 for row in outcome.fields)
    faults = Counter(f for row in outcome.fields for f in row["faults"].split("; ") if f)
    lines = [
        f"{counted(len(cells), 'cell')} in {counted(len(outcome.fields), 'field')} ({n_cut} cut by "
        f"a border), {counted(smudges, 'smudge')}; {counted(empty, 'field')} without a cell",
        *(f"{counted(n, 'field')} {fault}" for fault, n in faults.most_common()),
        f"Cells: {out / CELLS}, crops beside it",
        f"Fields: {out / FIELDS}",
    ]
    for line in lines:
        results_console().print(escape(line), soft_wrap=True, highlight=False)
    if not cells:
        errors_console().print(
            "[yellow]No white cell was found in any field.[/] If there are some, look at the "
            "overlays (--overlays) and state the scale (--um-per-px).",
            highlight=False,
        )
    n_single = _single_cells(outcome)
    if 2 * n_single > len(outcome.fields):
        text = (
            f"{some_of(n_single, len(outcome.fields), 'picture', 'shows', 'show')} one cell in the "
            "middle and little "
            "beside it: these are crops of cells, not fields. Give their folder to `buffycoat "
            "predict` as it is. Crops cut out of them are filled up with their mirror image."
        )
        errors_console().print(f"[yellow]{escape(text)}[/]", soft_wrap=True, highlight=False)


def _single_cells(outcome: Outcome) -> int:
    """How many pictures are crops of single cells rather than fields."""
    found = {}
    for row in outcome.cells:
        found.setdefault(row["field"], []).append(row)
    return sum(
        _fills(view, found[view["field"]][0])
        for view in outcome.fields
        if len(found.get(view["field"], ())) == 1
    )


def _fills(view: Mapping[str, Any], cell: Mapping[str, Any]) -> bool:
    sides = view["width"], view["height"]
    left, top, width, height = map(int, cell["box"].split(","))
    centre = left + width / 2, top + height / 2
    away = max(abs(at / side - 0.5) for at, side in zip(centre, sides, strict=True))
    return cell["crop_px"] >= FULL * min(sides) and away <= MIDDLE
