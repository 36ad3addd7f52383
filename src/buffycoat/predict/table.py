"""Cells of a manifest as one table of predictions, all columns, in a folder of results."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from buffycoat.cells import Manifest
from buffycoat.images import BadCell
from buffycoat.predict import local, results, site_look
from buffycoat.predict.cells_file import remove_cells, write_cells
from buffycoat.predict.job import INDEX, Task, open_job, task_of
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
    with open_job(parts, task, len(manifest)) as job:
        write_cells(job, manifest)
        looks = site_look.begin(job, manifest, pipeline.fitted)
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
