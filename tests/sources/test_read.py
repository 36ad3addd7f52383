from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from buffycoat.errors import ConfigError, ManifestError
from buffycoat.sources.read import read


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def _kaggle(folder: Path) -> Path:
    _touch(folder / "phase1" / "1.jpg")
    (folder / "phase1_label.csv").write_text("ID,labels,split,,,\n1.jpg,SNE,phase1_train,,,\n")
    return folder


def test_each_layout_is_told_by_what_is_there(tmp_path: Path) -> None:
    assert read(_kaggle(tmp_path / "kaggle")).frame["source"].tolist() == ["phase1"]

    assert read(_touch(tmp_path / "classes/SNE/1.jpg").parents[1]).counts() == {"SNE": 1}

    image = _touch(tmp_path / "one.jpg")
    assert read(image).frame["path"].tolist() == [str(image)]

    (tmp_path / "classes/cells.csv").write_text("path,label\nSNE/1.jpg,BNE\n")
    assert read(tmp_path / "classes/cells.csv").counts() == {"BNE": 1}
    assert read(tmp_path / "classes", "table").counts() == {"BNE": 1}
    with pytest.raises(ManifestError, match=r"says BNE, the folder says SNE.*--labels-from"):
        read(tmp_path / "classes")
    assert read(tmp_path / "classes", "folders").counts() == {"SNE": 1}
    assert not read(tmp_path / "classes", "images").is_labelled.any()

    row = {"image": b"x", "image_id": "a", "label": "LY", "wbcbench_split": "train"}
    (tmp_path / "hub/degraded").mkdir(parents=True)
    pd.DataFrame([row]).to_parquet(tmp_path / "hub/degraded/0.parquet")
    assert read(tmp_path / "hub").frame["source"].tolist() == ["degraded"]


def test_a_csv_of_something_else_does_not_hide_class_folders(tmp_path: Path) -> None:
    _touch(tmp_path / "LY/1.jpg")
    (tmp_path / "attributes.csv").write_text("ID,cell_size\n1.jpg,small\n")
    assert read(tmp_path).counts() == {"LY": 1}


def test_phase_folders_without_labels_are_not_classes(tmp_path: Path) -> None:
    _kaggle(tmp_path)
    (tmp_path / "phase1_label.csv").unlink()
    with pytest.raises(ManifestError, match=r"phase1/ is there, but phase1_label.csv is missing"):
        read(tmp_path)


def test_nothing_to_read_says_what_is_supported(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"the folder is empty; supported: WBCBench's Kaggle"):
        read(tmp_path)
    _touch(tmp_path / "notes.txt")
    with pytest.raises(ManifestError, match=r"no image in it, at any depth; there are 1 text"):
        read(tmp_path)
    with pytest.raises(ManifestError, match=r"notes.txt: the file is empty"):
        read(tmp_path / "notes.txt")
    with pytest.raises(ManifestError, match=r"gone: no such file or folder"):
        read(tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"unknown layout 'kagle'. Did you mean 'kaggle'"):
        read(tmp_path, "kagle")


def test_data_one_folder_down_are_pointed_at(tmp_path: Path) -> None:
    _kaggle(tmp_path / "wbcbench")
    with pytest.raises(ManifestError, match=r"one folder down; give .*wbcbench"):
        read(tmp_path)


def test_lists_that_commands_leave_beside_cells_are_no_data_set(tmp_path: Path) -> None:
    _touch(tmp_path / "LY/1.jpg")
    for name in ("out.csv.bad.csv", "sheet.png.csv", "restoration.csv", "bad-cells.csv"):
        (tmp_path / name).write_text("path,reason\nLY/2.jpg,torn\n")
        assert read(tmp_path).frame["path"].tolist() == [str(tmp_path / "LY/1.jpg")]


def test_layout_table_finds_the_table_of_a_folder(tmp_path: Path) -> None:
    _touch(tmp_path / "SNE/1.jpg")
    with pytest.raises(ManifestError, match="no table in it names its pictures and a label"):
        read(tmp_path, "table")
    (tmp_path / "cells.csv").write_text("path,label\nSNE/1.jpg,BNE\n")
    assert read(tmp_path, "table").counts() == {"BNE": 1}
