"""`buffycoat differential BUNDLE FIELDS`: from photographs of fields to figures and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from buffycoat.cli import count as counting
from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.errors import EXIT_FINDINGS
from buffycoat.cli.find import print_found
from buffycoat.cli.output import check_folder
from buffycoat.cli.prior import check_prior
from buffycoat.cli.progress import make_reporter
from buffycoat.errors import BadCellsError
from buffycoat.plurals import some_of

if TYPE_CHECKING:
    from buffycoat.cli.field_pictures import Results
    from buffycoat.evaluate.counting import Counting, Differential
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.predict.table import Predicted

CELLS = "cells"
"""Folder of crops and tables, as `find` writes it."""
PREDICTIONS, FIGURES = "predictions.parquet", "differential.csv"


@dataclass(frozen=True)
class Finding:
    """How cells are found and classified.

    Attributes:
        um_per_px: Micrometres that a pixel is wide; None measures it.
        prior: Class mix to assume; None for the bundle's.
        allow_bad: Fields that may be unusable.
    """

    um_per_px: float | None
    prior: str | None
    allow_bad: int


def count_fields(
    bundle: str,
    fields: Path,
    out: Path,
    asked: Counting,
    finding: Finding,
    caveat: str | None = None,
) -> None:
    """Find, classify, count and draw the cells of fields; what is done stays done.

    Args:
        bundle: Folder of a trained bundle, or "starter".
        fields: Folder of photographs, or one.
        out: Folder of results.
        asked: How to count.
        finding: How to find.
        caveat: What must be read before the figures.

    Raises:
        BadCellsError: More fields than allowed cannot be used; the others are counted.
        OutputError: Another command writes into the folder, or it cannot be written.
    """
    check_prior(finding.prior)
    from buffycoat.api.fields import find_cells
    from buffycoat.cli.field_pictures import PAGE, Results
    from buffycoat.fields.folder import list_fields
    from buffycoat.fields.tables import BAD, check_places
    from buffycoat.images import only_writer
    from buffycoat.predict.predictor import Pipeline

    check_places(fields, out, finding.um_per_px)
    list_fields(fields)  # where there are none, nothing else is said
    pipeline = Pipeline.load(bundle)
    pipeline.fitted.prior(finding.prior)  # a mix that is wrong is refused before any work
    if pipeline.notice:
        errors_console().print(f"[yellow]{escape(pipeline.notice)}[/]", highlight=False)
    check_folder(out)
    with only_writer(out):
        with make_reporter() as reporter:
            outcome, places = find_cells(fields, out / CELLS, reporter, finding.um_per_px)
        print_found(outcome, out / CELLS)
        results = Results(fields.resolve().stem, places, outcome, out)
        found = None
        if any(row["kind"] == "cell" for row in outcome.cells):
            found = _classify_and_count(pipeline, bundle, results, asked, finding.prior, caveat)
        else:
            for name in (PREDICTIONS, FIGURES, PAGE):  # of an earlier run over other fields
                (out / name).unlink(missing_ok=True)
    if len(outcome.bad) > finding.allow_bad:
        raise BadCellsError(
            f"{some_of(len(outcome.bad), len(places), 'field')} could not be used, more than "
            "--allow-bad "
            f"{finding.allow_bad}. The others are counted; the list is in {out / CELLS / BAD}",
            outcome.bad,
        )
    if found is None:
        errors_console().print("[bold red]No differential:[/] no white cell was found.")
        raise typer.Exit(EXIT_FINDINGS)
    counting.fail_without_figures(found)


def _classify_and_count(
    pipeline: Pipeline,
    bundle: str,
    results: Results,
    asked: Counting,
    prior: str | None,
    caveat: str | None,
) -> Differential:
    """Predictions, figures and pictures of cells that were found."""
    from buffycoat.cli.field_pictures import PAGE, draw_overlays, write_page
    from buffycoat.evaluate.counting import count
    from buffycoat.predict.table import predict_table
    from buffycoat.sources.read import read

    out = results.out
    cells = read(out / CELLS, "images")
    with make_reporter() as reporter:
        done = predict_table(pipeline, bundle, cells, out / PREDICTIONS, reporter, prior)
    if caveat is not None:
        results_console().print(caveat, style="yellow", highlight=False, soft_wrap=True)
    warnings = [caveat] if caveat is not None else []
    warnings += _say_doubt(pipeline, bundle, done, out / CELLS)
    found = count(out / PREDICTIONS, asked)
    counting.show(found, asked, is_of_fields=True)
    counting.write(found, out / FIGURES)
    with make_reporter() as reporter:
        draw_overlays(results, found, pipeline.taxonomy, reporter)
    write_page(results, found, pipeline, asked, warnings)
    for what, name in (("Figures", FIGURES), ("Page", PAGE), ("Predictions", PREDICTIONS)):
        typer.echo(f"{what}: {out / name}")
    return found


def _say_doubt(pipeline: Pipeline, bundle: str, done: Predicted, cells: Path) -> list[str]:
    """Print the cells of each class and those that need a look.

    Returns:
        What differs from the training cells, printed too.
    """
    from buffycoat.cli.predict import print_summary
    from buffycoat.predict import unfamiliar

    names = {cell.code: cell.name for cell in pipeline.taxonomy.classes}
    print_summary(done.counts, names, is_whole=True)
    texts = unfamiliar.sentences(done.looks, pipeline.fitted, done.counts, bundle, cells)
    for text in texts:
        errors_console().print(f"[yellow]{escape(text)}[/]", highlight=False, soft_wrap=True)
    return texts
