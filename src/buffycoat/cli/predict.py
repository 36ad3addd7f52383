"""`buffycoat predict`: classes of cells, with evidence and doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.api.cells import of_split
from buffycoat.cli.console import errors_console, print_bad_cells
from buffycoat.cli.crop import cells_of_boxes
from buffycoat.cli.optimise import Mix, Optimise, check_optimise
from buffycoat.cli.output import check_file, check_folder
from buffycoat.cli.prior import Prior, check_prior
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, LeaveOut, print_statement
from buffycoat.errors import BadCellsError, OutputError
from buffycoat.optional import require
from buffycoat.plurals import some_of
from buffycoat.predict.columns import (
    AS_SUBMITTED,
    DEFAULT,
    check_file_names,
    choose_columns,
    file_name,
)

if TYPE_CHECKING:
    from buffycoat.cells import Manifest
    from buffycoat.fuse.label_rule import LabelRule
    from buffycoat.images import BadCell
    from buffycoat.predict.results import Counts

SUFFIXES = (".csv", ".parquet")


class Engine(StrEnum):
    """Who shares out the parts of a prediction."""

    LOCAL = "local"
    RAY = "ray"


def predict(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    images: Annotated[
        Path, typer.Argument(help="Folder of images, one image, or a table of cells.")
    ],
    out: Annotated[
        Path,
        typer.Option(help=".csv, .parquet, or a folder for a Parquet table in parts."),
    ],
    columns: Annotated[
        str | None,
        typer.Option(
            help="label (ID,labels as WBCBench takes it; default of a .csv), doubt (adds "
            "probability, conformal_set, is_abstained and reasons), all (default otherwise), or "
            "names of columns, separated by commas. What no column asks for is not computed."
        ),
    ] = None,
    allow_bad: Annotated[
        int, typer.Option(min=0, help="Exit with 0 if at most so many images are unreadable.")
    ] = 0,
    prior: Prior = None,
    optimise: Optimise = None,
    mix: Mix = None,
    split: Annotated[
        str | None,
        typer.Option(help="IMAGES is a data set: predict its split train, eval or test."),
    ] = None,
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; by default one a CPU, or one alone for few cells."),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help="ray: side by side on the machines of the Ray cluster that RAY_ADDRESS names, or "
            "on this one (extra `scale`). The results are the same."
        ),
    ] = Engine.LOCAL,
) -> None:
    """Classify every cell of a folder, with its probability and the reasons.

    A folder is searched at any depth; fields of view with boxes (COCO, YOLO, Pascal VOC) are cut
    into cells first, in OUT-cells. What cannot be read is listed with its reason in
    OUT.bad.csv; the other cells are written in any case. The summary says how many cells a person
    should look at and why: low probability, unlike the training cells, no cell found, or an outline
    that is not reliable. They are written too; is_abstained marks them.

    Some cells are compared with the training cells first. If they look like those of another
    laboratory, stricter limits apply to all, and the summary says what differs and what to do.
    Predict cells of several laboratories one by one, or name them in a column `site` of the table.

    Results are kept in parts as they come (in OUT.parts until all are there): killed, the same
    command goes on. Millions of cells, and several machines: docs/scale.md.

    Example: `buffycoat predict starter cells/ --out cells.csv --columns doubt`

    Labels for the best macro-F1 on blood like the training's:
    `buffycoat predict starter cells/ --out cells.csv --optimise macro-f1`
    """
    if engine is Engine.RAY:
        require("ray", extra="scale")
    is_folder = not out.suffix
    if is_folder:
        check_folder(out)
    else:
        check_file(out, SUFFIXES, images)
    if images.is_dir() and images.resolve() in (out / "x").resolve().parents:
        raise OutputError(
            f"--out {out}: lies among the images, where it would be read as their labels. Choose a "
            "place outside"
        )
    check_prior(prior)
    check_optimise(optimise, mix)
    cells, leave_out = cells_of_boxes(images, out.with_name(f"{out.stem}-cells"), leave_out)
    manifest = cells_of(cells, split, labels_from, leave_out)

    import pyarrow as pa

    from buffycoat.batch import ray_engine
    from buffycoat.predict import local, results, unfamiliar
    from buffycoat.predict.cells_file import remove_cells
    from buffycoat.predict.needs import needs_of
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.predict.table import begun

    pipeline = Pipeline.load(bundle)
    pipeline.fitted.prior(prior)  # a mix that is wrong is refused before anything is decoded
    if optimise is not None:
        pipeline = pipeline.optimising(optimise, mix or "train")
    is_csv = out.suffix.lower() == ".csv"
    shown = pipeline.columns(manifest)
    chosen = choose_columns(columns or (DEFAULT if is_csv else "all"), shown)
    if is_csv:
        check_file_names(manifest.frame["cell_id"], chosen)
    if pipeline.notice:
        errors_console().print(f"[yellow]{escape(pipeline.notice)}[/]", highlight=False)
    wanted = ["cell_id", "label", *chosen]
    folder = out if is_folder else _parts(out)
    # A folder keeps what the summary counts, so that must be whole there.
    with begun(folder, manifest, pipeline, wanted, prior, counts_too=is_folder) as (job, looks):
        del manifest
        pa.default_memory_pool().release_unused()
        with make_reporter() as reporter:
            if engine is Engine.RAY:
                ray_engine.run(job, reporter, bundle, workers)
            else:
                local.run(job, pipeline.fitted, reporter, bundle, workers)
        remove_cells(job)
        counts, bad = results.count(job), tuple(job.bad())
        if is_csv:
            results.write_csv(job, out, [*AS_SUBMITTED, *chosen], ["cell_id", "label", *chosen])
        elif not is_folder:
            results.write_parquet(job, out, [name for name in shown if name in wanted])
        write_bad(bad, out)
        if not is_folder:
            results.remove(job)
    names = {cell.code: cell.name for cell in pipeline.taxonomy.classes}
    print_summary(counts, names, needs_of(job.task.asked, pipeline.fitted).outlines)
    rule = pipeline.fitted.rule_at(prior)
    if rule is not None:
        typer.echo(moved(rule, counts))
    for sentence in unfamiliar.sentences(looks, pipeline.fitted, counts, bundle, cells):
        errors_console().print(f"[yellow]{escape(sentence)}[/]", highlight=False, soft_wrap=True)
    typer.echo(f"Predictions: {out}{'' if 'is_abstained' in wanted else HOW_TO_SEE_DOUBT}")
    report_bad(bad, counts.n_cells, out, allow_bad)


def moved(rule: LabelRule, counts: Counts) -> str:
    """What labels maximise, and how many moved for it."""
    how = f" ({rule.origin})" if rule.origin else ""
    return (
        f"Labels maximise {rule.words}{how}: {counts.n_moved} of {counts.n_cells} are not the "
        "most probable class (is_moved). Probabilities and prediction sets are as without it."
    )


HOW_TO_SEE_DOUBT = " (without doubt; --columns doubt adds it)"


def _parts(out: Path) -> Path:
    return out.with_name(f"{out.name}.parts")


def print_summary(counts: Counts, names: Mapping[str, str], is_whole: bool) -> None:
    """Cells of each class, how many need a look and why; and a warning where most do.

    Args:
        counts: Of all predictions.
        names: Code -> full name.
        is_whole: Whether every reason for a look was looked for.
    """
    from buffycoat.cli.doubtful import MOSTLY_DOUBTFUL, is_mostly_doubtful, summary
    from buffycoat.cli.tables import print_counts

    print_counts(counts.labels, names, counts.doubtful)
    for sentence in summary(counts, is_whole):
        typer.echo(sentence)
    if is_mostly_doubtful(counts):
        errors_console().print(f"[yellow]{escape(MOSTLY_DOUBTFUL)}[/]", highlight=False)


def write_bad(bad: Sequence[BadCell], out: Path) -> None:
    """List unreadable cells beside a result; without any, an older list is removed."""
    import pandas as pd

    from buffycoat.tables import write_csv

    if not bad:
        bad_file(out).unlink(missing_ok=True)
        return
    rows = [(file_name(cell.cell_id), cell.path, cell.reason) for cell in bad]
    write_csv(bad_file(out), pd.DataFrame(rows, columns=["ID", "path", "reason"]))


def bad_file(out: Path) -> Path:
    """Where the unreadable cells of a result are listed: beside it, as a folder is one table."""
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

    needs_labels = split is not None or bool(leave_out)
    reading = Reading(
        labels_from=labels_from, leave_out=tuple(leave_out or ()), needs_labels=needs_labels
    )
    cells = read(images, "images" if split is None and images.is_dir() else "auto", reading)
    print_statement(cells)
    return cells if split is None else of_split(cells, split, images)


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
        typer.echo(f"The same as a table: {bad_file(out)}", err=True)
        return
    raise BadCellsError(
        f"{some_of(len(rows), len(rows) + n_good, 'cell')} could not be read, more than "
        f"--allow-bad {allow_bad}. The others are in {out}; the list is in {bad_file(out)}",
        rows,
    )
