"""WBCBench 2026 in its Kaggle layout (arXiv 2604.10797)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from buffycoat.cells import Manifest, manifest_error
from buffycoat.errors import ManifestError
from buffycoat.images import list_images
from buffycoat.sources.csv_rows import read_csv


@dataclass(frozen=True)
class _Part:
    """One label file and the folder that it describes."""

    name: str
    csv: str
    folder: str
    split: str
    severity: int | None = None

    @property
    def is_labelled(self) -> bool:
        return self.split != "test"


PARTS = (
    _Part("phase1", "phase1_label.csv", "phase1", "train", severity=0),
    _Part("phase2_train", "phase2_train.csv", "phase2/train", "train"),
    _Part("phase2_eval", "phase2_eval.csv", "phase2/eval", "eval"),
    _Part("phase2_test", "phase2_test.csv", "phase2/test", "test"),
)
"""phase1 is pristine. `phase2/eval_pristine/`, where there is one, is the clean twin of eval and
is never read: it may not be used in training."""


def read_kaggle(folder: Path, taxonomy_codes: Collection[str] | None = None) -> Manifest:
    """Read the Kaggle layout.

    The files' names and the order of rows carry the patient and so the label (copying the label
    of the row before scores 0.91 on eval): they stay in the manifest and never reach a model.

    Args:
        folder: Holds `phase1/`, `phase2/` and the label files. A part of which both folder and
            label file are missing is left out.
        taxonomy_codes: The labels allowed; None allows all.

    Returns:
        phase1 and phase2_train as split "train", eval as "eval", test as "test"; `source` names
        the part. Severity is 0 in phase1, and in eval as `phase2_eval_severity.csv` says.

    Raises:
        ManifestError: Lists every fault with its file and line: a missing column, an empty or
            double ID, an ID without a file, a file without an ID, a missing or unknown label.
    """
    faults: list[str] = []
    seen: dict[str, str] = {}
    rows: list[dict[str, object]] = []
    for part in PARTS:
        has_csv, has_folder = (folder / part.csv).is_file(), (folder / part.folder).is_dir()
        if not has_csv and not has_folder:
            continue
        if not has_csv or not has_folder:
            there, lost = (
                (part.csv, part.folder + "/") if has_csv else (part.folder + "/", part.csv)
            )
            faults.append(f"{there} is there, but {lost} is missing")
            continue
        rows += _read_part(folder, part, taxonomy_codes, seen, faults)
    if not faults and not any(row["split"] != "test" for row in rows):
        faults.append(
            "no labelled cells; expected one of "
            + ", ".join(f"{part.csv} with {part.folder}/" for part in PARTS if part.is_labelled)
        )
    if faults:
        raise manifest_error(str(folder), faults)
    return Manifest.from_frame(pd.DataFrame(rows), "wbcbench")


def _read_part(
    folder: Path,
    part: _Part,
    taxonomy_codes: Collection[str] | None,
    seen: dict[str, str],
    faults: list[str],
) -> list[dict[str, object]]:
    try:
        table = read_csv(folder / part.csv, ("ID", "labels"))
    except ManifestError as error:
        faults.append(str(error))
        return []
    severities = _read_severities(folder, part, faults)
    home = folder / part.folder
    files = {path.name for path in list_images(home) if path.parent == home}
    unused = set(files)
    rows = []
    for number, row in table:
        where, name, label = f"{part.csv} line {number}", row.get("ID", ""), row.get("labels", "")
        faults += _row_faults(where, name, label, part, files, taxonomy_codes)
        if name in seen:
            faults.append(f"{where}: ID {name!r} is used twice, first in {seen[name]}")
        elif name:
            seen[name] = where
        unused.discard(name)
        rows.append(
            {
                "cell_id": name,
                "path": str(folder / part.folder / name),
                "label": label or None,
                "split": part.split,
                "severity": severities.get(name, part.severity),
                "source": part.name,
            }
        )
    faults += [f"{part.folder}/{name}: has no row in {part.csv}" for name in sorted(unused)]
    strangers = sorted(set(severities) - {str(row["cell_id"]) for row in rows})
    faults += [f"{part.name}_severity.csv: ID {name!r} is not in {part.csv}" for name in strangers]
    return rows


def _row_faults(
    where: str,
    name: str,
    label: str,
    part: _Part,
    files: Collection[str],
    taxonomy_codes: Collection[str] | None,
) -> list[str]:
    faults = []
    if not name:
        faults.append(f"{where}: ID is empty")
    elif name not in files:
        faults.append(f"{where}: ID {name!r} has no file in {part.folder}/")
    if not label and part.is_labelled:
        faults.append(f"{where}: labels is empty")
    elif label and taxonomy_codes is not None and label not in taxonomy_codes:
        faults.append(f"{where}: unknown label {label!r}, expected {', '.join(taxonomy_codes)}")
    return faults


def _read_severities(folder: Path, part: _Part, faults: list[str]) -> dict[str, int]:
    path = folder / f"{part.name}_severity.csv"
    if not path.is_file():
        return {}
    try:
        table = read_csv(path, ("ID", "severity"))
    except ManifestError as error:
        faults.append(str(error))
        return {}
    severities = {}
    for number, row in table:
        text = row.get("severity", "")
        if text in ("0", "1", "2", "3", "4"):
            severities[row["ID"]] = int(text)
        else:
            faults.append(f"{path.name} line {number}: severity {text!r}, expected 0 to 4")
    return severities
