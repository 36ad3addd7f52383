"""Restore a folder of photographs, some in memory at a time; what is done stays done."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from buffycoat import __version__
from buffycoat.bundle.fitted import Fitted
from buffycoat.errors import ImageError
from buffycoat.images import CONTACT_SHEET, decode, only_writer, read, read_bytes, write_png
from buffycoat.plurals import counted
from buffycoat.predict import frames
from buffycoat.predict.restore_journal import Journal
from buffycoat.predict.restore_plan import BAD, TABLE, Job
from buffycoat.progress import Reporter
from buffycoat.report.contact_sheet import MAX_PAIRS, Pair, draw_contact_sheet
from buffycoat.restore.gate import GateNumbers
from buffycoat.tables import write_csv

FRAMES_AT_ONCE = 8
"""Photographs in memory at a time; they may be of any size."""
PICTURES = 1
"""Raised when the same photograph and bundle give another picture, so that none is reused."""


@dataclass
class Outcome:
    """What became of the cells: the table's rows, and (cell_id, path, reason) of the unreadable."""

    done: list[tuple[Job, dict[str, Any]]] = field(default_factory=list)
    bad: list[tuple[str, str, str]] = field(default_factory=list)


def restore_folder(
    jobs: Sequence[Job], out: Path, fitted: Fitted, bundle_sha256: str, reporter: Reporter
) -> Outcome:
    """Write every picture, the table, the list of unreadable cells and the contact sheet.

    Args:
        jobs: From `restore_plan.plan`.
        out: Folder of results; what an earlier run of this bundle finished in it is kept.
        fitted: What training learned.
        bundle_sha256: Of the bundle that holds it.
        reporter: Progress.

    Raises:
        OutputError: Another command writes into the folder, or it cannot be written.
    """
    with only_writer(out):
        journal = Journal(out, f"{PICTURES} {__version__} {bundle_sha256}")
        done = None
        try:
            outcome = _restore_all(jobs, out, fitted, journal, reporter)
            done = [job.out for job, _ in outcome.done]
        finally:
            journal.close(done)  # killed, it keeps what it has
        write_csv(out / TABLE, _table(outcome))
        _write_bad(outcome.bad, out / BAD)
        _draw_sheet(outcome, out)
    return outcome


def _restore_all(
    jobs: Sequence[Job], out: Path, fitted: Fitted, journal: Journal, reporter: Reporter
) -> Outcome:
    reporter.start("restore", counted(len(jobs), "cell"))
    outcome = Outcome()
    for start in range(0, len(jobs), FRAMES_AT_ONCE):
        part = jobs[start : start + FRAMES_AT_ONCE]
        rows: dict[Job, dict[str, Any]] = {}
        waiting = []
        for job in part:
            try:
                data = read_bytes(job.path)
                job_key = journal.key(data, job.um_per_px)
                row = journal.find(job.out, job_key)
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
    rows = {}
    scales = [job.um_per_px for job, _, _ in waiting]
    results = frames.restore_frames([frame for _, _, frame in waiting], fitted, scales)
    for (job, job_key, _), result in zip(waiting, results, strict=True):
        write_png(out / job.out, result.image)
        rows[job] = {
            "severity": result.severity,
            "degradation": "+".join(result.degradation),
            "is_restored": result.is_restored,
            "reason": result.reason,
            "change": result.change,
        }
        journal.add(job.out, job_key, rows[job])
    return rows


def _table(outcome: Outcome) -> pd.DataFrame:
    numbers = [number.name for number in dataclasses.fields(GateNumbers)]
    plain = ["severity", "degradation", "is_restored", "reason"]
    rows = [
        [job.cell_id, job.path, job.out, *(row[name] for name in plain)]
        + [row["change"].get(name) for name in numbers]
        for job, row in outcome.done
    ]
    return pd.DataFrame(rows, columns=["cell_id", "path", "out", *plain, *numbers])


def _write_bad(bad: Sequence[tuple[str, str, str]], path: Path) -> None:
    if not bad:
        path.unlink(missing_ok=True)
        return
    write_csv(path, pd.DataFrame(list(bad), columns=["ID", "path", "reason"]))


def _draw_sheet(outcome: Outcome, out: Path) -> None:
    """Restored cells first, then the most degraded of those that kept their pixels."""
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
            verdict="restored" if row["is_restored"] else f"kept: {kind_of(row['reason'])}",
            is_restored=row["is_restored"],
        )
        for job, row in order[:MAX_PAIRS]
    ]
    if pairs:
        write_png(out / CONTACT_SHEET, draw_contact_sheet(pairs, len(outcome.done)))
    else:
        (out / CONTACT_SHEET).unlink(missing_ok=True)


def kind_of(reason: str) -> str:
    """A reason without its numbers: "original kept: nucleus moved: overlap 0.7 < 0.8"."""
    text = reason.removeprefix("original kept: ")
    return re.split(r" \(|:? severity|\s*[-+]?\d", text)[0].rstrip(" :,=<>")
