"""Read any supported layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError
from buffycoat.images import READABLE, is_image, list_images
from buffycoat.optional import choose
from buffycoat.sources.csv_rows import read_csv
from buffycoat.sources.folders import read_folders, read_images
from buffycoat.sources.hugging_face import read_hugging_face
from buffycoat.sources.table import read_table
from buffycoat.sources.wbcbench import PARTS, read_kaggle

LAYOUTS: dict[str, Callable[[Path], Manifest]] = {
    "kaggle": read_kaggle,
    "hugging_face": read_hugging_face,
    "folders": read_folders,
    "table": read_table,
    "images": read_images,
}
"""Name of a layout -> its reader."""

RESULTS = (".bad.csv", ".png.csv", "restoration.csv", "bad-cells.csv")
"""How the names of lists end that commands leave, perhaps among cells: no data set is meant."""

SUPPORTED = (
    "supported: WBCBench's Kaggle layout (phase1_label.csv and phase1/, phase2_*.csv and phase2/), "
    "WBCBench's Parquet tables (pristine/, degraded/), a folder a class or names like SNE_1.jpg, "
    "a CSV or Parquet table with a column 'path', or unlabelled images "
    f"({READABLE})"
)


def read(path: str | Path, layout: str = "auto") -> Manifest:
    """Read a data set.

    Args:
        path: A folder, a table or an image.
        layout: A key of `LAYOUTS`, or "auto" to tell by what is there.

    Returns:
        The cells. File names and the order of rows never reach a model: only the manifest has
        them.

    Raises:
        ManifestError: No such path, nothing readable in it, or faults in it (all are listed).
        ConfigError: No such layout.
    """
    path = Path(path)
    reader = None if layout == "auto" else choose(LAYOUTS, layout, "layout")
    if not path.exists():
        raise ManifestError(f"{path}: no such file or folder. Check the path")
    if layout == "table" and path.is_dir():
        path = _only_table(path)
    if reader is None:
        name = _detect_file(path) if path.is_file() else _detect_folder(path)
        if name == "table" and path.is_dir():
            path = _tables(path)[0]
        reader = LAYOUTS[name]
    return reader(path)


def _detect_file(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return "hugging_face" if "image_id" in _parquet_columns(path) else "table"
    if suffix == ".csv":
        return "table"
    if is_image(path):
        return "images"
    raise ManifestError(f"{path}: a file of a kind that cannot be read. {SUPPORTED}")


def _detect_folder(folder: Path) -> str:
    if _is_kaggle(folder):
        return "kaggle"
    inner = sorted(child for child in folder.iterdir() if child.is_dir() and _is_kaggle(child))
    if inner:
        raise ManifestError(f"{folder}: the data are one folder down; give {inner[0]}")
    if len(_tables(folder)) == 1:
        return "table"
    if list_images(folder):
        return "folders"
    if next(folder.rglob("*.parquet"), None):
        return "hugging_face"
    if next(folder.iterdir(), None) is None:
        raise ManifestError(f"{folder}: the folder is empty; {SUPPORTED}")
    raise ManifestError(f"{folder}: no cells found in this folder; {SUPPORTED}")


def _is_kaggle(folder: Path) -> bool:
    names = (*(part.csv for part in PARTS), "phase1", "phase2")
    return any((folder / name).exists() for name in names)


def _only_table(folder: Path) -> Path:
    found = _tables(folder)
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "none"
    raise ManifestError(f"{folder}: expected one table with a column 'path', found {names}")


def _tables(folder: Path) -> list[Path]:
    """Tables of cells directly in a folder: those with a column `path`, but for our own lists."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith(RESULTS):
            continue
        if path.suffix.lower() == ".parquet" and "path" in _parquet_columns(path):
            found.append(path)
        elif path.suffix.lower() == ".csv":
            try:
                read_csv(path, ("path",))
            except ManifestError:
                continue  # some other CSV file: not the table that is looked for
            found.append(path)
    return found


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(path).names
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(
            f"{path}: not a readable Parquet table ({error}). Download it again"
        ) from error
