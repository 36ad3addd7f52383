"""Where `restore` writes each picture, and what it remembers of those that are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from buffycoat.cells import Manifest, manifest_error
from buffycoat.errors import OutputError
from buffycoat.images import CONTACT_SHEET, SUFFIXES, write_atomic

TABLE = "restoration.csv"
BAD = "bad-cells.csv"
JOURNAL = ".restore-journal.jsonl"
FIELDS = {"out", "key", "picture", "row"}


@dataclass(frozen=True)
class Job:
    """One picture to write.

    Attributes:
        cell_id: The cell.
        path: Its file.
        out: The picture to write, relative to the folder of results, with slashes.
    """

    cell_id: str
    path: str
    out: str


def plan(manifest: Manifest, source: Path, out: Path) -> list[Job]:
    """The picture that each cell becomes.

    Args:
        manifest: The cells.
        source: The folder, image or table that they were read from.
        out: Folder of results.

    Returns:
        One job a cell, in the manifest's order.

    Raises:
        OutputError: Results would lie among the originals, or on files of somebody else.
        ManifestError: Lists all cells that would share a picture.
    """
    inside = source.resolve()
    if source.is_dir() and inside in (out.resolve(), *out.resolve().parents):
        raise OutputError(
            f"{out}: is {source} or lies in it, so that results would mix with the originals and "
            "be restored again. Choose a folder beside it"
        )
    root = source if source.is_dir() else source.parent
    cells = zip(manifest.frame["cell_id"], manifest.frame["path"], strict=True)
    jobs = [Job(str(i), str(path), _picture(str(i), str(path), root)) for i, path in cells]
    faults = _collisions(jobs, out)
    if faults:
        raise manifest_error(str(source), faults)
    if not (out / JOURNAL).exists():
        for name in (*(job.out for job in jobs), CONTACT_SHEET, TABLE, BAD):
            if (out / name).exists():
                raise OutputError(
                    f"{out / name}: is there already and not from this command, which writes a "
                    "file of that name. Choose an empty folder; nothing was written"
                )
    return jobs


def _picture(cell_id: str, path: str, root: Path) -> str:
    if ".parquet#" in path:
        name = PurePosixPath(cell_id)
    else:
        file = Path(path)
        name = PurePosixPath(file.relative_to(root) if file.is_relative_to(root) else file)
    # In IM.0001 what follows the dot is the name of the cell.
    stem = name.stem if name.suffix.lower() in SUFFIXES else name.name
    if name.is_absolute() or ".." in name.parts:
        name = PurePosixPath(name.name)
    return (name.parent / f"{stem}.png").as_posix()


def _collisions(jobs: Sequence[Job], out: Path) -> list[str]:
    faults = []
    originals = {Path(job.path).resolve(): job.path for job in jobs}
    first: dict[str, str] = {CONTACT_SHEET: f"the contact sheet {CONTACT_SHEET}"}
    for job in jobs:
        other = first.setdefault(job.out, job.path)
        if other != job.path:
            faults.append(
                f"{job.path} and {other} would both be written to {out / job.out}; rename one"
            )
        original = originals.get((out / job.out).resolve())
        if original is not None:
            faults.append(f"{job.path} would be written over the original {original}")
    return faults


class Journal:
    """Cells that are done, so that a killed run goes on; what is damaged in it is not believed.

    Args:
        out: Folder of results.
        bundle_key: What the results depend on beside the photographs.
    """

    def __init__(self, out: Path, bundle_key: str) -> None:
        self.out = out
        self.path = out / JOURNAL
        self.bundle_key = bundle_key
        self._done: dict[str, dict[str, Any]] = {}
        data = self.path.read_bytes() if self.path.exists() else b""
        for line in data.splitlines():
            entry = _parse(line)
            if entry is not None:
                self._done[entry["out"]] = entry
        # The first byte ends a line that a kill tore, so that the next one is read by itself.
        self._file = open(self.path, "ab")  # noqa: SIM115
        self._file.write(b"\n" if data and not data.endswith(b"\n") else b"")
        self._file.flush()

    def key(self, data: bytes) -> str:
        """Fingerprint of a photograph's bytes and of the bundle."""
        return hashlib.sha256(self.bundle_key.encode() + data).hexdigest()

    def find(self, job: Job, key: str) -> dict[str, Any] | None:
        """What was written in the table for a cell, if its picture is there and still right."""
        entry = self._done.get(job.out)
        if entry is None or entry["key"] != key:
            return None
        try:
            picture = (self.out / job.out).read_bytes()
        except OSError:
            return None
        return entry["row"] if _sha256(picture) == entry["picture"] else None

    def add(self, job: Job, key: str, row: dict[str, Any]) -> None:
        """Remember a cell whose picture was just written."""
        picture = _sha256((self.out / job.out).read_bytes())
        entry = {"out": job.out, "key": key, "picture": picture, "row": row}
        self._done[job.out] = entry
        self._file.write(_line(entry))
        self._file.flush()

    def close(self, jobs: Iterable[Job] | None = None) -> None:
        """Stop writing.

        Args:
            jobs: All that was done: the others are forgotten; None keeps the file as it is.
        """
        self._file.close()
        if jobs is not None:
            write_atomic(self.path, b"".join(_line(self._done[job.out]) for job in jobs))


def _line(entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, sort_keys=True)
    return json.dumps({"entry": text, "check": _sha256(text.encode())}).encode() + b"\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        outer = json.loads(line)
        text = outer["entry"]
        entry = json.loads(text)
        is_whole = _sha256(text.encode()) == outer["check"] and entry.keys() >= FIELDS
        return entry if is_whole else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
