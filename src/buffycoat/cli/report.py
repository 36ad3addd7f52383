"""`buffycoat report`: the page of a run, made again from what the run left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import results_console
from buffycoat.cli.output import check_file
from buffycoat.cli.progress import make_reporter


def report(
    run: Annotated[
        Path, typer.Argument(help="Folder that `buffycoat train --out` wrote.", show_default=False)
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Where pictures of cells are; default: where they lay in training."),
    ] = None,
    layout: Annotated[
        str, typer.Option(help="How the data lies: auto, kaggle, hugging_face, folders or table.")
    ] = "auto",
    audit: Annotated[
        Path | None,
        typer.Option(
            help="The audit.json of `buffycoat audit --out`; default: RUN/audit.json, if there."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The page, .html; default: RUN/report.html.")
    ] = None,
) -> None:
    """Make the report of a run: one page that opens offline, and its tables as CSV beside it.

    Nothing is trained or scored again. The page opens with the verdict, a map of the cells, the
    confused cells and a contact sheet of each class. Each figure names its table. A page with
    pictures is not replaced by one without any, and an audit of other cells is refused.

    Example: `buffycoat report runs/mine --data cells/ --out mine.html`
    """
    target = out or run / "report.html"

    from buffycoat.bundle import files
    from buffycoat.learn import run_folder
    from buffycoat.learn.report import make_report
    from buffycoat.sources.read import read

    left = run_folder.read(run, audit)
    check_file(target, (".html",))
    with make_reporter() as reporter:
        reporter.start("report", str(run))
        kept = run_folder.reading(run)
        manifest = None if data is None else read(data, layout, kept)
        fitted = files.read(run / run_folder.BUNDLE)
        is_better_bare = data is None and not target.exists()
        tables = make_report(fitted, left, target, manifest, reporter, not is_better_bare)
        reporter.finish(f"{target.stat().st_size / 1e6:.1f} MB")
    console = results_console()
    console.print(f"Report: {escape(str(target))}", soft_wrap=True)
    console.print(f"Tables: {escape(str(tables))}", soft_wrap=True)
