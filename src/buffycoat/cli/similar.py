"""`buffycoat similar`: the cells of a folder, or of the training, that look most like one cell."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.cache import embeddings_cache
from buffycoat.cli.console import errors_console, print_bad_cells, results_console
from buffycoat.cli.output import check_file
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, LeaveOut, print_statement
from buffycoat.errors import ManifestError, OutputError
from buffycoat.plurals import counted

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from buffycoat.cells import Manifest
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.predict.similar import Found


def similar(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    cell: Annotated[Path, typer.Argument(help="Image of one cell.", show_default=False)],
    within: Annotated[
        Path | None,
        typer.Option(
            "--in",
            help="Folder of images or table of cells to search; without it, the bundle's training "
            "cells, of which it holds names and labels but no images.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With --in, and needed there: contact sheet, .png; OUT.csv has the same as a "
            "table. Without: the table, .csv.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV with ID,labels of the cells, where IN has none.")
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            help="How a folder IN lies; with kaggle, hugging_face, folders or auto its labels are "
            "shown."
        ),
    ] = "images",
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
    count: Annotated[int, typer.Option(min=1, max=99, help="Cells to show.")] = 14,
    um_per_px: Annotated[
        float | None,
        typer.Option(
            help="Micrometres that one pixel of CELL is wide, for a bundle that frames by scale; "
            "of the cells of IN it is in the column um_per_px of their table."
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps embeddings for the next search; default: "
                          "buffycoat's folder in the user's cache."),
    ] = None,
) -> None:  # fmt: skip
    """Show the cells that look most like one cell.

    Cells are compared by the bundle's frozen encoder, as they are. Copies of the cell's own file
    are left out. No image leaves the folder: the sheet is drawn from the files that lie there.

    Example: `buffycoat similar starter cell.png --in archive/ --out sheet.png`

    Among the training cells: `buffycoat similar starter cell.png`
    """
    if within is None:
        _search_bundle(bundle, cell, out, count, um_per_px)
        return
    if out is None:
        raise OutputError("--in makes a contact sheet: say where it goes, --out sheet.png")
    check_file(out, (".png",), cell, within, labels)

    from buffycoat.images import decode, read_bytes
    from buffycoat.sources.options import Reading
    from buffycoat.sources.read import read

    data = read_bytes(str(cell))
    photograph = decode(data, str(cell))
    reading = Reading(labels_from=labels_from, leave_out=tuple(leave_out or ()))
    manifest = read(within, layout if within.is_dir() else "auto", reading)
    print_statement(manifest)
    known = _labels(manifest, labels)

    from buffycoat.predict.predictor import Pipeline
    from buffycoat.predict.similar import find_similar

    pipeline = Pipeline.load(bundle)
    verdict = _verdict(pipeline, photograph, cell, um_per_px)
    with make_reporter() as reporter:
        found = find_similar(
            photograph,
            hashlib.sha256(data).hexdigest(),
            manifest,
            pipeline.fitted,
            count,
            embeddings_cache(cache),
            reporter,
            um_per_px,
        )
    if not len(found.rows):
        raise ManifestError(
            f"{within}: no cell to compare with: none can be read, or all are copies"
        )
    table = _table(found, manifest, known)
    _write(table, photograph, cell.stem, verdict, found.n_searched, out)
    _print(table, f"{cell.name}: {verdict}; nearest of {counted(found.n_searched, 'cell')}")
    console = results_console()
    if len(found.copies):
        console.print(f"Left out as copies of the cell's file: {len(found.copies)}")
    console.print(
        f"Contact sheet: {escape(str(out))}; table: {escape(str(out))}.csv", soft_wrap=True
    )
    if found.bad:
        print_bad_cells([(one.cell_id, one.path, one.reason) for one in found.bad])


def _search_bundle(
    bundle: str, cell: Path, out: Path | None, count: int, um_per_px: float | None
) -> None:
    if out is not None:
        check_file(out, (".csv",))
    import pandas as pd

    from buffycoat.images import read
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.predict.similar import find_remembered
    from buffycoat.tables import write_csv

    photograph = read(str(cell))
    pipeline = Pipeline.load(bundle)
    verdict = _verdict(pipeline, photograph, cell, um_per_px)
    matches = find_remembered(photograph, pipeline.fitted, count, um_per_px)
    table = pd.DataFrame(
        {
            "rank": range(1, len(matches) + 1),
            "cell_id": [match.cell_id for match in matches],
            "label": [pipeline.taxonomy.codes[match.column] for match in matches],
            "similarity": [round(match.similarity, 4) for match in matches],
        }
    )
    n_known = len(pipeline.fitted.gallery.cell_ids)
    _print(table, f"{cell.name}: {verdict}; nearest of {n_known} training cells")
    if out is not None:
        write_csv(out, table)
        results_console().print(f"Table: {escape(str(out))}", soft_wrap=True)


def _verdict(
    pipeline: Pipeline, photograph: np.ndarray, cell: Path, um_per_px: float | None
) -> str:
    """The predicted class of the cell, after the notice that must come first.

    Raises:
        ConfigError: A scale is given that the bundle does not look at, or that cannot be.
    """
    from buffycoat.images import check_framing

    check_framing(um_per_px, pipeline.fitted.config.images, "--um-per-px")
    if pipeline.notice:
        errors_console().print(f"[yellow]{escape(pipeline.notice)}[/]", highlight=False)
    said = pipeline.predict([photograph], [cell.stem], um_per_px=um_per_px)[0]
    return f"{said.label} {said.probability:.2f}"


def _labels(manifest: Manifest, labels: Path | None) -> list[str]:
    """Label of each row of the manifest, "" where none is known."""
    if labels is None:
        return manifest.frame["label"].fillna("").astype(str).tolist()
    from buffycoat.tables.labels import join, read_labels

    cell_ids = manifest.frame["cell_id"].astype(str).tolist()
    given = read_labels(labels, known=cell_ids)
    stated, _ = join(labels, given, cell_ids, "the cells that are searched", "is not searched")
    return [stated.get(cell_id, "") for cell_id in cell_ids]


def _table(found: Found, manifest: Manifest, known: list[str]) -> pd.DataFrame:
    frame = manifest.frame.iloc[found.rows]
    import pandas as pd

    return pd.DataFrame(
        {
            "rank": range(1, len(found.rows) + 1),
            "cell_id": frame["cell_id"].astype(str).tolist(),
            "label": [known[row] for row in found.rows],
            "similarity": found.similarity.round(4),
            "path": frame["path"].astype(str).tolist(),
        }
    )


def _write(
    table: pd.DataFrame, photograph: np.ndarray, name: str, verdict: str, n_searched: int, out: Path
) -> None:
    from buffycoat.images import read, write_png
    from buffycoat.report.similar_sheet import Neighbour, draw_similar_sheet
    from buffycoat.tables import write_csv

    neighbours = [
        Neighbour(row["cell_id"], read(row["path"]), row["label"], row["similarity"])
        for row in table.to_dict("records")
    ]
    write_png(out, draw_similar_sheet(name, photograph, verdict, neighbours, n_searched))
    write_csv(Path(f"{out}.csv"), table)


def _print(table: pd.DataFrame, title: str) -> None:
    from rich.table import Table

    shown = Table(title=escape(title), title_justify="left")
    for column in ("rank", "label", "similarity", "cell"):
        shown.add_column(column, justify="right" if column in ("rank", "similarity") else "left")
    for row in table.to_dict("records"):
        label, likeness = escape(row["label"] or "-"), f"{row['similarity']:.3f}"
        shown.add_row(str(row["rank"]), label, likeness, escape(row["cell_id"]))
    console = results_console()
    console.print(shown)
    counts = Counter(label for label in table["label"] if label)
    if counts:
        told = ", ".join(f"{n} {label}" for label, n in counts.most_common())
        console.print(f"Labels among them: {told}", highlight=False, markup=False)
