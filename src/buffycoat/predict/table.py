"""Cells of a manifest as one table of predictions, in a file or in memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from buffycoat.cells import Manifest
from buffycoat.images import BadCell
from buffycoat.predict import local, results, rows, site_look
from buffycoat.predict.cells_file import remove_cells, write_cells
from buffycoat.predict.job import INDEX, Job, Task, open_job, task_of
from buffycoat.predict.predictor import Pipeline
from buffycoat.predict.results import Counts
from buffycoat.predict.site_look import SiteLooks
from buffycoat.progress import Reporter


@dataclass(frozen=True)
class Predicted:
    """What became of the cells.

    Attributes:
        counts: Of all predictions.
        bad: Cells that could not be read.
        looks: How the cells' sites compare with the training cells.
    """

    counts: Counts
    bad: Sequence[BadCell]
    looks: SiteLooks


@contextmanager
def begun(
    folder: Path,
    manifest: Manifest,
    pipeline: Pipeline,
    wanted: Sequence[str],
    prior: str | None = None,
    counts_too: bool = False,
) -> Iterator[tuple[Job, SiteLooks]]:
    """A job of cells, begun or gone on with, whose missing parts `local.run` predicts.

    Args:
        folder: Of the job.
        manifest: Its cells; written to the folder, so that they need not stay in memory.
        pipeline: The bundle.
        wanted: Columns that say what is computed.
        prior: As in `Pipeline.predict`.
        counts_too: Compute whatever the summary counts, as if it were wanted.

    Raises:
        OutputError: The folder holds another job, cannot be written, or another process is at it.
    """
    shown = pipeline.columns(manifest)
    stored = [name for name in shown if name in wanted or name in rows.COUNTED]
    asked = stored if counts_too else wanted
    task = task_of(manifest, pipeline.bundle_sha256, asked, stored, prior, pipeline.fitted.asked)
    with open_job(folder, task, len(manifest)) as job:
        write_cells(job, manifest)
        looks = site_look.begin(job, manifest, pipeline.fitted)
        del manifest  # of a million cells it takes 150 MB, and they are read part by part
        yield job, looks


def predict_frame(
    pipeline: Pipeline,
    manifest: Manifest,
    folder: Path,
    wanted: Sequence[str],
    reporter: Reporter,
    prior: str | None = None,
    workers: int | None = None,
) -> tuple[pd.DataFrame, Predicted]:
    """Classify cells into a table in memory; their parts stay in a folder.

    Args:
        pipeline: The bundle.
        manifest: The cells.
        folder: Of the parts; what is done there is not predicted again.
        wanted: Columns of the table.
        reporter: Progress.
        prior: As in `Pipeline.predict`.
        workers: As in `local.run`.

    Raises:
        OutputError: As in `begun`.
    """
    columns = [name for name in pipeline.columns(manifest) if name in wanted]
    with begun(folder, manifest, pipeline, wanted, prior) as (job, looks):
        local.run(job, pipeline.fitted, reporter, pipeline.folder, workers)
        remove_cells(job)
        found = Predicted(results.count(job), tuple(job.bad()), looks)
        return results.read_frame(job, columns), found


def predict_table(
    pipeline: Pipeline,
    bundle: str,
    manifest: Manifest,
    out: Path,
    reporter: Reporter,
    prior: str | None = None,
) -> Predicted:
    """Classify cells and write one Parquet table; its parts stay, so nothing is predicted twice.

    Args:
        pipeline: The bundle.
        bundle: Where other processes read it.
        manifest: The cells.
        out: The .parquet file; parts are in `.NAME.parts` beside it, and replaced where they are
            of other cells or of another bundle.
        reporter: Progress.
        prior: As in `Pipeline.predict`.

    Raises:
        OutputError: A file cannot be written, or another process is at it.
    """
    columns = pipeline.columns(manifest)
    asked = pipeline.fitted.asked
    task = task_of(manifest, pipeline.bundle_sha256, columns, columns, prior, asked)
    parts = out.with_name(f".{out.stem}.parts")
    if not _is_of(parts, task):
        shutil.rmtree(parts, ignore_errors=True)
    with begun(parts, manifest, pipeline, columns, prior) as (job, looks):
        local.run(job, pipeline.fitted, reporter, bundle)
        remove_cells(job)
        results.write_parquet(job, out, columns)
        return Predicted(results.count(job), tuple(job.bad()), looks)


def _is_of(parts: Path, task: Task) -> bool:
    """Whether a folder of parts is of this task; one that cannot be told is not."""
    try:
        return json.loads((parts / INDEX).read_bytes()) == json.loads(json.dumps(asdict(task)))
    except (OSError, ValueError):
        return False
