from __future__ import annotations

from pathlib import Path

import pytest

from buffycoat.errors import ManifestError
from buffycoat.sources.read import read as read_kaggle

FILES = {
    "phase1_label.csv": "ID,labels,split,,,\n1.jpg,SNE,phase1_train,,,\n2.jpg,PC,phase1_train,,,\n",
    "phase2_train.csv": "ID,labels,split\n3.jpg,LY,phase2_train\n",
    "phase2_eval.csv": "ID,labels,split\n4.jpg,MO,phase2_eval\n5.jpg,LY,phase2_eval\n",
    "phase2_eval_severity.csv": "ID,severity\n4.jpg,0\n5.jpg,4\n",
    "phase2_test.csv": "ID,labels\n7.jpg,\n6.jpg,\n",
    "phase1/1.jpg": "",
    "phase1/2.jpg": "",
    "phase2/train/3.jpg": "",
    "phase2/eval/4.jpg": "",
    "phase2/eval/5.jpg": "",
    "phase2/eval_pristine/4.jpg": "",
    "phase2/eval_pristine/5.jpg": "",
    "phase2/test/6.jpg": "",
    "phase2/test/7.jpg": "",
}


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _fault(folder: Path) -> str:
    with pytest.raises(ManifestError) as caught:
        read_kaggle(folder)
    return str(caught.value)


def test_every_part_is_read_with_its_split_and_severity(kaggle: Path) -> None:
    frame = read_kaggle(kaggle).frame.set_index("cell_id")
    assert frame["split"].to_dict() == {
        "1.jpg": "train",
        "2.jpg": "train",
        "3.jpg": "train",
        "4.jpg": "eval",
        "5.jpg": "eval",
        "7.jpg": "test",
        "6.jpg": "test",
    }
    assert (
        frame["source"].tolist()
        == ["phase1"] * 2 + ["phase2_train"] + ["phase2_eval"] * 2 + ["phase2_test"] * 2
    )
    assert frame["severity"].fillna(-1).tolist() == [0, 0, -1, 0, 4, -1, -1]
    assert frame["label"].fillna("").tolist() == ["SNE", "PC", "LY", "MO", "LY", "", ""]
    assert frame.loc["3.jpg", "path"] == str(kaggle / "phase2" / "train" / "3.jpg")
    assert not frame["path"].str.contains("pristine").any()


def test_a_part_that_is_wholly_absent_is_left_out(kaggle: Path) -> None:
    (kaggle / "phase2_train.csv").unlink()
    (kaggle / "phase2/train/3.jpg").unlink()
    (kaggle / "phase2/train").rmdir()
    assert len(read_kaggle(kaggle)) == 6


@pytest.mark.parametrize(
    ("csv", "text", "message"),
    [
        ("phase2_train.csv", "ID,split\n3.jpg,x\n", "phase2_train.csv: column 'labels' is missing"),
        ("phase2_train.csv", "", "phase2_train.csv: the file is empty"),
        ("phase2_train.csv", "ID,labels\n3.jpg,\n", "phase2_train.csv line 2: labels is empty"),
        ("phase2_train.csv", "ID,labels\n,LY\n", "phase2_train.csv line 2: ID is empty"),
        (
            "phase2_train.csv",
            "ID,labels\n3.jpg,LY\n\n3.jpg,LY\n",
            "phase2_train.csv line 4: ID '3.jpg' is used twice, first in phase2_train.csv line 2",
        ),
        (
            "phase2_train.csv",
            "ID,labels\n3.jpg,LY\n1.jpg,SNE\n",
            "line 3: ID '1.jpg' is used twice, first in phase1_label.csv line 2",
        ),
        (
            "phase2_train.csv",
            "ID,labels\n3.jpg,LY\n../../phase1/1.jpg,SNE\n",
            "line 3: ID '../../phase1/1.jpg' has no file in phase2/train/",
        ),
        (
            "phase2_train.csv",
            "ID,labels\n33.jpg,LY\n",
            "phase2/train/3.jpg: has no row in phase2_train.csv",
        ),
        (
            "phase2_eval_severity.csv",
            "ID,severity\n4.jpg,5\n",
            "phase2_eval_severity.csv line 2: severity '5', expected 0 to 4",
        ),
        (
            "phase2_eval_severity.csv",
            "ID,severity\n9.jpg,1\n",
            "phase2_eval_severity.csv: ID '9.jpg' is not in phase2_eval.csv",
        ),
    ],
)
def test_a_fault_names_file_and_line(kaggle: Path, csv: str, text: str, message: str) -> None:
    (kaggle / csv).write_text(text)
    assert message in _fault(kaggle)


def test_all_faults_are_listed_at_once(kaggle: Path) -> None:
    (kaggle / "phase1/2.jpg").unlink()
    (kaggle / "phase2/eval/9.jpg").touch()
    (kaggle / "phase2_test.csv").unlink()
    (kaggle / "phase2_train.csv").write_bytes(b"ID,labels\n3.jpg,\0\n")
    text = _fault(kaggle)
    assert "4 faults" in text
    assert "phase1_label.csv line 3: ID '2.jpg' has no file in phase1/" in text
    assert "phase2/eval/9.jpg: has no row in phase2_eval.csv" in text
    assert "phase2/test/ is there, but phase2_test.csv is missing" in text
    assert "holds a NUL character" in text


def test_a_byte_order_mark_and_spaces_do_no_harm(kaggle: Path) -> None:
    (kaggle / "phase2_train.csv").write_bytes(b"\xef\xbb\xbfID, labels\r\n 3.jpg , LY\r\n")
    frame = read_kaggle(kaggle).frame.set_index("cell_id")
    assert frame.loc["3.jpg", "label"] == "LY"


def test_test_cells_alone_are_not_enough(kaggle: Path, tmp_path: Path) -> None:
    only = tmp_path / "only"
    (only / "phase2/test").mkdir(parents=True)
    (only / "phase2/test/7.jpg").touch()
    (only / "phase2_test.csv").write_text("ID,labels\n7.jpg,\n")
    assert "no labelled cells; expected one of phase1_label.csv" in _fault(only)


@pytest.mark.real
def test_pbc_lt_has_the_counts_that_its_page_states(pbc_lt: Path) -> None:
    manifest = read_kaggle(pbc_lt)
    assert manifest.frame["source"].value_counts().to_dict() == {
        "phase1": 308,
        "phase2_train": 1830,
        "phase2_eval": 800,
        "phase2_test": 1000,
    }
    assert manifest.of_split("train").counts()["SNE"] == 946
    assert manifest.of_split("train").counts()["PMY"] == 10
    assert set(manifest.of_split("eval").counts().values()) == {80}
    assert not manifest.of_split("test").is_labelled.any()
    assert manifest.of_split("eval").frame["severity"].notna().all()
    assert not manifest.frame["path"].str.contains("eval_pristine").any()
