"""`buffycoat demo`: the whole pipeline on rendered cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from buffycoat.cli.console import results_console
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter

if TYPE_CHECKING:
    from buffycoat.progress import Reporter

EVAL_PER_CLASS = 12
TEST_PER_CLASS = 8
SIZE_PX = 160
SEED = 0


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the cells, the run and the report.")] = Path(
        "buffycoat-demo"
    ),
) -> None:
    """Render a long-tailed set of cells, train on it, predict, and write a report.

    Needs no data and no network; takes some minutes on two cores. Rendered cells are drawings:
    the figures say that the pipeline works, nothing about blood.

    Example: `buffycoat demo --out buffycoat-demo`
    """
    check_folder(out)

    import pandas as pd

    from buffycoat import config
    from buffycoat.cli.tables import print_metrics
    from buffycoat.learn import train
    from buffycoat.predict import predictor
    from buffycoat.predict.columns import AS_SUBMITTED, file_name
    from buffycoat.sources.read import read
    from buffycoat.tables import write_csv

    cells, predictions = out / "cells", out / "test.csv"
    settings = config.load("demo")
    with make_reporter() as reporter:
        if not cells.exists():  # it appears only when it is complete
            _render(cells, reporter)
        result = train.train(cells, out / "run", settings, reporter)
        test = read(cells).of_split("test")
        predicted = predictor.Pipeline.load(result.bundle).predict_manifest(test, reporter=reporter)
    named = zip(map(file_name, predicted.frame["cell_id"]), predicted.frame["label"], strict=True)
    write_csv(predictions, pd.DataFrame(named, columns=list(AS_SUBMITTED)))
    print_metrics(result.metrics)
    console = results_console()
    for what, path in (
        ("Predictions of the test cells", predictions),
        ("Bundle", result.bundle),
        ("Report", result.report.resolve()),
    ):
        console.print(f"{what}: {path}", soft_wrap=True, highlight=False, markup=False)


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
    reporter.finish(f"{len(rows)} cells")
