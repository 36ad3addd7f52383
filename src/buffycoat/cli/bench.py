"""`buffycoat bench`: recipes, and a bundle at several sites, compared under one protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli.console import results_console
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, Layout, LeaveOut

bench = typer.Typer(
    no_args_is_help=True, help="Compare recipes of a training, or ways to adapt to a laboratory."
)


@bench.callback()
def options() -> None:
    """Compare recipes, or a bundle's ways to other sites, on the same cells, folds and seeds."""


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

    Example: `buffycoat bench classify DATA --grid recipes.toml --out runs/bench`
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


@bench.command()
def sites(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    site: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=CELLS",
            help="Folder or table of labelled cells of a laboratory. Repeatable.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of results; the same again resumes.")],
    labels: Annotated[
        list[int] | None,
        typer.Option(min=5, help="Labels a type to learn from; 5, 10, 25 and 50. Repeatable."),
    ] = None,
    draws: Annotated[
        int, typer.Option(min=0, help="Draws of the labelled cells; 0 for no row with labels.")
    ] = 5,
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
) -> None:
    """Score a bundle at other laboratories: as it is, adapted without labels, and with a few.

    Cells are scored at the grain of the site's own labels, such as five types. Labels teach only in
    the rows that say so; the cells that taught, and copies of them, are not scored there. As many
    photographs of a type as taught must be left, so a small site has fewer rows. A row is written
    as soon as it is scored. Killed, the same command goes on.

    Example: `buffycoat bench sites starter --site north=north/ --out runs/sites`
    """
    from buffycoat.images import write_atomic
    from buffycoat.learn.experiments import sites as experiment
    from buffycoat.learn.experiments.site_table import markdown, picture
    from buffycoat.sources.options import Reading
    from buffycoat.sources.read import read
    from buffycoat.sources.several import name_sites

    reading = Reading(labels_from=labels_from, leave_out=tuple(leave_out or ()))
    cells = {name: read(path, "auto", reading) for name, path in name_sites(site).items()}
    check_folder(out)
    with make_reporter() as reporter:
        table = experiment.run(
            bundle, cells, out, reporter, tuple(labels or experiment.LABELS), draws
        )
    console = results_console()
    console.print(markdown(table), soft_wrap=True, markup=False)
    write_atomic(out / "sites.svg", picture(table).encode())
    console.print(f"Table: {out / 'sites.csv'}", soft_wrap=True, markup=False)
    console.print(f"Picture: {out / 'sites.svg'}", soft_wrap=True, markup=False)
