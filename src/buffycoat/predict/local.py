"""The parts of a job, one after the other, on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.images import BadCell
from buffycoat.predict import rows
from buffycoat.predict.job import Job, Task
from buffycoat.predict.needs import needs_of
from buffycoat.predict.workers import (
    MIN_CELLS,
    Predicted,
    default_workers,
    predict_parallel,
    predict_spans,
)
from buffycoat.progress import Reporter

BATCH_CELLS = 64
"""Predicted together; small enough that several processes end at one time."""


def run(
    job: Job,
    manifest: Manifest,
    fitted: Fitted,
    reporter: Reporter,
    bundle: str | Path | None = None,
    workers: int | None = None,
) -> None:
    """Predict the parts that are missing.

    Args:
        job: Where they go.
        manifest: All cells of the job.
        fitted: What the bundle holds.
        reporter: Progress.
        bundle: Where other processes read it; None predicts in this one alone.
        workers: Processes; None for one a CPU, where columns ask for more than
            labels and there are cells enough.

    Raises:
        OutputError: A part cannot be written, or processes are killed again and again.
    """
    spans = {part: _spans(job.rows(part)) for part in job.missing()}
    n_todo = sum(span.stop - span.start for parts in spans.values() for span in parts)
    done = job.n_cells - n_todo
    resumed = f", {done} of them done before" if done else ""
    reporter.start("predict", f"{job.n_cells} cells{resumed}")
    every = [span for parts in spans.values() for span in parts]
    n_workers = default_workers() if workers is None else workers
    # Labels alone take little but networks, which use every CPU by themselves.
    is_light = not needs_of(job.task.asked, fitted).restoration or n_todo < MIN_CELLS
    if bundle is None or n_workers == 1 or (workers is None and is_light):
        results = predict_spans(manifest, every, fitted, job.task)
    else:
        results = predict_parallel(manifest, every, bundle, job.task, n_workers)
    for part, own in spans.items():
        found = []
        for span in own:
            found.append(next(results))
            done += span.stop - span.start
            reporter.advance(done, job.n_cells)
        job.write(part, *together(found, job.task))
    reporter.finish()


def predict_part(cells: Manifest, fitted: Fitted, task: Task) -> tuple[pa.Table, list[BadCell]]:
    """Predict the cells of one part in this process.

    Args:
        cells: Of the part.
        fitted: What the bundle holds.
        task: Gives columns and prior.

    Returns:
        A row a readable cell, columns as the task has them, and the unreadable ones.
    """
    spans = _spans(slice(0, len(cells)))
    return together(list(predict_spans(cells, spans, fitted, task)), task)


def together(found: Sequence[Predicted], task: Task) -> tuple[pa.Table, list[BadCell]]:
    """Rows of several batches as one table, and their unreadable cells."""
    schema = rows.schema(task.columns)
    tables = [_table(part.frame, schema) for part in found]
    table = pa.concat_tables(tables).combine_chunks() if tables else schema.empty_table()
    return table, [cell for part in found for cell in part.bad]


def _table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def _spans(whole: slice) -> list[slice]:
    starts: Iterator[int] = iter(range(whole.start, whole.stop, BATCH_CELLS))
    return [slice(start, min(start + BATCH_CELLS, whole.stop)) for start in starts]
