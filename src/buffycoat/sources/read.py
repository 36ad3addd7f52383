"""Read any supported layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError
from buffycoat.images import READABLE, check_pictures, is_image
from buffycoat.optional import choose
from buffycoat.sources.beside import TABLE_SUFFIXES, read_beside
from buffycoat.sources.draft import Draft, finish
from buffycoat.sources.folders import find_pictures, read_folders, read_images
from buffycoat.sources.hugging_face import read_hugging_face
from buffycoat.sources.options import LABELS_FROM, Reading
from buffycoat.sources.table import read_table
from buffycoat.sources.wbcbench import PARTS, read_kaggle

LAYOUTS: dict[str, Callable[[Path, Reading], Draft]] = {
    "kaggle": read_kaggle,
    "hugging_face": lambda path, reading: _read_parquet_pictures(path),
    "folders": lambda folder, reading: read_folders(find_pictures(folder, reading), reading),
    "table": lambda path, reading: _read_tables(path, reading),
    "images": read_images,
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
    if reader is None:
        reader = _detect_file(path) if path.is_file() else _detect_folder(path)
    return finish(reader(path, reading), path, reading)


def _detect_file(path: Path) -> Callable[[Path, Reading], Draft]:
    suffix = path.suffix.lower()
    if suffix == ".parquet" and "image" in _parquet_columns(path):
        return LAYOUTS["hugging_face"]
    if suffix in TABLE_SUFFIXES and suffix not in (".txt", ".dat"):
        return read_table
    if is_image(path):
        return read_images
    if suffix in TABLE_SUFFIXES:
        return read_table
    raise ManifestError(f"{path}: a file of a kind that cannot be read. {SUPPORTED}")


def _detect_folder(folder: Path) -> Callable[[Path, Reading], Draft]:
    if _is_kaggle(folder):
        return read_kaggle
    inner = sorted(child for child in folder.iterdir() if child.is_dir() and _is_kaggle(child))
    if inner:
        raise ManifestError(f"{folder}: the data are one folder down; give {inner[0]}")
    if _has_parquet_pictures(folder):
        return LAYOUTS["hugging_face"]
    if next(folder.iterdir(), None) is None:
        raise ManifestError(f"{folder}: the folder is empty; {SUPPORTED}")
    return lambda path, reading: read_beside(find_pictures(path, reading), reading)


def _is_kaggle(folder: Path) -> bool:
    names = (*(part.csv for part in PARTS), "phase1", "phase2")
    return any((folder / name).exists() for name in names)


def _read_tables(path: Path, reading: Reading) -> Draft:
    """A table given by itself, or the tables of a folder."""
    if path.is_file():
        return read_table(path, reading)
    wanted = replace(reading, labels_from="tables")
    return read_beside(find_pictures(path, wanted), wanted)


def _read_parquet_pictures(path: Path) -> Draft:
    tables = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    found = read_hugging_face(path)
    for table in tables:
        if "image" in _parquet_columns(table):
            check_pictures(table)
    return Draft(
        found.frame,
        "hugging_face",
        "Parquet tables with pictures",
        len(found),
        label_from="the column of labels",
        split_from="the tables",
        notes=found.notes,
    )


def _has_parquet_pictures(folder: Path) -> bool:
    return any("image" in _parquet_columns(path) for path in sorted(folder.rglob("*.parquet"))[:50])


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(path).names
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(
            f"{path}: not a readable Parquet table ({error}). Download it again"
        ) from error
