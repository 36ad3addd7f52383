"""Parquet tables of pictures: WBCBench 2026 with its pairs and patients, and the usual layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.cells import Manifest, manifest_error
from buffycoat.plurals import missing_columns
from buffycoat.sources.columns import ANNOTATIONS
from buffycoat.sources.hub import is_hub_table, read_hub
from buffycoat.sources.options import Reading
from buffycoat.tables import known_name
from buffycoat.tables.parquet import class_names, text_of

CONFIGS = ("pristine", "degraded")
REQUIRED = ("image", "image_id", "label", "wbcbench_split")
OPTIONAL = ("severity", "original_image_id", "patient_hash")
SPLITS = {
    "phase1": "train",
    "phase1_train": "train",
    "phase2_train": "train",
    "train": "train",
    "phase2_eval": "eval",
    "eval": "eval",
    "validation": "eval",
    "phase2_test": "test",
    "test": "test",
}
"""`wbcbench_split` -> split."""


def read_hugging_face(
    path: Path, files: Sequence[Path] | None = None, reading: Reading | None = None
) -> Manifest:
    """Read Parquet tables of pictures.

    Tables of pictures and labels, as they usually lie on the hub, are read by `hub.read_hub`. Of
    WBCBench the configs `pristine` and `degraded` are read: the config is the name of the table's
    folder, or how the table's own name begins. Pristine images of eval and test cells are left out,
    by their own split and by the degraded cells that name them: with them in training, the answers
    would be known. `notes` says how many.

    Args:
        path: A folder with Parquet tables at any depth, or one table.
        files: The tables; None takes all in the folder.
        reading: Whose names are looked for, and whether labels are asked for; None takes the
            defaults. Where they are not, cells have no label and no severity and are of split
            "test"; of WBCBench the splits are read all the same, to leave those images out.

    Returns:
        `path` is `FILE.parquet#ROW`; `patient_id` is the patient hash; `original_id` of a
        degraded cell is the `cell_id` of its pristine twin; `source` is the config. File names
        and row order stay in the manifest and never reach a model.

    Raises:
        ManifestError: Lists every fault with its file and row.
    """
    reading = reading or Reading()
    if files is None:
        files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    if any(is_hub_table(_columns_of(file)) for file in files):
        return read_hub(path, files, reading)
    faults: list[str] = []
    rows = [row for file in files for row in _read_table(file, path, reading, faults)]
    if not faults and not rows:
        faults.append("no rows in any Parquet table")
    if faults:
        raise manifest_error(str(path), faults)
    frame = _name_cells(pd.DataFrame(rows))
    is_twin = _is_held_out_twin(frame)
    notes = (
        [
            f"{int(is_twin.sum())} pristine images of eval and test cells were left out: "
            "they may not be used in training"
        ]
        if is_twin.any()
        else []
    )
    kept = frame.iloc[np.flatnonzero(~is_twin)]
    if not reading.needs_labels:
        kept = kept.assign(split="test", severity=None)
    return Manifest.from_frame(kept, "wbcbench", notes)


def _columns_of(file: Path) -> list[str]:
    """Names of a table's columns; none of a file that is no table, which is named later."""
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(file).names
    except (pyarrow.ArrowException, OSError):
        return []


def _name_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Mark ids of pristine cells, since both configs may use one; `original_id` is such an id."""
    is_pristine = frame["source"] == "pristine"
    frame["cell_id"] = frame["cell_id"].where(~is_pristine, "pristine/" + frame["cell_id"])
    frame["original_id"] = "pristine/" + frame["original_id"].astype("string")
    return frame


def _is_held_out_twin(frame: pd.DataFrame) -> np.ndarray:
    is_pristine = (frame["source"] == "pristine").to_numpy(dtype=bool)
    is_held_out = (frame["split"] != "train").to_numpy(dtype=bool)
    twins = frame["original_id"].to_numpy(dtype=object)[~is_pristine & is_held_out]
    originals = [twin for twin in twins if pd.notna(twin)]
    return is_pristine & (is_held_out | frame["cell_id"].isin(originals).to_numpy(dtype=bool))


def _read_table(
    file: Path, root: Path, reading: Reading, faults: list[str]
) -> list[dict[str, object]]:
    import pyarrow
    import pyarrow.parquet

    name = file.name if file == root else file.relative_to(root).as_posix()
    config = _config_of(name) or _config_of(file.resolve().parent.name)
    if config is None:
        faults.append(f"{name}: neither its folder nor its name begins with {' or '.join(CONFIGS)}")
        return []
    try:
        schema = pyarrow.parquet.read_schema(file)
        wanted = [c for c in (*REQUIRED, *OPTIONAL) if reading.needs_labels or c not in ANNOTATIONS]
        missing = [c for c in REQUIRED if c in wanted and c not in schema.names]
        if missing:
            faults.append(f"{name}: {missing_columns(missing)}; it has {', '.join(schema.names)}")
            return []
        columns = [c for c in wanted if c in schema.names and c != "image"]
        table = pyarrow.parquet.ParquetFile(file).read(columns=columns).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        faults.append(f"{name}: not a readable Parquet table ({error}). Download it again")
        return []
    names = class_names(schema).get("label", [])
    rows = []
    for number, cell in enumerate(table):
        row = _read_row(cell, config, names, f"{name} row {number}", faults)
        rows.append({**row, "path": f"{file}#{number}", "source": config})
    return rows


def _config_of(name: str) -> str | None:
    parts = name.lower().split("/")
    return next((c for c in CONFIGS for part in parts if part.startswith(c)), None)


def _read_row(
    cell: dict[str, Any], config: str, names: list[str], where: str, faults: list[str]
) -> dict[str, object]:
    split = SPLITS.get(str(cell["wbcbench_split"]))
    if split is None:
        faults.append(
            f"{where}: wbcbench_split {cell['wbcbench_split']!r}, expected {', '.join(SPLITS)}"
        )
    label = cell.get("label")
    if isinstance(label, int):
        if label >= len(names):
            faults.append(f"{where}: label {label} is a number that the table gives no name for")
        label = names[label] if 0 <= label < len(names) else None
    if "label" in cell and not label and split in ("train", "eval"):
        faults.append(f"{where}: label is empty in split {cell['wbcbench_split']!r}")
    severity = cell.get("severity")
    return {
        "cell_id": cell["image_id"],
        "label": label or None,
        "split": split,
        "severity": 0 if severity is None and config == "pristine" else severity,
        "original_id": cell.get("original_image_id"),
        "patient_id": known_name(text_of(cell.get("patient_hash"))),
    }
