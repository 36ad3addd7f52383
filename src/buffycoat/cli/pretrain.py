"""`buffycoat pretrain`: initial weights from cells without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli.console import results_console
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, Layout, LeaveOut, print_statement


def pretrain(
    cells: Annotated[
        list[Path],
        typer.Argument(help="Folders of images or tables of cells; labels are not read."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the weights; the same again resumes.")],
    preset: Annotated[
        str, typer.Option(help="Whose backbone: paper, default, cpu, travel, demo or a .toml file.")
    ] = "default",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SITE=]DATA",
            help="Labelled data that the weights are for, of each site: copies of its cells, and "
            "cells of its patients, are left out. Repeatable.",
        ),
    ] = None,
    layout: Layout = "auto",
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
) -> None:
    """Train a backbone further on cells without labels, for a classifier to start from.

    Two random views of a cell become alike, those of other cells unlike (SimCLR). Writes
    OUT/backbone.safetensors, in half precision, and OUT/CARD.md. Killed, the same command goes on.

    Example: `buffycoat pretrain archive/ --data ours/ --preset cpu --out backbone`, then
    `buffycoat train ours/ --preset cpu --out new --set embed.weights=backbone/backbone.safetensors`
    """
    from buffycoat import config
    from buffycoat.learn.pretrain import pretrain as make
    from buffycoat.sources.options import Reading
    from buffycoat.sources.several import name_sites, read_sites

    settings = config.load(preset, changes or [])
    known = None
    if data:
        reading = Reading(settings.taxonomy, labels_from, tuple(leave_out or ()))
        known = read_sites(name_sites(data), layout, reading)
        print_statement(known)
    check_folder(out)
    with make_reporter() as reporter:
        made = make(cells, out, settings, known, reporter)
    console = results_console()
    console.print(f"Weights: {made.weights}", soft_wrap=True, markup=False)
    console.print(f"Card: {made.card}", soft_wrap=True, markup=False)
