"""One table of a finished job's parts, and the counts of its summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from buffycoat.images import writing
from buffycoat.images.lock import LOCK
from buffycoat.predict import rows
from buffycoat.predict.job import INDEX, Job
from buffycoat.tables import write_csv_parts


@dataclass
class Counts:
    """What a person is told when all cells are predicted.

    Attributes:
        labels: Code -> cells.
        doubtful: Code -> cells that need a look.
        reasons: Code of a reason -> cells that have it.
        n_restored: Doubtful cells that were restored.
        n_several: Other cells that have more than one possible class.
        n_moved: Cells whose label is not the most probable class, for a score.
        n_bad: Images that could not be read.
    """

    labels: Counter[str] = field(default_factory=Counter)
    doubtful: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    n_restored: int = 0
    n_several: int = 0
    n_moved: int = 0
    n_bad: int = 0

    @property
    def n_cells(self) -> int:
        """Cells that have a label."""
        return self.labels.total()

    @property
    def n_doubtful(self) -> int:
        """Cells that need a look."""
        return self.doubtful.total()

    def add(self, frame: pd.DataFrame) -> None:
        """Count some cells.

        Args:
            frame: Has the columns `rows.COUNTED`.
        """
        doubtful = frame["is_abstained"].to_numpy(dtype=bool)
        self.labels.update(frame["label"].tolist())
        self.doubtful.update(frame["label"][doubtful].tolist())
        self.reasons.update(code for codes in frame["reasons"][doubtful] for code in codes.split())
        self.n_restored += int(frame["is_restored"].to_numpy(dtype=bool)[doubtful].sum())
        self.n_moved += int(frame["is_moved"].to_numpy(dtype=bool).sum())
        self.n_several += sum(" " in codes for codes in frame["conformal_set"][~doubtful])


def count(job: Job) -> Counts:
    """What a finished job holds."""
    counts = Counts(n_bad=sum(1 for _ in job.bad()))
    for part in range(job.n_parts):
        counts.add(job.read(part, rows.COUNTED).to_pandas())
    return counts


def read_frame(job: Job, columns: Sequence[str]) -> pd.DataFrame:
    """All parts as one table in memory, as `pandas.read_parquet` gives what `write_parquet` wrote.

    Args:
        job: Finished.
        columns: Of the parts.
    """
    empty = rows.schema(columns).empty_table()
    parts = [job.read(part, columns).select(list(columns)) for part in range(job.n_parts)]
    whole = pa.concat_tables([empty, *(part.cast(empty.schema) for part in parts)])
    return whole.to_pandas()


def write_parquet(job: Job, out: Path, columns: Sequence[str]) -> None:
    """All parts as one Parquet file, whole or not at all, one part in memory at a time."""
    with writing(out) as place, pq.ParquetWriter(place, rows.schema(columns)) as writer:
        for part in range(job.n_parts):
            writer.write_table(job.read(part, columns))


def write_csv(job: Job, out: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    """All parts as one CSV file, whole or not at all; `ID` is a cell's file name.

    Args:
        job: Finished.
        out: The file.
        header: Names in the file.
        columns: Of the parts; the first is `cell_id`, of which the file name is written.
    """

    def frames() -> Iterator[pd.DataFrame]:
        for part in range(job.n_parts):
            frame = job.read(part, list(dict.fromkeys(columns))).to_pandas()
            chosen = frame.loc[:, list(columns)].copy()
            chosen.isetitem(0, frame["cell_id"].str.rpartition("/")[2])
            yield chosen

    write_csv_parts(out, header, frames())


def remove(job: Job) -> None:
    """Remove the parts once they were put together.

    The lock is left to `open_job`, which still holds it: Windows removes no file that is open.
    """
    for path in (p for p in job.folder.iterdir() if p.name not in (INDEX, LOCK)):
        path.unlink(missing_ok=True)
    (job.folder / INDEX).unlink()  # the last: until then the same command would go on
