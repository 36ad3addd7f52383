"""The cells of a job in its own folder, from which those of one part at a time are read.

So neither memory nor the start of a worker grows with the number of cells.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from buffycoat.cells import COLUMNS, Manifest
from buffycoat.errors import OutputError
from buffycoat.images import writing
from buffycoat.predict.job import Job

NAME = "_cells.parquet"
"""Readers of a folder of Parquet files leave out names that begin with an underscore."""


def write_cells(job: Job, manifest: Manifest) -> None:
    """Write the cells, one row group a part, whole or not at all.

    Raises:
        OutputError: The disk is full, or the folder cannot be written.
    """
    table = pa.Table.from_pandas(manifest.frame, preserve_index=False)
    with writing(job.folder / NAME) as place:
        pq.write_table(table, place, row_group_size=job.task.part_cells)


def remove_cells(job: Job) -> None:
    """Remove the file once every part is there."""
    (job.folder / NAME).unlink(missing_ok=True)


def read_part(job: Job, part: int) -> Manifest:
    """The cells of one part, in order.

    Raises:
        OutputError: This machine does not see the job's folder, or the file is damaged.
    """
    path = job.folder / NAME
    try:
        with pq.ParquetFile(path) as file:
            frame = file.read_row_group(part).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise OutputError(
            f"{path}: cannot be read ({error}). Every process and machine must see the folder of "
            "results at this path"
        ) from error
    return Manifest(frame.astype(COLUMNS))
