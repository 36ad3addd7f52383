"""What `differential` prints and writes of the cells that it counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console
from buffycoat.cli.errors import EXIT_FINDINGS
from buffycoat.plurals import some_of

if TYPE_CHECKING:
    from buffycoat.evaluate.counting import Counting, Differential


def show(found: Differential, asked: Counting, *, is_of_fields: bool = False) -> None:
    """Print what was counted by, the figures, and what they leave out.

    Args:
        found: The figures.
        asked: How they were counted.
        is_of_fields: Whether `find` named the slides.
    """
    from buffycoat.cli.counted import print_differential
    from buffycoat.plurals import counted

    for note in (*found.cautions, *found.notes):
        caution(note)
    if found.rows:
        source = f" of {asked.groups}" if asked.groups else ""
        if is_of_fields and not source and found.by == "slide_id":
            source = " (the folder that each field lies in)"
        slides = counted(len({*found.group_of.values()}), found.by.removesuffix("_id"))
        cells = counted(len(found.counted), "cell")
        typer.echo(f"Counted by {found.by}{source}: {slides}, {cells}.")
        print_differential(found.rows, found.by, asked.thresholds)


def write(found: Differential, out: Path) -> None:
    """Write a row a slide and class."""
    from buffycoat.tables import write_csv

    write_csv(out, found.to_frame())


def draw(found: Differential, asked: Counting, picture: Path) -> bool:
    """Write the bars of each slide as an SVG file; False where no slide has a differential."""
    from buffycoat.cli.counted import by_slide
    from buffycoat.evaluate.doubtful_cells import REFUSED
    from buffycoat.images import write_atomic
    from buffycoat.report.differential_plot import MOST_SLIDES, differential_picture

    slides = {k: of for k, of in by_slide(found.rows).items() if of[0].status != REFUSED}
    if not slides:
        picture.unlink(missing_ok=True)  # of an earlier run
        return False
    if len(slides) > MOST_SLIDES:
        told = some_of(MOST_SLIDES, len(slides), "slide")
        caution(f"{picture} shows the first {told}; --out has all.")
    write_atomic(picture, differential_picture(slides, asked.thresholds).encode())
    return True


def fail_without_figures(found: Differential) -> None:
    """Say so and leave with exit code 4 where no slide has a differential."""
    from buffycoat.evaluate.doubtful_cells import REFUSED

    if any(row.status != REFUSED for row in found.rows):
        return
    text = (
        "every slide is mostly doubtful cells. Look at the images: is there one white cell in the "
        "centre of each, stained and magnified as the training cells? `buffycoat predict` says "
        "what most of them lack. --max-doubtful 100 counts them all the same."
    )
    text = text if found.rows else "no cell counts; the reasons are above."
    errors_console().print(f"[bold red]No differential:[/] {text}", highlight=False)
    raise typer.Exit(EXIT_FINDINGS)


def caution(text: str) -> None:
    """Print what a reader of the figures must know."""
    errors_console().print(f"[yellow]{escape(text)}[/]", highlight=False)
