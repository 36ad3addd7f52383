"""WBCBench 2026 in its Hugging Face layout: Parquet with pairs and patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.cells import Manifest, manifest_error

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


def read_hugging_face(path: Path) -> Manifest:
    """Read the Parquet tables of the configs `pristine` and `degraded`.

    The config is the name of the table's folder, or how the table's own name begins. Pristine
    images of eval and test cells are left out, by their own split and by the degraded cells that
    name them: with them in training, the answers would be known. `notes` says how many.

    Args:
        path: A folder with Parquet tables at any depth, or one table.

    Returns:
        `path` is `FILE.parquet#ROW`; `patient_id` is the patient hash; `original_id` of a
        degraded cell is the `cell_id` of its pristine twin; `source` is the config. File names
        and row order stay in the manifest and never reach a model.

    Raises:
        ManifestError: Lists every fault with its file and row.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    faults: list[str] = []
    rows = [row for file in files for row in _read_table(file, path, faults)]
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
    return Manifest.from_frame(frame.iloc[np.flatnonzero(~is_twin)], "wbcbench", notes)


def _name_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Tell twins apart where both configs use one id, and let `original_id` follow."""
    is_pristine = frame["source"] == "pristine"
    shared = set(frame.loc[is_pristine, "cell_id"]) & set(frame.loc[~is_pristine, "cell_id"])
    new_id = {cell_id: f"pristine/{cell_id}" for cell_id in shared}
    frame["cell_id"] = frame["cell_id"].where(~is_pristine, frame["cell_id"].replace(new_id))
    frame["original_id"] = frame["original_id"].replace(new_id)
    return frame


def _is_held_out_twin(frame: pd.DataFrame) -> np.ndarray:
    is_pristine = (frame["source"] == "pristine").to_numpy(dtype=bool)
    is_held_out = (frame["split"] != "train").to_numpy(dtype=bool)
    twins = frame["original_id"].to_numpy(dtype=object)[~is_pristine & is_held_out]
    originals = [twin for twin in twins if pd.notna(twin)]
    return is_pristine & (is_held_out | frame["cell_id"].isin(originals).to_numpy(dtype=bool))


def _read_table(file: Path, root: Path, faults: list[str]) -> list[dict[str, object]]:
    import pyarrow
    import pyarrow.parquet

    name = file.name if file == root else file.relative_to(root).as_posix()
    config = _config_of(name) or _config_of(file.resolve().parent.name)
    if config is None:
        faults.append(f"{name}: neither its folder nor its name begins with {' or '.join(CONFIGS)}")
        return []
    try:
        schema = pyarrow.parquet.read_schema(file)
        missing = [column for column in REQUIRED if column not in schema.names]
        if missing:
            faults.append(
                f"{name}: column {', '.join(map(repr, missing))} is missing; "
                f"it has {', '.join(schema.names)}"
            )
            return []
        columns = [c for c in (*REQUIRED, *OPTIONAL) if c in schema.names and c != "image"]
        table = pyarrow.parquet.ParquetFile(file).read(columns=columns).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        faults.append(f"{name}: not a readable Parquet table ({error}). Download it again")
        return []
    names = _label_names(schema)
    rows = []
    for number, cell in enumerate(table):
        row = _read_row(cell, config, names, f"{name} row {number}", faults)
        rows.append({**row, "path": f"{file}#{number}", "source": config})
    return rows


def _config_of(name: str) -> str | None:
    parts = name.lower().split("/")
    return next((c for c in CONFIGS for part in parts if part.startswith(c)), None)


def _label_names(schema: Any) -> list[str]:
    """Class names that `datasets` keeps beside the schema where labels are stored as numbers."""
    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    label = metadata.get("info", {}).get("features", {}).get("label", {})
    return list(label.get("names", []))


def _read_row(
    cell: dict[str, Any], config: str, names: list[str], where: str, faults: list[str]
) -> dict[str, object]:
    split = SPLITS.get(str(cell["wbcbench_split"]))
    if split is None:
        faults.append(
            f"{where}: wbcbench_split {cell['wbcbench_split']!r}, expected {', '.join(SPLITS)}"
        )
    label = cell["label"]
    if isinstance(label, int):
        if label >= len(names):
            faults.append(f"{where}: label {label} is a number that the table gives no name for")
        label = names[label] if 0 <= label < len(names) else None
    if not label and split in ("train", "eval"):
        faults.append(f"{where}: label is empty in split {cell['wbcbench_split']!r}")
    severity = cell.get("severity")
    return {
        "cell_id": cell["image_id"],
        "label": label or None,
        "split": split,
        "severity": 0 if severity is None and config == "pristine" else severity,
        "original_id": cell.get("original_image_id"),
        "patient_id": cell.get("patient_hash"),
    }
