"""Plain image files: one folder a class, names that begin with a class code, or neither."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from buffycoat.cells import Manifest, manifest_error
from buffycoat.images import list_images
from buffycoat.taxonomy import BUILT_IN

SPLIT_FOLDERS = {
    "train": "train",
    "eval": "eval",
    "val": "eval",
    "valid": "eval",
    "validation": "eval",
    "test": "test",
}
"""A first folder of this name is a split, not a class."""

_CODES = frozenset(code for taxonomy in BUILT_IN.values() for code in taxonomy.codes)
_PREFIX = re.compile(r"([A-Za-z]+)_")


def read_folders(folder: Path) -> Manifest:
    """Read labels from folder names, and from names like `SNE_123.jpg`.

    A name that begins with a built-in class code says more than its folder (PBC keeps `SNE_1.jpg`
    and `BNE_1.jpg` in `neutrophil/`) and wins; a folder that is itself another class code
    contradicts it. The names stay in the manifest and never reach a model.

    Args:
        folder: `CLASS/NAME.jpg` or `CODE_ID.jpg`, optionally under `train/`, `val/` or `test/`.
            Images of which none has a class are unlabelled cells.

    Returns:
        Labelled cells as split "train" unless a folder says otherwise; unlabelled ones as "test".

    Raises:
        ManifestError: No image, or lists every contradiction and every image without a class
            beside ones that have one.
    """
    paths = list_images(folder)
    if not paths:
        raise manifest_error(str(folder), ["no image in it, at any depth"])
    faults: list[str] = []
    rows = [_read_one(path.relative_to(folder), faults) for path in paths]
    is_flat = all(path.parent == folder for path in paths)
    lost = [row for row in rows if row["label"] is None and row["split"] != "test"]
    notes = []
    if len(lost) < len(rows) and lost and is_flat:
        notes.append(
            f"{len(rows) - len(lost)} of {len(rows)} names begin with a class code: not all do, "
            "so all cells are taken as unlabelled"
        )
        rows = [{**row, "label": None} for row in rows]
    elif len(lost) < len(rows):
        faults += [
            f"{row['name']}: has no class; put it in a folder named after its class" for row in lost
        ]
    if faults:
        raise manifest_error(str(folder), faults)
    return _to_manifest(folder, paths, rows, notes)


def read_images(path: Path) -> Manifest:
    """Read every image as an unlabelled cell, whatever the names of files and folders say.

    Args:
        path: A folder, or one image.

    Raises:
        ManifestError: No image.
    """
    paths = [path] if path.is_file() else list_images(path)
    if not paths:
        raise manifest_error(str(path), ["no image in it, at any depth"])
    folder = path.parent if path.is_file() else path
    return _to_manifest(folder, paths, [{"label": None, "split": None}] * len(paths), [])


def unique_ids(names: list[str]) -> list[str]:
    """Ids for relative paths: the file names if they differ, else the paths."""
    short = [name.rpartition("/")[2] for name in names]
    return short if max(Counter(short).values(), default=0) < 2 else names


def _read_one(relative: Path, faults: list[str]) -> dict[str, str | None]:
    *folders, name = relative.parts
    split = SPLIT_FOLDERS.get(folders[0].lower()) if folders else None
    if split is not None:
        folders = folders[1:]
    match = _PREFIX.match(name)
    code = match[1] if match and match[1] in _CODES else None
    parent = folders[-1] if folders else None
    if code and parent in _CODES and parent != code:
        faults.append(f"{relative.as_posix()}: the folder says {parent}, the name says {code}")
    return {"name": relative.as_posix(), "label": code or parent, "split": split}


def _to_manifest(
    folder: Path, paths: list[Path], rows: list[dict[str, str | None]], notes: list[str]
) -> Manifest:
    unnamed = [path for path in paths if not _is_utf8(path)]
    faults = [f"{str(path)!a}: the name is not UTF-8; rename it" for path in unnamed]
    if faults:
        raise manifest_error(str(folder), faults)
    frame = pd.DataFrame(
        {
            "cell_id": unique_ids([path.relative_to(folder).as_posix() for path in paths]),
            "path": [str(path) for path in paths],
            "label": [row["label"] for row in rows],
            "split": [row["split"] or ("train" if row["label"] else "test") for row in rows],
        }
    )
    return Manifest.from_frame(frame, "folders", notes)


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
