"""`buffycoat measure`: the shape, colour and texture of cells as numbers, without a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from buffycoat.cli.console import errors_console
from buffycoat.cli.output import check_file
from buffycoat.cli.predict import cells_of, report_bad, write_bad
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, LeaveOut
from buffycoat.plurals import counted, some_of

if TYPE_CHECKING:
    import pandas as pd


def measure(
    images: Annotated[
        Path, typer.Argument(help="Folder of images, one image, or a table of cells.")
    ],
    out: Annotated[Path, typer.Option(help="Table with a row a cell, .parquet or .csv.")],
    um_per_px: Annotated[
        float | None,
        typer.Option(
            help="Micrometres that one pixel of all photographs is wide; default: column "
            "um_per_px of the table of cells, if it has one. Adds cell_area_um2, nucleus_area_um2, "
            "cell_diameter_um and nucleus_diameter_um."
        ),
    ] = None,
    allow_bad: Annotated[
        int, typer.Option(min=0, help="Exit with 0 if at most so many images are unreadable.")
    ] = 0,
    split: Annotated[
        str | None,
        typer.Option(help="IMAGES is a data set: measure its split train, eval or test."),
    ] = None,
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a CPU.")
    ] = None,
) -> None:
    """Measure every cell: size, shape, nucleus, chromatin and cytoplasm. No model is needed.

    One row a cell: cell_id; mask_quality, 0 to 1; image_px, side in pixels of the
    square that was measured: the largest in the middle of the photograph, at its own resolution.
    Then the features. Among them:

    - cell_area_px: pixels of the cell, nucleus included; nucleus_area_px: pixels of the nucleus
    - nc_ratio: area of the nucleus over area of the cell, 0 to 1
    - spikiness: longest over median distance from the contour's centroid to the contour

    Areas and diameters are in pixels of the photograph as it is in the file, and also in
    micrometres where the scale is known: --um-per-px, or a column um_per_px, which find writes (a
    cell without one has none). The masks are found
    on a copy of 160 x 160 px and scaled up, so a contour is no finer than that. What cannot be
    measured is empty. All features and their units are in docs/morphology.md.

    What cannot be read is listed with its reason in OUT.bad.csv, with exit code 3 unless
    --allow-bad covers it; the other cells are written in any case.

    Example: `buffycoat measure cells/ --out features.parquet`
    """
    check_file(out, (".csv", ".parquet"), images)
    manifest = cells_of(images, split, labels_from, leave_out)

    from buffycoat.predict.morphology import measure_manifest

    with make_reporter() as reporter:
        found = measure_manifest(manifest, um_per_px, workers, reporter)
    _write(found.frame, out)
    write_bad(found.bad, out)
    if found.n_without_cell:
        told = some_of(found.n_without_cell, len(found.frame), "image")
        errors_console().print(
            f"[yellow]No cell was found in {told}: their features are empty.[/]",
            highlight=False,
        )
    typer.echo(f"Features of {counted(len(found.frame), 'cell')}: {out}")
    report_bad(found.bad, len(found.frame), out, allow_bad)


def _write(frame: pd.DataFrame, out: Path) -> None:
    from buffycoat.images import writing
    from buffycoat.tables import write_csv

    if out.suffix.lower() != ".parquet":
        write_csv(out, frame)
        return
    with writing(out) as part:
        frame.to_parquet(part, index=False)
