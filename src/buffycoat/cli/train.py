"""`buffycoat train`: from labelled cells to a bundle and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli.console import results_console
from buffycoat.cli.crop import cells_of_boxes
from buffycoat.cli.output import check_folder
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LabelsFrom, Layout, LeaveOut


def train(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="[SITE=]DATA...",
            help="Folder or table of labelled cells; several for several laboratories.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run; the same again resumes it.")],
    preset: Annotated[
        str, typer.Option(help="paper, default, cpu, travel, demo, or a .toml file.")
    ] = "default",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable."),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Folder or table of further cells without labels, at least 20, which the models "
            "learn from too; repeatable.",
        ),
    ] = None,
    layout: Layout = "auto",
    labels_from: LabelsFrom = "auto",
    leave_out: LeaveOut = None,
    devices: Annotated[
        int, typer.Option(min=1, help="GPUs, or processes on a CPU, that share each batch.")
    ] = 1,
    workers: Annotated[
        int,
        typer.Option(min=1, help="Models trained at the same time, each with a share of the CPUs."),
    ] = 1,
    allow_bad: Annotated[
        int, typer.Option(min=0, help="Go on if at most so many images are unreadable.")
    ] = 0,
) -> None:
    """Train every stage and write a bundle and a report.

    Killed or stopped, the same command goes on from the last checkpoint. Fields of view with boxes
    (COCO, YOLO, Pascal VOC) are cut into cells first, in OUT/cells.

    Example: `buffycoat train cells/ --preset cpu --out runs/mine`

    Several laboratories: `buffycoat train ours=cells/ theirs=../other/labels.csv --out runs/both`.
    Each cell keeps the name of its site; `--set classify.hold_out=site` scores each site by a model
    that saw no cell of it.

    Cells that nobody has labelled: `train ours/ --preset cpu --unlabelled archive/ --out new`.
    """
    from buffycoat import config
    from buffycoat.images import only_writer
    from buffycoat.sources.several import name_sites

    spread = [f"classify.devices={devices}"] if devices > 1 else []
    settings = config.load(preset, [*(changes or []), *spread])
    sites = name_sites(data)
    check_folder(out)
    with only_writer(out):
        sites, unwanted = _cut_boxes(sites, out / "cells", leave_out or ())

    from buffycoat.cli.tables import print_metrics
    from buffycoat.learn import train
    from buffycoat.sources.options import Reading

    with make_reporter() as reporter:
        result = train.train(
            sites,
            out,
            settings,
            reporter,
            layout,
            allow_bad,
            Reading(labels_from=labels_from, leave_out=tuple(unwanted)),
            without_labels=unlabelled or (),
            workers=workers,
        )
    print_metrics(result.metrics)
    console = results_console()
    console.print(f"Bundle: {result.bundle}", soft_wrap=True, markup=False)
    console.print(f"Report: {result.report}", soft_wrap=True, markup=False)


def _cut_boxes(
    sites: Mapping[str, Path], out: Path, leave_out: Sequence[str]
) -> tuple[dict[str, Path], list[str]]:
    """Data sets whose cells are cut out of their fields, and what is still to be left out."""
    found, rest = {}, {}
    for site, path in sites.items():
        place = out if len(sites) == 1 else out / site
        found[site], rest[site] = cells_of_boxes(path, place, leave_out)
    return found, [name for name in leave_out if all(name in kept for kept in rest.values())]
