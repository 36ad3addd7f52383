from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from buffycoat.errors import ManifestError
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read as read_table
from buffycoat.splits import assign_folds


def _folder(folder: Path) -> Path:
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def _csv(folder: Path, text: str) -> Path:
    path = _folder(folder) / "cells.csv"
    path.write_text(text)
    return path


FULL = [
    ("a/1.png", "SNE", "p1", "s1", "train", 0, None, "c1"),
    ("a/2.png", "LY", "p2", "s1", "val", 3, "c1", "c2"),
    ("b/1.png", None, "p3", None, None, None, None, "c3"),
]
NAMES = ["path", "label", "patient_id", "slide_id", "split", "severity", "original_id", "cell_id"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_column_is_read(tmp_path: Path, form: str) -> None:
    table = pd.DataFrame(FULL, columns=NAMES)
    path = _folder(tmp_path) / f"cells.{form}"
    if form == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    manifest = read_table(path)
    frame = manifest.frame.set_index("cell_id")
    assert frame["path"].tolist() == [str(tmp_path / row[0]) for row in FULL]
    assert frame["split"].to_dict() == {"c1": "train", "c2": "eval", "c3": "test"}
    assert frame["label"].fillna("").tolist() == ["SNE", "LY", ""]
    assert frame["severity"].fillna(-1).tolist() == [0, 3, -1]
    assert frame["original_id"].fillna("").tolist() == ["", "c1", ""]
    assert manifest.has_patients
    assert manifest.notes == ()


def test_a_path_is_enough(tmp_path: Path) -> None:
    frame = read_table(_csv(tmp_path, "path\na/1.png\na/2.png\n")).frame
    assert frame["cell_id"].tolist() == ["a/1.png", "a/2.png"]
    frame = read_table(_csv(tmp_path, "path\na/1.png\nb/1.png\n")).frame
    assert frame["cell_id"].tolist() == ["a/1.png", "b/1.png"]


def test_other_columns_are_ignored_and_said(tmp_path: Path) -> None:
    manifest = read_table(_csv(tmp_path, "path,label,operator\na/1.png,LY,Kim\n"))
    assert manifest.notes == ("columns ignored: operator",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x,label\na/1.png,LY\n",
            "none names the pictures; it has x, label",
        ),
        ("path,lable\na/1.png,LY\n", "unknown column 'lable'; rename it to 'label'"),
        ("path,label\nc/9.png,LY\n", "cells.csv line 2: path 'c/9.png' has no file"),
        ("path,label\n,LY\n", "cells.csv line 2: path is empty"),
        ("path,split\na/1.png,tset\n", "cells.csv line 2: split 'tset', expected train"),
        ("path,severity\na/1.png,9\n", "cells.csv line 2: severity '9', expected 0 to 4"),
        ("path,severity\na/1.png,bad\n", "cells.csv line 2: severity 'bad', expected 0 to 4"),
        (
            "path,cell_id\na/1.png,x\na/2.png,x\n",
            "cells.csv line 3: cell_id 'x' is used twice, first in cells.csv line 2",
        ),
        ("path,cell_id\na/1.png,x\na/2.png,\n", "cells.csv line 3: cell_id is empty"),
        ("path\na/1.png\na/1.png\n", "cell_id 'a/1.png' is used twice"),
        ("path,label\n", "the table has no rows"),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read_table(_csv(tmp_path, text))
    assert message in str(caught.value)


def test_all_faults_at_once(tmp_path: Path) -> None:
    text = "path,lable,severity\n,LY,1\na/1.png,LY,7\n"
    with pytest.raises(ManifestError, match="3 faults"):
        read_table(_csv(tmp_path, text))


def test_a_torn_parquet_table(tmp_path: Path) -> None:
    (tmp_path / "cells.parquet").write_bytes(b"PAR1")
    with pytest.raises(ManifestError, match="not a readable Parquet table"):
        read_table(tmp_path / "cells.parquet")


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(
    "patients", [[3.0, None, 3.0], ["3", "nan", "3"], ["3", "Unknown", "3"], [3, pd.NA, 3]]
)
def test_an_unknown_patient_is_nobody(tmp_path: Path, form: str, patients: list[object]) -> None:
    path = _folder(tmp_path) / f"cells.{form}"
    table = pd.DataFrame({"path": ["a/1.png", "a/2.png", "b/1.png"], "label": "LY"})
    table["patient_id"] = pd.Series(patients, dtype="Int64" if patients[1] is pd.NA else None)
    if form == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    manifest = read_table(path)
    known = manifest.frame["patient_id"]
    assert known.isna().tolist() == [False, True, False]
    assert known[0] == known[2] == "3"
    assert not manifest.has_patients
    is_word = isinstance(patients[1], str)
    assert any("was taken as not known" in note for note in manifest.notes) == is_word


def test_folds_deal_cells_of_unknown_patients_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "cells").mkdir()
    names = [f"cells/{n}.png" for n in range(60)]
    for name in names:
        (tmp_path / name).touch()
    patients = [float(n // 6) if n < 30 else None for n in range(60)]
    labels = ["LY", "MO"] * 30
    table = pd.DataFrame({"path": names, "label": labels, "patient_id": patients})
    table.to_parquet(tmp_path / "cells.parquet")
    manifest = read_table(tmp_path / "cells.parquet")
    targets = np.array([0, 1] * 30)
    folds = assign_folds(targets, manifest.column("patient_id"), 5, 0)
    assert not folds.is_grouped
    assert "the patient is known for 30 of 60 cells" in folds.notes[0]
    unknown = folds.fold[30:]
    assert len(np.unique(unknown)) == 5, "cells of nobody are not one patient, in one fold"
    for patient in range(5):
        assert len(np.unique(folds.fold[patient * 6 : patient * 6 + 6])) == 1


def test_large_numbers_and_windows_paths(tmp_path: Path) -> None:
    path = _folder(tmp_path) / "cells.parquet"
    big = [2**60 + 1, 2**60 + 2]
    pd.DataFrame({"path": ["a\\1.png", "a\\2.png"], "cell_id": big}).to_parquet(path)
    frame = read_table(path).frame
    assert frame["cell_id"].tolist() == [str(n) for n in big]
    assert frame["path"].tolist() == [str(tmp_path / "a/1.png"), str(tmp_path / "a/2.png")]


def test_a_scale_is_read_and_a_wrong_one_named(tmp_path: Path) -> None:
    rows = "path,label,um_per_px\na/1.png,LY,0.1\na/2.png,MO,"
    found = read_table(_csv(tmp_path, rows)).frame["um_per_px"]
    assert found.fillna(-1).tolist() == [0.1, -1]
    with pytest.raises(ManifestError, match="um_per_px '100', expected micrometres"):
        read_table(_csv(tmp_path, f"{rows}100"))


@pytest.mark.parametrize(
    "columns",
    [
        "split\nleft\nright\n",
        "label,split\nSNE,train\nLY,\n",
        "lable\nSNE\nLY\n",
        "label,diagnosis\nSNE,LY\nLY,LY\n",
        "class,category\nSNE,LY\nLY,LY\n",
        "severity\nhigh\nlow\n",
    ],
)
def test_what_is_not_asked_for_may_hold_anything(tmp_path: Path, columns: str) -> None:
    head, first, second, _ = columns.split("\n")
    table = _csv(tmp_path, f"path,um_per_px,{head}\na/1.png,0.1,{first}\na/2.png,,{second}\n")
    manifest = read_table(table, reading=Reading(needs_labels=False))
    assert len(manifest) == 2
    assert manifest.frame[["label", "severity"]].isna().all(axis=None)
    assert manifest.frame["um_per_px"][0] == 0.1
    assert any(note.startswith("not asked for and not read: ") for note in manifest.notes)


def test_a_table_beside_unlabelled_pictures_says_whose_and_how_large_they_are(
    tmp_path: Path,
) -> None:
    (tmp_path / "cells.csv").write_text("file,split,patient_id,um_per_px\n1.png,left,p1,0.2\n")
    for name in ("1.png", "2.png"):
        (tmp_path / name).touch()
    frame = read_table(tmp_path, "images").frame.set_index("cell_id")
    assert frame.loc["1.png", ["patient_id", "um_per_px"]].tolist() == ["p1", 0.2]
    assert frame.loc["2.png", ["patient_id", "um_per_px"]].isna().all()
    (tmp_path / "cells.csv").write_text("file,um_per_px\n1.png,100\n")
    with pytest.raises(ManifestError, match="um_per_px '100', expected micrometres"):
        read_table(tmp_path, "images")
