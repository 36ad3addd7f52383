"""Read any supported layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError
from buffycoat.images import READABLE, is_image, survey
from buffycoat.optional import choose
from buffycoat.sources.beside import TABLE_SUFFIXES, read_beside, read_unlabelled
from buffycoat.sources.boxed import is_boxed, refusal
from buffycoat.sources.draft import Draft, finish, is_left_out
from buffycoat.sources.folders import find_pictures, read_folders
from buffycoat.sources.found import add_found, found_table
from buffycoat.sources.options import LABELS_FROM, Reading
from buffycoat.sources.parquet import columns_of, parquet_pictures, read_parquet_pictures
from buffycoat.sources.table import read_table
from buffycoat.sources.wbcbench import PARTS, read_kaggle

LAYOUTS: dict[str, Callable[[Path, Reading], Draft]] = {
    "kaggle": read_kaggle,
    "hugging_face": read_parquet_pictures,
    "folders": lambda folder, reading: read_folders(find_pictures(folder, reading), reading),
    "table": lambda path, reading: _read_tables(path, reading),
    "images": read_unlabelled,
}
"""Name of a layout -> its reader. "auto" takes folders and the tables in them together."""

SUPPORTED = (
    "supported: WBCBench's Kaggle layout (phase1_label.csv and phase1/, phase2_*.csv and phase2/), "
    "Parquet tables with pictures, a folder a class, names like SNE_1.jpg, pictures with a table "
    f"that names them, or unlabelled pictures ({READABLE})"
)


def read(path: str | Path, layout: str = "auto", reading: Reading | None = None) -> Manifest:
    """Read a data set.

    Args:
        path: A folder, a table or an image.
        layout: A key of `LAYOUTS`, or "auto" to tell by what is there.
        reading: Where the layout leaves a choice; None takes none.

    Returns:
        The cells, with the statement of what was read and what was not. File names and the order
        of rows never reach a model: only the manifest has them.

    Raises:
        ManifestError: No such path, nothing readable in it, or faults in it (all are listed).
        ConfigError: No such layout.
    """
    path, reading = Path(path), reading or Reading()
    choose({name: name for name in LABELS_FROM}, reading.labels_from, "labels_from")
    reader = None if layout == "auto" else choose(LAYOUTS, layout, "layout")
    if not path.exists():
        raise ManifestError(f"{path}: no such file or folder. Check the path")
    if layout in ("auto", "images") and is_boxed(path):
        raise refusal(path)
    if reader is None:
        reader = _detect_file(path) if path.is_file() else _detect_folder(path, reading)
    draft = reader(path, reading)
    table = found_table(path)
    return finish(draft if table is None else add_found(draft, table), path, reading)


def _detect_file(path: Path) -> Callable[[Path, Reading], Draft]:
    suffix = path.suffix.lower()
    if suffix == ".parquet" and "image" in columns_of(path):
        return LAYOUTS["hugging_face"]
    if suffix in TABLE_SUFFIXES and suffix not in (".txt", ".dat"):
        return read_table
    if is_image(path):
        return read_unlabelled
    if suffix in TABLE_SUFFIXES:
        return read_table
    raise ManifestError(f"{path}: a file of a kind that cannot be read. {SUPPORTED}")


def _detect_folder(folder: Path, reading: Reading) -> Callable[[Path, Reading], Draft]:
    if _is_kaggle(folder):
        return read_kaggle
    inner = sorted(child for child in folder.iterdir() if child.is_dir() and _is_kaggle(child))
    if inner:
        raise ManifestError(f"{folder}: the data are one folder down; give {inner[0]}")
    if next(folder.iterdir(), None) is None:
        raise ManifestError(f"{folder}: the folder is empty; {SUPPORTED}")
    tables = parquet_pictures(folder, reading)
    if not tables:
        return lambda path, reading: read_beside(find_pictures(path, reading), reading)
    wanted = (path.relative_to(folder).as_posix() for path in survey(folder).images)
    pictures = [name for name in wanted if is_left_out(name, reading.leave_out) is None]
    if pictures:
        names = ", ".join(path.relative_to(folder).as_posix() for path in tables[:3])
        raise ManifestError(
            f"{folder}: pictures stand in Parquet tables ({names}) and in {len(pictures)} files "
            f"(such as {pictures[0]}). Say which are meant: --layout hugging_face, --layout "
            "folders, or --leave-out the names of the others"
        )
    return LAYOUTS["hugging_face"]


def _is_kaggle(folder: Path) -> bool:
    names = (*(part.csv for part in PARTS), "phase1", "phase2")
    return any((folder / name).exists() for name in names)


def _read_tables(path: Path, reading: Reading) -> Draft:
    """A table given by itself, or the tables of a folder."""
    if path.is_file():
        return read_table(path, reading)
    wanted = replace(reading, labels_from="tables")
    return read_beside(find_pictures(path, wanted), wanted)
