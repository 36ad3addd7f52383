"""`buffycoat predict`: names for cells, with evidence and doubt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, print_bad_cells
from buffycoat.cli.output import check_file
from buffycoat.cli.prior import Prior, check_prior
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import print_statement
from buffycoat.errors import BadCellsError, ManifestError

if TYPE_CHECKING:
    from buffycoat.cells import Manifest
    from buffycoat.images import BadCell
    from buffycoat.pipeline.predictor import PredictionSet


def predict(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    images: Annotated[
        Path, typer.Argument(help="Folder of images, one image, or a table of cells.")
    ],
    out: Annotated[
        Path, typer.Option(help=".csv: ID,labels as WBCBench takes it. .parquet: all columns.")
    ],
    allow_bad: Annotated[
        int, typer.Option(min=0, help="Exit with 0 if at most so many images are unreadable.")
    ] = 0,
    prior: Prior = None,
    split: Annotated[
        str | None,
        typer.Option(help="IMAGES is a data set: predict its split train, eval or test."),
    ] = None,
) -> None:
    """Name every cell of a folder, with its probability and the reasons.

    A folder is searched at any depth. What cannot be read is listed with its reason in
    OUT.bad.csv; the other cells are written in any case.

    Example: `buffycoat predict starter cells/ --out cells.csv`
    """
    check_file(out, (".csv", ".parquet"), images)
    check_prior(prior)

    manifest = cells_of(images, split)

    from buffycoat.pipeline.predictor import Pipeline

    pipeline = Pipeline.load(bundle)
    pipeline.fitted.prior(prior)  # a mix that is wrong is refused before anything is decoded
    if pipeline.notice:
        errors_console().print(f"[yellow]{escape(pipeline.notice)}[/]", highlight=False)
    with make_reporter() as reporter:
        result = pipeline.predict_manifest(
            manifest, reporter=reporter, allow_bad=len(manifest), prior=prior
        )
    write_predictions(result, out)

    from buffycoat.cli.tables import print_counts

    names = {cell.code: cell.name for cell in pipeline.taxonomy.classes}
    print_counts(result.frame["label"].value_counts().to_dict(), names)
    typer.echo(f"Predictions: {out}")
    report_bad(result.bad, len(result.predictions), out, allow_bad)


def write_predictions(result: PredictionSet, out: Path) -> None:
    """Write predictions whole or not at all, and the unreadable cells beside them.

    Args:
        result: What the pipeline gave.
        out: A .csv file (ID,labels) or a .parquet file (all columns). `OUT.bad.csv` is written if
            there are unreadable cells, and an older one is removed if there are none.
    """
    import pandas as pd

    from buffycoat.images import writing
    from buffycoat.tables import write_csv

    if out.suffix.lower() == ".parquet":
        with writing(out) as part:
            result.frame.to_parquet(part, index=False)
    else:
        cells = result.frame
        write_csv(out, pd.DataFrame({"ID": cells["cell_id"], "labels": cells["label"]}))
    write_bad(result.bad, out)


def write_bad(bad: Sequence[BadCell], out: Path) -> None:
    """List unreadable cells beside a result file; without any, an older list is removed."""
    import pandas as pd

    from buffycoat.tables import write_csv

    if not bad:
        bad_file(out).unlink(missing_ok=True)
        return
    rows = [(cell.cell_id, cell.path, cell.reason) for cell in bad]
    write_csv(bad_file(out), pd.DataFrame(rows, columns=["ID", "path", "reason"]))


def bad_file(out: Path) -> Path:
    """Where the unreadable cells of a result file are listed."""
    return out.with_name(out.name + ".bad.csv")


def cells_of(images: Path, split: str | None) -> Manifest:
    """The cells that a command is given: a folder, one image, a table, or a split of a data set.

    Raises:
        ManifestError: No cell is of that split.
    """
    from buffycoat.sources.read import read

    cells = read(images, "images" if split is None and images.is_dir() else "auto")
    print_statement(cells)
    if split is None:
        return cells
    chosen = cells.of_split(split)
    if not len(chosen):
        has = cells.frame["split"].value_counts().to_dict()
        known = ", ".join(f"{name} ({count})" for name, count in has.items())
        raise ManifestError(f"{images}: no cells of split {split!r}; it has {known}")
    return chosen


def report_bad(bad: Sequence[BadCell], n_good: int, out: Path, allow_bad: int) -> None:
    """List unreadable cells, and fail if there are more than allowed.

    Raises:
        BadCellsError: There are.
    """
    if not bad:
        return
    rows = [(cell.cell_id, cell.path, cell.reason) for cell in bad]
    if len(rows) <= allow_bad:
        print_bad_cells(rows)
        return
    raise BadCellsError(
        f"{len(rows)} of {len(rows) + n_good} cells could not be read, more than "
        f"--allow-bad {allow_bad}. The others are in {out}; the list is in {bad_file(out)}",
        rows,
    )
