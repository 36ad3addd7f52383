"""`buffycoat bench`: recipes compared under one protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli.console import results_console
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, Layout, LeaveOut

bench = typer.Typer(no_args_is_help=True, help="Compare recipes under one protocol.")


@bench.callback()
def options() -> None:
    """Compare recipes under one protocol: the same cells, folds and seeds."""


@bench.command()
def classify(
    data: Annotated[
        Path, typer.Argument(help="Folder or table of labelled cells.", show_default=False)
    ],
    grid: Annotated[Path, typer.Option(help="TOML file with the recipes.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of results; the same again resumes.")],
    layout: Layout = "auto",
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
) -> None:
    """Train each recipe of a grid on the same folds and write one table.

    A row is written as each recipe ends; the first recipe is what the others are compared with.
    Killed, the same command goes on.

    Example: `buffycoat bench classify ../shared/pbc-lt --grid benchmarks/grids/screen.toml
    --out runs/screen`
    """
    from buffycoat.errors import ManifestError
    from buffycoat.learn.experiments import grid as recipes
    from buffycoat.learn.experiments.grid_table import markdown
    from buffycoat.sources.options import Reading

    wanted = recipes.read_grid(grid)
    reading = Reading(labels_from=labels_from, leave_out=tuple(leave_out or ()))
    if not data.exists():
        raise ManifestError(f"{data}: no such file or folder")
    check_folder(out)
    with make_reporter() as reporter:
        table = recipes.run(data, wanted, out, reporter, layout, reading)
    console = results_console()
    console.print(markdown(table), soft_wrap=True, markup=False)
    console.print(f"Table: {out / 'table.csv'}", soft_wrap=True, markup=False)
