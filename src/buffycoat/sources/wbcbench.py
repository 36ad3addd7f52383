"""WBCBench 2026 in its Kaggle layout (arXiv 2604.10797)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.images import list_images, survey
from buffycoat.sources.draft import Draft, is_left_out
from buffycoat.sources.options import Reading
from buffycoat.tables import read_rows

LAYOUT = "WBCBench's Kaggle layout"
"""How the data lie, in words; such data are scored by macro-F1 on a natural stream."""


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


def read_kaggle(folder: Path, reading: Reading) -> Draft:
    """Read the Kaggle layout.

    The files' names and the order of rows carry the patient and so the label (copying the label
    of the row before scores 0.91 on eval): they stay in the manifest and never reach a model.

    Args:
        folder: Holds `phase1/`, `phase2/` and the label files. A part of which both folder and
            label file are missing is left out.
        reading: Files and folders to leave out.

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
        rows += _read_part(folder, part, seen, faults)
    if not faults and not any(row["split"] != "test" for row in rows):
        faults.append(
            "no labelled cells; expected one of "
            + ", ".join(f"{part.csv} with {part.folder}/" for part in PARTS if part.is_labelled)
        )
    if faults:
        raise manifest_error(str(folder), faults)
    left_out: Counter[str] = Counter()
    kept = []
    for row in rows:
        name = Path(str(row["path"])).relative_to(folder).as_posix()
        pattern = is_left_out(name, reading.leave_out)
        if pattern is None:
            kept.append(row)
        else:
            left_out[pattern] += 1
    used, not_used, others = _rest(folder, {str(row["path"]) for row in rows})
    return Draft(
        pd.DataFrame(kept, columns=list(rows[0])),
        "wbcbench",
        LAYOUT,
        len(rows),
        label_from="column labels of the tables",
        split_from="which table names the cell",
        not_looked_at=others,
        used=used,
        not_used=not_used,
        left_out=left_out,
    )


def _rest(
    folder: Path, paths: Collection[str]
) -> tuple[tuple[str, ...], dict[str, str], dict[str, tuple[str, ...]]]:
    """Tables used, tables not used and why, and other files that were not looked at."""
    found = survey(folder)
    read = {part.csv for part in PARTS} | {f"{part.name}_severity.csv" for part in PARTS}
    used, not_used, others = [], {}, defaultdict(list)
    for path in found.images:
        name = path.relative_to(folder).as_posix()
        if str(path) not in paths:
            home = name.rpartition("/")[0]
            others[f"in {home}/, no part of the layout" if home else "at the top"].append(name)
    for other in found.others:
        name = other.path.relative_to(folder).as_posix()
        if name in read:
            used.append(name)
        elif other.kind == "table":
            not_used[name] = "no part of the layout"
        else:
            others[other.why].append(name)
    return tuple(used), not_used, {why: tuple(names) for why, names in others.items()}


def _read_part(
    folder: Path,
    part: _Part,
    seen: dict[str, str],
    faults: list[str],
) -> list[dict[str, object]]:
    try:
        table = read_rows(folder / part.csv, ("ID", "labels"))
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
        faults += _row_faults(where, name, label, part, files)
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
) -> list[str]:
    faults = []
    if not name:
        faults.append(f"{where}: ID is empty")
    elif name not in files:
        faults.append(f"{where}: ID {name!r} has no file in {part.folder}/")
    if not label and part.is_labelled:
        faults.append(f"{where}: labels is empty")
    return faults


def _read_severities(folder: Path, part: _Part, faults: list[str]) -> dict[str, int]:
    path = folder / f"{part.name}_severity.csv"
    if not path.is_file():
        return {}
    try:
        table = read_rows(path, ("ID", "severity"))
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
