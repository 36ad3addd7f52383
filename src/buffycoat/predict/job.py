"""A long prediction in parts: what is done stays done, whoever is killed.

A job is a folder. `_job.json` says what it is of, each part is a Parquet table of its own, written
whole or not at all, and its unreadable cells stand in the part's own metadata. The same call goes
on with the parts that are missing or cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from buffycoat.cells import PLACE, Manifest
from buffycoat.errors import OutputError
from buffycoat.fuse.label_rule import Objective
from buffycoat.images import BadCell, only_writer, write_atomic, writing
from buffycoat.images.lock import LOCK

FORMAT = 3
PART_CELLS = 1024
"""A kill loses less than this; a part is some 100 kB."""
OF_CELLS = ("patient_id", "slide_id", "um_per_px")
"""Columns of a manifest that stand in a part, or decide what is seen of a picture."""
INDEX = "_job.json"
"""Readers of a folder of Parquet files leave out names that begin with an underscore."""
_BAD = b"bad_cells"
_MEANING = {
    "bundle_sha256": "the bundle",
    "cells_sha256": "the cells (ids, files, sites, patients, slides, scales, fields or order)",
    "asked": "the columns",
    "prior": "the prior",
    "objective": "what labels maximise",
    "part_cells": "the size of a part",
    "format": "the version of buffycoat",
}


@dataclass(frozen=True)
class Task:
    """What a job is of; another task is another job.

    Attributes:
        bundle_sha256: Of the bundle's index.
        cells_sha256: Of ids, files, sites, patients, slides, scales and fields of all cells, in
            order.
        asked: Columns that were asked for, which say what is computed.
        columns: Of every part.
        prior: Class mix that was asked for, if any.
        objective: What labels shall maximise, if that was asked for.
        part_cells: Cells in a part.
        format: Of the folder.
    """

    bundle_sha256: str
    cells_sha256: str
    asked: tuple[str, ...]
    columns: tuple[str, ...]
    prior: str | None
    objective: Objective | None
    part_cells: int
    format: int = FORMAT


@dataclass(frozen=True)
class Job:
    """A task, and the folder where its parts are.

    Attributes:
        folder: Where.
        task: Of what.
        n_cells: Cells of all parts.
    """

    folder: Path
    task: Task
    n_cells: int

    @property
    def n_parts(self) -> int:
        """Parts in all."""
        return -(-self.n_cells // self.task.part_cells)

    def rows(self, part: int) -> slice:
        """Rows of the manifest that a part is of."""
        start = part * self.task.part_cells
        return slice(start, min(start + self.task.part_cells, self.n_cells))

    def size(self, part: int) -> int:
        """Cells of a part."""
        rows = self.rows(part)
        return rows.stop - rows.start

    def path(self, part: int) -> Path:
        """File of a part."""
        return self.folder / f"part-{part:07d}.parquet"

    def missing(self) -> list[int]:
        """Parts that are not there, or that were cut."""
        return [part for part in range(self.n_parts) if not self.is_whole(part)]

    def write(self, part: int, table: pa.Table, bad: Sequence[BadCell]) -> None:
        """Keep a part, whole or not at all.

        Raises:
            OutputError: The disk is full, or the folder may not be written to.
        """
        text = json.dumps([asdict(cell) for cell in bad])
        table = table.replace_schema_metadata({_BAD: text.encode()})
        with writing(self.path(part)) as place:
            pq.write_table(table, place, write_page_checksum=True)

    def read(self, part: int, columns: Sequence[str] | None = None) -> pa.Table:
        """A part that is there.

        Raises:
            OutputError: It was damaged after it was written.
        """
        path = self.path(part)
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                return file.read(columns=None if columns is None else list(columns))
        except (OSError, pa.ArrowException) as error:
            raise OutputError(
                f"{path}: damaged since it was written ({error}). Remove it and run the same "
                "command again; only this part is predicted anew"
            ) from error

    def bad(self) -> Iterator[BadCell]:
        """Unreadable cells of all parts, in order."""
        for part in range(self.n_parts):
            metadata = pq.read_schema(self.path(part)).metadata or {}
            for cell in json.loads(metadata.get(_BAD, b"[]")):
                yield BadCell(**cell)

    def is_whole(self, part: int) -> bool:
        """Whether a part is there and was not cut."""
        path = self.path(part)
        if not path.is_file():
            return False
        try:
            metadata = pq.read_metadata(path)
        except (OSError, pa.ArrowException):
            return False
        stored = metadata.metadata or {}
        n_bad = len(json.loads(stored.get(_BAD, b"[]")))
        return metadata.num_rows + n_bad == self.size(part)


def task_of(
    manifest: Manifest,
    bundle_sha256: str,
    asked: Sequence[str],
    columns: Sequence[str],
    prior: str | None,
    objective: Objective | None = None,
) -> Task:
    """The task of predicting these cells; for the other arguments see `Task`."""
    digest = hashlib.sha256()
    sites = manifest.frame["site"].fillna("")
    for cell_id, ref, site in zip(manifest.frame["cell_id"], manifest.refs(), sites, strict=True):
        digest.update(f"{cell_id}\0{ref}\0{site}\n".encode())
    known = manifest.frame[list(OF_CELLS)]
    if known.notna().to_numpy().any():
        digest.update(known.to_csv(index=False).encode())
    if manifest.frame["field"].notna().to_numpy().any():
        places = manifest.frame[["slide_id", *PLACE.values()]]
        digest.update(places.to_csv(index=False).encode())
    return Task(
        bundle_sha256,
        digest.hexdigest(),
        tuple(asked),
        tuple(columns),
        prior,
        objective,
        PART_CELLS,
    )


@contextlib.contextmanager
def open_job(folder: Path, task: Task, n_cells: int) -> Iterator[Job]:
    """Begin a job, or go on with it; nobody else may work on it meanwhile.

    Args:
        folder: Of the job; made if need be.
        task: What it is of.
        n_cells: Cells in all.

    Raises:
        OutputError: The folder holds another task or something else, another command works on
            it, or it cannot be written.
    """
    index = folder / INDEX
    if folder.exists() and not index.exists() and any(p.name != LOCK for p in folder.iterdir()):
        raise OutputError(f"{folder}: is there already and is no job of `predict`. Choose another")
    try:
        with only_writer(folder):
            if index.exists():
                _check_same(folder, _read(index), asdict(task))
            else:
                write_atomic(index, json.dumps(asdict(task), indent=1).encode())
            for left in folder.glob(".part-*.parquet"):  # of a process that was killed in writing
                left.unlink(missing_ok=True)
            yield Job(folder, task, n_cells)
    finally:
        if not index.exists():  # the folder goes with the job
            with contextlib.suppress(OSError):  # another command may have begun a job there
                folder.rmdir()


def _read(index: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(index.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise OutputError(f"{index}: cannot be read ({error}). Remove its folder") from error


def _check_same(folder: Path, begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))
    changed = [words for name, words in _MEANING.items() if begun.get(name) != wanted[name]]
    if changed:
        raise OutputError(
            f"{folder}: holds parts of another prediction; what differs: {', '.join(changed)}. "
            "Results of two must not be mixed: choose another --out, or remove that folder to "
            "begin anew"
        )
