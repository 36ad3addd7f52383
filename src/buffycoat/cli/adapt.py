"""`buffycoat adapt`: a bundle for the cells of another laboratory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli.console import results_console
from buffycoat.cli.progress import make_reporter


def adapt(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    cells: Annotated[
        Path, typer.Argument(help="Folder of images, or a table of cells, of the other site.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new bundle.")],
    labels: Annotated[
        Path | None,
        typer.Option(help="Table of a few cells' true labels: ID and label, 5 to 50 a type."),
    ] = None,
    name: Annotated[
        str, typer.Option(help="What to call the site; by default as CELLS is called.")
    ] = "",
    allow_bad: Annotated[
        int, typer.Option(min=0, help="Go on if at most so many images are unreadable.")
    ] = 0,
) -> None:
    """Adapt a bundle to another laboratory's cells, without labels or with few; the old one stays.

    Scale, colour and batch-norm statistics are measured on the cells and stored in a new bundle,
    which predicts like any other. Give 32 cells at least, better 200 or more, of all the types that
    the site sees. If the cells look like the training cells, nothing is changed; cells from which a
    site cannot be estimated (too few, of one class, gray or drawn) are refused.

    With --labels the last stage of each model learns from some labelled cells too, and temperatures
    and prediction sets are set by them. What that gains is measured on labelled cells that were not
    learned from; what may be a loss is left out, and a bundle that is right on fewer of them than
    the old one is not written. A label may be a class or a group, such as NE.

    Example: `buffycoat adapt starter cells/ --out adapted --labels few.csv`
    """
    from buffycoat.api import adaptation
    from buffycoat.cli.predict import cells_of

    manifest = cells_of(cells, None)
    name = name or (cells.stem if cells.is_file() else cells.resolve().name)
    with make_reporter() as reporter:
        made = adaptation.adapt(
            manifest,
            out,
            bundle,
            labels=labels,
            name=name,
            allow_bad=allow_bad,
            progress=reporter,
        )
    console = results_console()
    for sentence in made.sentences:
        console.print(sentence, soft_wrap=True, markup=False)
    console.print(f"Bundle: {out}", soft_wrap=True, markup=False)
