"""Where `restore` writes each picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from buffycoat.cells import Manifest, manifest_error
from buffycoat.errors import OutputError
from buffycoat.images import CONTACT_SHEET, SUFFIXES
from buffycoat.predict.restore_journal import JOURNAL

TABLE = "restoration.csv"
BAD = "bad-cells.csv"


@dataclass(frozen=True)
class Job:
    """One picture to write.

    Attributes:
        cell_id: The cell.
        path: Its file.
        out: The picture to write, relative to the folder of results, with slashes.
        um_per_px: Micrometres that a pixel is wide, if known.
    """

    cell_id: str
    path: str
    out: str
    um_per_px: float | None = None


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
    cells = zip(manifest.frame["cell_id"].astype(str), manifest.refs(), strict=True)
    jobs = [Job(i, str(ref), _picture(i, str(ref), root), ref.um_per_px) for i, ref in cells]
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
        inside = file.relative_to(root) if file.is_relative_to(root) else Path(file.name)
        name = PurePosixPath(inside.as_posix())
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
