"""The parts of a job, one after the other, on this machine."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.images import BadCell
from buffycoat.predict import rows
from buffycoat.predict.batches import predict_batches
from buffycoat.predict.job import Job, Task
from buffycoat.predict.needs import needs_of
from buffycoat.progress import Progress, Reporter


def run(job: Job, manifest: Manifest, fitted: Fitted, reporter: Reporter) -> None:
    """Predict the parts that are missing.

    Args:
        job: Where they go.
        manifest: All cells of the job.
        fitted: What the bundle holds.
        reporter: Progress.

    Raises:
        OutputError: A part cannot be written.
    """
    import numpy as np

    missing = job.missing()
    spans = [job.rows(part) for part in missing]
    done = job.n_cells - sum(span.stop - span.start for span in spans)
    resumed = f", {done} of them done before" if done else ""
    reporter.start("predict", f"{job.n_cells} cells{resumed}")
    for part, span in zip(missing, spans, strict=True):
        cells = manifest.subset(np.arange(span.start, span.stop))

        def advance(n: int, _: int, before: int = done) -> None:
            reporter.advance(before + n, job.n_cells)

        job.write(part, *predict_part(cells, fitted, job.task, advance))
        done += len(cells)
    reporter.finish()


def predict_part(
    cells: Manifest, fitted: Fitted, task: Task, on_progress: Progress | None = None
) -> tuple[pa.Table, list[BadCell]]:
    """Predict the cells of one part: what every engine calls.

    Args:
        cells: Of the part.
        fitted: What the bundle holds.
        task: Gives columns and prior.
        on_progress: Called with (cells done, cells of the part).

    Returns:
        A row a readable cell, columns as the task has them, and the unreadable ones.
    """
    frames, bad = [], []
    needs = needs_of(task.asked, fitted)
    for batch in predict_batches(cells, fitted, task.prior, needs):
        frame = rows.to_frame(
            batch.predictions, batch.image_sha256, task.bundle_sha256, cells, fitted.taxonomy
        )
        frames.append(frame.reindex(columns=list(task.columns)))
        bad += batch.bad
        if on_progress is not None:
            on_progress(batch.n_done, len(cells))
    return _table(frames, rows.schema(task.columns)), bad


def _table(frames: list[pd.DataFrame], schema: pa.Schema) -> pa.Table:
    tables = [pa.Table.from_pandas(f, schema=schema, preserve_index=False) for f in frames]
    return pa.concat_tables(tables).combine_chunks() if tables else schema.empty_table()
