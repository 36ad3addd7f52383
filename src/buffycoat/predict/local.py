"""The parts of a job, one after the other, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.images import BadCell
from buffycoat.plurals import counted
from buffycoat.predict import rows, site_look
from buffycoat.predict.batches import in_batches
from buffycoat.predict.cells_file import read_part
from buffycoat.predict.job import Job, Task
from buffycoat.predict.needs import needs_of
from buffycoat.predict.site_look import SiteLooks
from buffycoat.predict.workers import (
    MIN_CELLS,
    Predicted,
    default_workers,
    predict_each,
    predict_parallel,
)
from buffycoat.progress import Reporter

BATCH_CELLS = 64
"""Predicted together; small enough that several processes end at one time."""


def run(
    job: Job,
    fitted: Fitted,
    reporter: Reporter,
    bundle: str | Path | None = None,
    workers: int | None = None,
) -> None:
    """Predict the parts that are missing.

    Args:
        job: Where they go, its cells and their look written there.
        fitted: What the bundle holds.
        reporter: Progress.
        bundle: Where other processes read it; None predicts in this one alone.
        workers: Processes; None for one a CPU, where columns ask for more than
            labels and there are cells enough.

    Raises:
        OutputError: A part cannot be written, or processes are killed again and again.
    """
    missing = job.missing()
    n_missing = sum(job.size(part) for part in missing)
    done = job.n_cells - n_missing
    resumed = f", {done} of them done before" if done else ""
    reporter.start("predict", f"{counted(job.n_cells, 'cell')}{resumed}")
    batches = (batch for part in missing for batch in in_batches(read_part(job, part), BATCH_CELLS))
    looks = site_look.read(job)
    n_workers = default_workers() if workers is None else workers
    # Labels alone take little but networks, which use every CPU by themselves.
    is_light = not needs_of(job.task.asked, fitted).restoration or n_missing < MIN_CELLS
    if bundle is None or n_workers == 1 or (workers is None and is_light):
        results = predict_each(batches, fitted, job.task, looks)
    else:
        results = predict_parallel(batches, bundle, job.task, looks, n_workers)
    for part in missing:
        found = []
        for own in islice(results, -(-job.size(part) // BATCH_CELLS)):
            found.append(own)
            done += len(own)
            reporter.advance(done, job.n_cells)
        job.write(part, *together(found, job.task))
    reporter.finish()


def predict_part(
    cells: Manifest, fitted: Fitted, task: Task, looks: SiteLooks
) -> tuple[pa.Table, list[BadCell]]:
    """Predict the cells of one part in this process.

    Args:
        cells: Of the part.
        fitted: What the bundle holds.
        task: Gives columns and prior.
        looks: Of the job.

    Returns:
        A row a readable cell, columns as the task has them, and the unreadable ones.
    """
    found = predict_each(in_batches(cells, BATCH_CELLS), fitted, task, looks)
    return together(list(found), task)


def together(found: Sequence[Predicted], task: Task) -> tuple[pa.Table, list[BadCell]]:
    """Rows of several batches as one table, and their unreadable cells."""
    schema = rows.schema(task.columns)
    tables = [_table(part.frame, schema) for part in found]
    table = pa.concat_tables(tables).combine_chunks() if tables else schema.empty_table()
    return table, [cell for part in found for cell in part.bad]


def _table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
