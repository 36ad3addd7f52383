"""`buffycoat predict`: classes of cells, with evidence and doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.columns import AS_SUBMITTED, DEFAULT, choose_columns
from buffycoat.cli.console import errors_console, print_bad_cells
from buffycoat.cli.output import check_file
from buffycoat.cli.prior import Prior, check_prior
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, LeaveOut, print_statement
from buffycoat.errors import BadCellsError, ConfigError, ManifestError, OutputError

if TYPE_CHECKING:
    from buffycoat.cells import Manifest
    from buffycoat.images import BadCell
    from buffycoat.predict.predictor import PredictionSet


def predict(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    images: Annotated[
        Path, typer.Argument(help="Folder of images, one image, or a table of cells.")
    ],
    out: Annotated[Path, typer.Option(help=".csv: as --columns says. .parquet: all columns.")],
    columns: Annotated[
        str | None,
        typer.Option(
            help="Of a .csv: label (ID,labels as WBCBench takes it; default), doubt (adds "
            "probability, conformal_set, is_abstained and reasons), all, or names of columns, "
            "separated by commas."
        ),
    ] = None,
    allow_bad: Annotated[
        int, typer.Option(min=0, help="Exit with 0 if at most so many images are unreadable.")
    ] = 0,
    prior: Prior = None,
    split: Annotated[
        str | None,
        typer.Option(help="IMAGES is a data set: predict its split train, eval or test."),
    ] = None,
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
) -> None:
    """Classify every cell of a folder, with its probability and the reasons.

    A folder is searched at any depth. What cannot be read is listed with its reason in
    OUT.bad.csv; the other cells are written in any case. The summary says how many cells a person
    should look at and why: low probability, unlike the training cells, no cell found, or an outline
    that is not reliable. They are written too; is_abstained marks them.

    Example: `buffycoat predict starter cells/ --out cells.csv --columns doubt`
    """
    check_file(out, (".csv", ".parquet"), images)
    if images.is_dir() and images.resolve() in out.resolve().parents:
        raise OutputError(
            f"--out {out}: lies among the images, where it would be read as their labels. Choose a "
            "place outside"
        )
    check_prior(prior)
    if columns is not None and out.suffix.lower() == ".parquet":
        raise ConfigError(f"--columns is for .csv files, and {out} has all columns: leave it out")

    manifest = cells_of(images, split, labels_from, leave_out)

    from buffycoat.predict.predictor import Pipeline

    pipeline = Pipeline.load(bundle)
    pipeline.fitted.prior(prior)  # a mix that is wrong is refused before anything is decoded
    chosen = choose_columns(columns or DEFAULT, pipeline.columns(manifest))
    if pipeline.notice:
        errors_console().print(f"[yellow]{escape(pipeline.notice)}[/]", highlight=False)
    with make_reporter() as reporter:
        result = pipeline.predict_manifest(
            manifest, reporter=reporter, allow_bad=len(manifest), prior=prior
        )
    write_predictions(result, out, chosen)
    names = {cell.code: cell.name for cell in pipeline.taxonomy.classes}
    print_summary(result, names)
    typer.echo(f"Predictions: {out}{_how_to_see_doubt(out, chosen)}")
    report_bad(result.bad, len(result.predictions), out, allow_bad)


def print_summary(result: PredictionSet, names: Mapping[str, str]) -> None:
    """Cells of each class, how many need a look and why; and a warning where most do.

    Args:
        result: What the pipeline gave.
        names: Code -> full name.
    """
    from buffycoat.cli.doubtful import MOSTLY_DOUBTFUL, is_mostly_doubtful, summary
    from buffycoat.cli.tables import print_counts

    frame = result.frame
    doubtful = frame.loc[frame["is_abstained"], "label"].value_counts().to_dict()
    print_counts(frame["label"].value_counts().to_dict(), names, doubtful)
    for sentence in summary(frame, len(result.bad)):
        typer.echo(sentence)
    if is_mostly_doubtful(frame):
        errors_console().print(f"[yellow]{escape(MOSTLY_DOUBTFUL)}[/]", highlight=False)


def _how_to_see_doubt(out: Path, columns: Sequence[str]) -> str:
    if out.suffix.lower() == ".parquet" or "is_abstained" in columns:
        return ""
    return " (without doubt; --columns doubt adds it)"


def write_predictions(
    result: PredictionSet, out: Path, columns: Sequence[str] = tuple(AS_SUBMITTED)
) -> None:
    """Write predictions whole or not at all, and the unreadable cells beside them.

    Args:
        result: What the pipeline gave.
        out: A .csv file (the given columns) or a .parquet file (all columns). `OUT.bad.csv` is
            written if there are unreadable cells, and an older one is removed if there are none.
        columns: Of the .csv file, from `choose_columns`.
    """
    from buffycoat.images import writing
    from buffycoat.tables import write_csv

    if out.suffix.lower() == ".parquet":
        with writing(out) as part:
            result.frame.to_parquet(part, index=False)
    else:
        write_csv(out, result.frame.loc[:, list(columns)].rename(columns=AS_SUBMITTED))
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


def cells_of(
    images: Path,
    split: str | None,
    labels_from: str = "auto",
    leave_out: Sequence[str] | None = None,
) -> Manifest:
    """The cells that a command is given: a folder, one image, a table, or a split of a data set.

    Raises:
        ManifestError: No cell is of that split.
    """
    from buffycoat.sources.options import Reading
    from buffycoat.sources.read import read

    reading = Reading(labels_from=labels_from, leave_out=tuple(leave_out or ()))
    cells = read(images, "images" if split is None and images.is_dir() else "auto", reading)
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
