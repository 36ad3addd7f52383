"""Tables, lists and other files beside pictures: what they say is used, or stops the reader."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read


def _files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\xff\xd8\xff\xe0")
    return root


def _classes(root: Path) -> Path:
    return _files(root, *(f"{c}/{c.lower()}{n}.png" for c in ("SNE", "LY") for n in range(3)))


def _of(cells: Manifest, column: str) -> dict[str, str]:
    ids = cells.frame["cell_id"]
    return dict(zip(ids, cells.frame[column].fillna(""), strict=True))


@pytest.mark.parametrize(
    ("suffix", "head"),
    [("csv", "image\n"), ("csv", "image,label\n"), ("txt", ""), ("txt", "name\n")],
)
def test_lists_named_after_a_split_give_it(tmp_path: Path, suffix: str, head: str) -> None:
    _classes(tmp_path)
    tail = {"sne": ",SNE", "ly0": ",LY", "ly1": ",LY", "ly2": ",LY"} if "label" in head else {}
    for part, names in (("train", ("sne0", "sne1", "ly0", "ly1")), ("val", ("sne2", "ly2"))):
        rows = [f"{n}.png{tail.get(n[:3], tail.get(n, ''))}" for n in names]
        (tmp_path / f"{part}.{suffix}").write_text(head + "\n".join(rows) + "\n")
    cells = read(tmp_path)
    assert [k for k, v in _of(cells, "split").items() if v == "eval"] == [
        "LY/ly2.png",
        "SNE/sne2.png",
    ]
    (tmp_path / f"val.{suffix}").write_text(f"{head}sne2.png{tail.get('sne', '')}\n")
    with pytest.raises(ManifestError, match=r"1 cell without a split .* LY/ly2.png"):
        read(tmp_path)


def test_a_list_of_test_cells_beside_a_table_of_labels(tmp_path: Path) -> None:
    _files(tmp_path, *(f"images/{n}.png" for n in range(4)))
    (tmp_path / "train.csv").write_text("image,label\n0.png,SNE\n1.png,LY\n")
    (tmp_path / "test.csv").write_text("image\n2.png\n3.png\n")
    (tmp_path / "sample_submission.csv").write_text("image,label\n2.png,LY\n3.png,LY\n")
    cells = read(tmp_path)
    assert _of(cells, "split") == {
        "images/0.png": "train",
        "images/1.png": "train",
        "images/2.png": "test",
        "images/3.png": "test",
    }
    assert _of(cells, "label")["images/2.png"] == ""
    assert "form for answers" in cells.statement.tables_not_used["sample_submission.csv"]


def test_tables_add_to_each_other_and_must_not_differ(tmp_path: Path) -> None:
    _classes(tmp_path)
    (tmp_path / "one.csv").write_text("image,patient_id\nsne0.png,A\nsne1.png,A\n")
    (tmp_path / "two.csv").write_text("image,patient_id,original_id\nly0.png,B,x\n")
    cells = read(tmp_path)
    assert {k: v for k, v in _of(cells, "patient_id").items() if v} == {
        "SNE/sne0.png": "A", "SNE/sne1.png": "A", "LY/ly0.png": "B",
    }  # fmt: skip
    assert _of(cells, "original_id")["LY/ly0.png"] == "x"
    (tmp_path / "two.csv").write_text("image,patient_id\nsne0.png,B\nnone.png,B\n")
    with pytest.raises(ManifestError, match=r"'B', but 'A' by another table") as caught:
        read(tmp_path)
    assert "'none.png' names no picture" in str(caught.value)


def test_a_column_is_test_gives_the_split(tmp_path: Path) -> None:
    _classes(tmp_path)
    rows = [f"{c.lower()}{n}.png,{int(n == 2)}" for c in ("SNE", "LY") for n in range(3)]
    (tmp_path / "meta.csv").write_text("image,is_test\n" + "\n".join(rows) + "\n")
    assert sum(v == "test" for v in _of(read(tmp_path), "split").values()) == 2


@pytest.mark.parametrize(
    ("name", "what"),
    [("splits.json", "splits"), ("fold_1.yaml", "splits"), ("labels.json", "labels"),
     ("metadata.jsonl", "labels"), ("val.npy", "splits")],
)  # fmt: skip
def test_files_that_may_hold_what_the_cells_lack_stop_the_reader(
    tmp_path: Path, name: str, what: str
) -> None:
    (_classes if what == "splits" else lambda root: _files(root, "a.png", "b.png"))(tmp_path)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ManifestError, match=rf"{name} may hold the {what}.*--leave-out {name}"):
        read(tmp_path)
    assert len(read(tmp_path, reading=Reading(leave_out=(name,)))) > 1


def test_lists_of_boxes_do_not_hide_a_table(tmp_path: Path) -> None:
    names = [f"{c}/{n:03d}.png" for c in ("SNE", "LY") for n in range(20)]
    _files(tmp_path, *names)
    for n in range(20):
        (tmp_path / f"SNE/{n:03d}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
        (tmp_path / f"LY/{n:03d}.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    rows = [f"{name},{'test' if name.endswith('9.png') else 'train'}" for name in names]
    (tmp_path / "split.csv").write_text("image,split\n" + "\n".join(rows) + "\n")
    assert sum(v == "test" for v in _of(read(tmp_path), "split").values()) == 4


def test_predictions_among_pictures_are_no_labels(tmp_path: Path) -> None:
    _files(tmp_path, "a.png", "b.png")
    (tmp_path / "out.csv").write_text("ID,labels,is_abstained\na.png,SNE,False\nb.png,LY,True\n")
    cells = read(tmp_path)
    assert not cells.is_labelled.any()
    assert cells.statement.tables_not_used == {"out.csv": "it holds predictions"}
    with pytest.raises(ManifestError, match="holds predictions"):
        read(tmp_path / "out.csv")


def test_a_stray_parquet_table_replaces_nothing(tmp_path: Path) -> None:
    _classes(tmp_path)
    rows = [{"image": {"bytes": b"x", "path": "p.png"}, "label": "LY"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "extra.parquet")
    with pytest.raises(ManifestError, match=r"extra.parquet\) and in 6 files.*--layout"):
        read(tmp_path)
    assert len(read(tmp_path, reading=Reading(leave_out=("extra.parquet",)))) == 6


def test_a_table_beside_parquet_pictures_is_not_passed_over(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": b"x", "path": f"{n}.png"}, "label": "LY"} for n in range(2)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    (tmp_path / "patients.csv").write_text("image,patient_id\n0.png,A\n")
    with pytest.raises(ManifestError, match=r"patients.csv is not read beside Parquet"):
        read(tmp_path)


def test_a_missing_picture_is_not_looked_for_in_another_split(tmp_path: Path) -> None:
    _files(tmp_path, "train/1.png", "train/2.png", "test/5.png")
    (tmp_path / "labels.csv").write_text(
        "image,label\ntrain/1.png,SNE\ntrain/2.png,LY\ntrain/5.png,LY\n"
    )
    with pytest.raises(ManifestError, match=r"line 4: image 'train/5.png' names no picture"):
        read(tmp_path)
    with pytest.raises(ManifestError, match=r"line 4: image 'train/5.png' has no file"):
        read(tmp_path / "labels.csv")


def test_two_columns_of_labels_that_differ_are_refused(tmp_path: Path) -> None:
    _files(tmp_path, "1.png", "2.png")
    (tmp_path / "t.csv").write_text("image,category,class\n1.png,SNE,LY\n2.png,LY,SNE\n")
    with pytest.raises(ManifestError, match="labels may be in category or class"):
        read(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("image,category,class\n1.png,SNE,sne\n2.png,LY,lymphocyte\n")
    assert read(tmp_path / "t.csv").counts() == {"SNE": 1, "LY": 1}


def test_an_empty_split_beside_others_is_a_fault(tmp_path: Path) -> None:
    _files(tmp_path, "1.png", "2.png")
    (tmp_path / "t.csv").write_text("image,label,split\n1.png,SNE,test\n2.png,LY,\n")
    with pytest.raises(ManifestError, match="line 3: split is empty, though other rows have one"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize("is_given", [True, False])
def test_a_picture_is_left_out_with_its_row(tmp_path: Path, is_given: bool) -> None:
    _files(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "t.csv").write_text("image,label\n1.png,SNE\n2.png,LY\n3.png,LY\n")
    data = tmp_path / "t.csv" if is_given else tmp_path
    cells = read(data, reading=Reading(leave_out=("3.png",)))
    assert cells.counts() == {"SNE": 1, "LY": 1}
    assert cells.statement.left_out == {"3.png": 1}


def test_a_missing_picture_is_not_found_under_another_split_however_deep(tmp_path: Path) -> None:
    _files(tmp_path, "train/imgs/1.png", "test/imgs/5.png")
    (tmp_path / "labels.csv").write_text("image,label\ntrain/imgs/1.png,SNE\ntrain/imgs/5.png,LY\n")
    with pytest.raises(ManifestError, match=r"line 3: image 'train/imgs/5.png' names no picture"):
        read(tmp_path)


def test_a_table_named_as_a_picture_is_read(tmp_path: Path) -> None:
    _files(tmp_path, "a.png", "b.png", "labels.png")
    (tmp_path / "labels.csv").write_text("image,label\na.png,SNE\nb.png,LY\nlabels.png,LY\n")
    assert read(tmp_path).counts() == {"LY": 2, "SNE": 1}


@pytest.mark.parametrize("pattern", ["patients.csv", "*.csv"])
def test_what_lies_beside_parquet_pictures_can_be_left_out(tmp_path: Path, pattern: str) -> None:
    rows = [{"image": {"bytes": b"x", "path": f"{n}.png"}, "label": "LY"} for n in range(2)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "more.parquet")
    (tmp_path / "patients.csv").write_text("image,patient_id\n0.png,A\n")
    cells = read(tmp_path, reading=Reading(leave_out=(pattern, "more.parquet")))
    assert len(cells) == 2
    assert cells.statement.left_out == {pattern: 1, "more.parquet": 1}


def test_folders_without_a_split_beside_those_with_one(tmp_path: Path) -> None:
    for folder in ("training", "holdout_A", "external"):
        _files(tmp_path, f"{folder}/SNE/1.png", f"{folder}/LY/1.png")
    with pytest.raises(ManifestError, match="folders external name no split, and others do"):
        read(tmp_path)
    cells = read(tmp_path, reading=Reading(leave_out=("external",)))
    assert sorted(cells.frame["split"]) == ["test", "test", "train", "train"]


def test_class_folders_beside_a_test_folder_are_training_and_it_is_said(tmp_path: Path) -> None:
    _files(tmp_path, "SNE/1.png", "LY/1.png", "test/SNE/2.png")
    cells = read(tmp_path)
    assert sorted(cells.frame["split"]) == ["test", "train", "train"]
    assert "in no folder of a split, and taken as train: 2 cells" in cells.statement.notes[0]


def test_patients_of_a_table_join_unlabelled_pictures(tmp_path: Path) -> None:
    _classes(tmp_path)
    (tmp_path / "who.csv").write_text("image,patient_id,split\nsne0.png,A,test\nly0.png,B,test\n")
    (tmp_path / "labels.csv").write_text("image,label\nsne0.png,SNE\n")
    cells = read(tmp_path, "images")
    assert not cells.is_labelled.any()
    assert _of(cells, "patient_id")["LY/ly0.png"] == "B"
    assert cells.statement.tables_used == ("who.csv",)
    assert "labels.csv" in cells.statement.tables_not_used


def test_an_ambiguous_row_must_agree_with_one_of_its_pictures(tmp_path: Path) -> None:
    _files(tmp_path, "SNE/0.png", "LY/0.png")
    (tmp_path / "l.csv").write_text("image,label\n0.png,SNE\n0.png,LY\n")
    assert read(tmp_path).counts() == {"LY": 1, "SNE": 1}
    (tmp_path / "l.csv").write_text("image,label\n0.png,MO\n")
    with pytest.raises(ManifestError, match="line 2 says MO, the folder says"):
        read(tmp_path)


@pytest.mark.parametrize("column", ["data_split", "train_or_test", "purpose"])
def test_a_column_of_splits_is_known_by_its_values(tmp_path: Path, column: str) -> None:
    _files(tmp_path, "1.png", "2.png", "3.png")
    rows = "1.png,SNE,Training\n2.png,LY,Validation\n3.png,LY,Testing\n"
    (tmp_path / "t.csv").write_text(f"image,label,{column}\n{rows}")
    assert list(_of(read(tmp_path), "split").values()) == ["train", "eval", "test"]


def test_a_folder_of_cut_out_cells_is_no_class(tmp_path: Path) -> None:
    _files(tmp_path, "Original/Benign/1.png", "Segmented/Benign/1.png", "Original/Pro/2.png")
    assert read(tmp_path).statement.unknown == ("Benign", "Pro")


def test_rows_of_pictures_that_are_not_there_can_be_left_out(tmp_path: Path) -> None:
    _files(tmp_path, "1.png", "2.png")
    rows = "1.png,SNE\n2.png,LY\ngone_3.png,LY\ngone_4.png,LY\n"
    (tmp_path / "labels.csv").write_text(f"image,label\n{rows}")
    with pytest.raises(ManifestError, match=r"'gone_3.png' names no picture .*--leave-out"):
        read(tmp_path)
    cells = read(tmp_path, reading=Reading(leave_out=("gone_*",)))
    assert cells.counts() == {"LY": 1, "SNE": 1}
    assert cells.statement.left_out == {"gone_*": 2}
