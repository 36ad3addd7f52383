"""`buffycoat demo`: the whole way on drawn cells, with a training or without one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from buffycoat.cli.console import results_console
from buffycoat.cli.demo_review import Shown, open_review
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter
from buffycoat.plurals import counted

if TYPE_CHECKING:
    from buffycoat.progress import Reporter

EVAL_PER_CLASS = 12
TEST_PER_CLASS = 8
SIZE_PX = 160
SEED = 0
CAVEAT = (
    "These cells are drawn, and drawings are easy: the scores show that everything works, and say "
    "nothing about blood."
)
TEST_IMAGES = Path("phase2", "test")
"""Where `simulate.render.render_benchmark` draws the test cells."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the cells, the run and the report.")] = Path(
        "buffycoat-demo"
    ),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="No training: count the cells of drawn fields with the starter bundle."
        ),
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no page.")] = False,
) -> None:
    """Draw a long-tailed set of cells, train on it, predict, and write a report.

    Needs no data and no network; takes some minutes on two cores, and under one with --quick.
    Drawn cells are no photographs: the figures say that everything works, nothing about blood.
    Ends with the report; on a terminal with a display, the review page opens on the cells.

    Example: `buffycoat demo --out buffycoat-demo`
    """
    from buffycoat.images import only_writer

    check_folder(out)
    with only_writer(out):
        if quick:
            from buffycoat.cli.demo_quick import count_drawn_fields

            shown = count_drawn_fields(out)
        else:
            shown = _train(out)
    open_review(shown, is_wanted=not no_browser)


def _train(out: Path) -> Shown:
    """Draw, train, predict the test cells, and print where everything is."""
    import pandas as pd

    from buffycoat import config
    from buffycoat.cli.tables import print_metrics
    from buffycoat.learn import train
    from buffycoat.predict.columns import AS_SUBMITTED, file_name
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.predict.table import predict_table
    from buffycoat.sources.read import read
    from buffycoat.tables import write_csv

    cells, submission, table = out / "cells", out / "test.csv", out / "test.parquet"
    settings = config.load("demo")
    with make_reporter() as reporter:
        if not cells.exists():  # it appears only when it is complete
            _render(cells, reporter)
        result = train.train(cells, out / "run", settings, reporter)
        pipeline, test = Pipeline.load(result.bundle), read(cells).of_split("test")
        predict_table(pipeline, str(result.bundle), test, table, reporter)
    found = pd.read_parquet(table, columns=["cell_id", "label"])
    named = zip(map(file_name, found["cell_id"]), found["label"], strict=True)
    write_csv(submission, pd.DataFrame(named, columns=list(AS_SUBMITTED)))
    console = results_console()
    console.print(CAVEAT, style="yellow", highlight=False, soft_wrap=True)
    print_metrics(result.metrics)
    for what, path in (
        ("Predictions of the test cells", submission),
        ("Bundle", result.bundle),
        ("Report", result.report.resolve()),
    ):
        console.print(f"{what}: {path}", soft_wrap=True, highlight=False, markup=False)
    return Shown(table, cells / TEST_IMAGES)


def _render(cells: Path, reporter: Reporter) -> None:
    from buffycoat.simulate import render

    reporter.start("render", "a long-tailed benchmark of drawn cells")
    rows = render.render_benchmark(
        cells,
        train_counts=render.LONG_TAIL_COUNTS,
        eval_per_class=EVAL_PER_CLASS,
        test_per_class=TEST_PER_CLASS,
        seed=SEED,
        size_px=SIZE_PX,
        on_progress=reporter.advance,
    )
    reporter.finish(counted(len(rows), "cell"))
