"""`buffycoat restore`: clean pictures for human review, where that can be trusted."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from buffycoat import __version__
from buffycoat.cli.console import errors_console, print_bad_cells, results_console
from buffycoat.cli.output import check_folder
from buffycoat.cli.predict import cells_of
from buffycoat.cli.progress import make_reporter
from buffycoat.cli.reading import LeaveOut
from buffycoat.errors import BadCellsError, ImageError

if TYPE_CHECKING:
    import pandas as pd

    from buffycoat.bundle.fitted import Fitted
    from buffycoat.cli.restored import Job, Journal
    from buffycoat.progress import Reporter

FRAMES_AT_ONCE = 8
"""Photographs in memory at a time; they may be of any size."""
PICTURES = 1
"""Raised when the same photograph and bundle give another picture, so that none is reused."""
MAX_REASONS = 5


@dataclass
class Outcome:
    """What became of the cells: the table's rows, and (cell_id, path, reason) of the unreadable."""

    done: list[tuple[Job, dict[str, Any]]] = field(default_factory=list)
    bad: list[tuple[str, str, str]] = field(default_factory=list)


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
    from buffycoat.cli.restored import BAD, TABLE, Journal, plan

    manifest = cells_of(images, None, leave_out=leave_out)
    jobs = plan(manifest, images, out)

    from buffycoat.bundle import files as bundles
    from buffycoat.predict.predictor import Pipeline

    pipeline = Pipeline.load(bundle)
    index = (bundles.locate(bundle) / bundles.INDEX).read_bytes()
    key = f"{PICTURES} {__version__} {hashlib.sha256(index).hexdigest()}"
    check_folder(out)
    if pipeline.notice:
        errors_console().print(f"[yellow]{escape(pipeline.notice)}[/]", highlight=False)
    journal = Journal(out, key)
    done = None
    try:
        with make_reporter() as reporter:
            outcome = _restore_all(jobs, out, pipeline.fitted, journal, reporter)
        done = [job for job, _ in outcome.done]
    finally:
        journal.close(done)  # killed, it keeps what it has
    _write_table(outcome, out / TABLE)
    _write_bad(outcome.bad, out / BAD)
    _draw_sheet(outcome, out)
    _print_summary(outcome, out)
    if outcome.bad and len(outcome.bad) > allow_bad:
        raise BadCellsError(
            f"{len(outcome.bad)} of {len(jobs)} cells could not be read, more than --allow-bad "
            f"{allow_bad}. The others are in {out}; the list is in {out / BAD}",
            outcome.bad,
        )
    if outcome.bad:
        print_bad_cells(outcome.bad)


def _restore_all(
    jobs: Sequence[Job], out: Path, fitted: Fitted, journal: Journal, reporter: Reporter
) -> Outcome:
    from buffycoat.images import decode, read_bytes

    reporter.start("restore", f"{len(jobs)} cells")
    outcome = Outcome()
    for start in range(0, len(jobs), FRAMES_AT_ONCE):
        part = jobs[start : start + FRAMES_AT_ONCE]
        rows: dict[Job, dict[str, Any]] = {}
        waiting = []
        for job in part:
            try:
                data = read_bytes(job.path)
                job_key = journal.key(data)
                row = journal.find(job, job_key)
                if row is None:
                    waiting.append((job, job_key, decode(data, job.path)))
                else:
                    rows[job] = row
            except ImageError as error:
                reason = str(error).removeprefix(f"{job.path}: ")
                outcome.bad.append((job.cell_id, job.path, reason))
        rows |= _restore_some(waiting, out, fitted, journal)
        outcome.done += [(job, rows[job]) for job in part if job in rows]
        reporter.advance(start + len(part), len(jobs))
    reporter.finish()
    return outcome


def _restore_some(
    waiting: Sequence[tuple[Job, str, Any]], out: Path, fitted: Fitted, journal: Journal
) -> dict[Job, dict[str, Any]]:
    from buffycoat.images import write_png
    from buffycoat.predict.frames import restore_frames

    rows = {}
    results = restore_frames([frame for _, _, frame in waiting], fitted)
    for (job, job_key, _), result in zip(waiting, results, strict=True):
        write_png(out / job.out, result.image)
        rows[job] = {
            "severity": result.severity,
            "degradation": "+".join(result.degradation),
            "is_restored": result.is_restored,
            "reason": result.reason,
            "change": result.change,
        }
        journal.add(job, job_key, rows[job])
    return rows


def _table(outcome: Outcome) -> pd.DataFrame:
    import dataclasses

    import pandas as pd

    from buffycoat.restore.gate import GateNumbers

    numbers = [number.name for number in dataclasses.fields(GateNumbers)]
    plain = ["severity", "degradation", "is_restored", "reason"]
    rows = [
        [job.cell_id, job.path, job.out, *(row[name] for name in plain)]
        + [row["change"].get(name) for name in numbers]
        for job, row in outcome.done
    ]
    return pd.DataFrame(rows, columns=["cell_id", "path", "out", *plain, *numbers])


def _write_table(outcome: Outcome, path: Path) -> None:
    from buffycoat.tables import write_csv

    write_csv(path, _table(outcome))


def _write_bad(bad: Sequence[tuple[str, str, str]], path: Path) -> None:
    import pandas as pd

    from buffycoat.tables import write_csv

    if not bad:
        path.unlink(missing_ok=True)
        return
    write_csv(path, pd.DataFrame(list(bad), columns=["ID", "path", "reason"]))


def _draw_sheet(outcome: Outcome, out: Path) -> None:
    """Restored cells first, then the most degraded of those that kept their pixels."""
    from buffycoat.images import CONTACT_SHEET, read, write_png
    from buffycoat.report.contact_sheet import MAX_PAIRS, Pair, draw_contact_sheet

    order = sorted(
        outcome.done,
        key=lambda cell: (not cell[1]["is_restored"], -cell[1]["severity"], cell[0].out),
    )
    pairs = [
        Pair(
            name=Path(job.out).stem,
            before=read(job.path),
            after=read(out / job.out),
            severity=row["severity"],
            degradation=row["degradation"],
            verdict="restored" if row["is_restored"] else f"kept: {_kind(row['reason'])}",
            is_restored=row["is_restored"],
        )
        for job, row in order[:MAX_PAIRS]
    ]
    if pairs:
        write_png(out / CONTACT_SHEET, draw_contact_sheet(pairs, len(outcome.done)))
    else:
        (out / CONTACT_SHEET).unlink(missing_ok=True)


def _print_summary(outcome: Outcome, out: Path) -> None:
    from rich.table import Table

    from buffycoat.cli.restored import TABLE
    from buffycoat.images import CONTACT_SHEET
    from buffycoat.report.contact_sheet import MAX_PAIRS

    kinds = Counter((row["is_restored"], _kind(row["reason"])) for _, row in outcome.done)
    n_restored = sum(count for (is_restored, _), count in kinds.items() if is_restored)
    table = Table(title=f"{len(outcome.done)} cells", title_justify="left")
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
        sheet += f" ({not_shown} cells not shown)"
    for line in (
        f"Before and after: {sheet}",
        f"Decisions: {out / TABLE}",
        "Restored pictures are for human review; every original is kept as it was.",
    ):
        console.print(escape(line), soft_wrap=True, highlight=False)


def _kind(reason: str) -> str:
    """A reason without its numbers: "original kept: nucleus moved: overlap 0.7 < 0.8"."""
    text = reason.removeprefix("original kept: ")
    return re.split(r" \(|:? severity|\s*[-+]?\d", text)[0].rstrip(" :,=<>")
