"""`buffycoat restore`: clean pictures for human review, where that can be trusted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, print_bad_cells, results_console
from buffycoat.cli.output import check_folder
from buffycoat.cli.predict import cells_of
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LeaveOut
from buffycoat.errors import BadCellsError
from buffycoat.plurals import counted

if TYPE_CHECKING:
    from buffycoat.predict.restore_folder import Outcome

MAX_REASONS = 5


def restore(
    images: Annotated[
        Path, typer.Argument(metavar="IN", help="Folder of images, one image, or a table of cells.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the results.")],
    bundle: Annotated[
        str, typer.Option(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ] = "starter",
    allow_bad: Annotated[
        int, typer.Option(min=0, help="Exit with 0 if at most so many images are unreadable.")
    ] = 0,
    leave_out: LeaveOut = None,
) -> None:
    """Restore degraded photographs of cells, for human review.

    Every picture is written as OUT/FOLDER/NAME.png in its own size. A cell that is near pristine,
    or that restoration would change, keeps its pixels. OUT/contact-sheet.png shows cells before and
    after; OUT/restoration.csv has severities and the gate's decisions; OUT/bad-cells.csv lists
    what cannot be read. The originals are not touched. Killed, the same command goes on.

    Example: `buffycoat restore cells/ restored/`
    """
    from buffycoat.predict.restore_plan import BAD, plan

    manifest = cells_of(images, None, leave_out=leave_out)
    jobs = plan(manifest, images, out)

    from buffycoat.predict.predictor import Pipeline
    from buffycoat.predict.restore_folder import restore_folder

    pipeline = Pipeline.load(bundle)
    check_folder(out)
    if pipeline.notice:
        errors_console().print(f"[yellow]{escape(pipeline.notice)}[/]", highlight=False)
    with make_reporter() as reporter:
        outcome = restore_folder(jobs, out, pipeline.fitted, pipeline.bundle_sha256, reporter)
    _print_summary(outcome, out)
    if outcome.bad and len(outcome.bad) > allow_bad:
        raise BadCellsError(
            f"{len(outcome.bad)} of {counted(len(jobs), 'cell')} could not be read, more than "
            f"--allow-bad {allow_bad}. The others are in {out}; the list is in {out / BAD}",
            outcome.bad,
        )
    if outcome.bad:
        print_bad_cells(outcome.bad)


def _print_summary(outcome: Outcome, out: Path) -> None:
    from rich.table import Table

    from buffycoat.images import CONTACT_SHEET
    from buffycoat.predict.restore_folder import kind_of
    from buffycoat.predict.restore_plan import TABLE
    from buffycoat.report.contact_sheet import MAX_PAIRS

    kinds = Counter((row["is_restored"], kind_of(row["reason"])) for _, row in outcome.done)
    n_restored = sum(count for (is_restored, _), count in kinds.items() if is_restored)
    table = Table(title=counted(len(outcome.done), "cell"), title_justify="left")
    table.add_column("picture")
    table.add_column("why", overflow="fold")
    table.add_column("cells", justify="right")
    table.add_row("restored", "cleaner, and the same cell", str(n_restored))
    kept = [(why, count) for (is_restored, why), count in kinds.most_common() if not is_restored]
    for why, count in kept[:MAX_REASONS]:
        table.add_row("original kept", escape(why), str(count))
    if len(kept) > MAX_REASONS:
        others = sum(count for _, count in kept[MAX_REASONS:])
        table.add_row("original kept", "other reasons", str(others))
    console = results_console()
    console.print(table)
    not_shown = max(len(outcome.done) - MAX_PAIRS, 0)
    sheet = str(out / CONTACT_SHEET)
    if not_shown:
        sheet += f" ({counted(not_shown, 'cell')} not shown)"
    for line in (
        f"Before and after: {sheet}",
        f"Decisions: {out / TABLE}",
        "Restored pictures are for human review; every original is kept as it was.",
    ):
        console.print(escape(line), soft_wrap=True, highlight=False)
