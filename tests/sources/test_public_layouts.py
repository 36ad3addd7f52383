"""Data sets as they are downloaded: every file is used, refused, or listed as not looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read

FIVE = "Basophil Eosinophil Lymphocyte Monocyte Neutrophil".split()


def _files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\xff\xd8\xff\xe0")


def _text(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def _splits(cells: Manifest) -> dict[str, int]:
    return {str(k): int(v) for k, v in cells.frame["split"].value_counts().items()}


def _labels(cells: Manifest) -> dict[str, str]:
    frame = cells.frame
    return dict(zip(frame["cell_id"], frame["label"].fillna(""), strict=True))


def test_raabin_parts_are_splits_and_neutrophils_a_group(tmp_path: Path) -> None:
    for part in ("Train", "TestA", "TestB"):
        _files(tmp_path, *(f"{part}/{c}/95-10-23-1_34_{n}.jpg" for c in FIVE for n in (1, 2)))
    cells = read(tmp_path)
    assert _splits(cells) == {"train": 10, "test": 20}
    assert set(cells.counts()) == {"BA", "EO", "LY", "MO", "NE"}
    assert cells.statement.groups == {"NE": ("SNE", "BNE")}
    assert "TestA, TestB is test" in cells.statement.split_from


def test_the_kaggle_copy_of_bccd_has_its_parts_below_other_folders(tmp_path: Path) -> None:
    home = "dataset2-master/dataset2-master"
    for part in ("TRAIN", "TEST", "TEST_SIMPLE"):
        _files(tmp_path, *(f"{home}/images/{part}/{c.upper()}/_0_{len(c)}.jpeg" for c in FIVE))
    _text(tmp_path, f"{home}/labels.csv", "Image,Category\n0,NEUTROPHIL\n1,NEUTROPHIL\n")
    cells = read(tmp_path)
    assert _splits(cells) == {"train": 5, "test": 10}
    assert "no column names pictures" in cells.statement.tables_not_used[f"{home}/labels.csv"]


def test_a_table_that_may_hold_the_only_labels_is_not_passed_over(tmp_path: Path) -> None:
    _files(tmp_path, *(f"JPEGImages/BloodImage_0000{n}.jpg" for n in range(3)))
    _text(tmp_path, "labels.csv", "Image,Category\n0,NEUTROPHIL\n1,LYMPHOCYTE\n")
    with pytest.raises(ManifestError, match=r"labels.csv may hold the labels.*--leave-out"):
        read(tmp_path)
    assert not read(tmp_path, reading=Reading(leave_out=("labels.csv",))).is_labelled.any()


def test_an_excel_sheet_beside_pictures_is_named_as_such(tmp_path: Path) -> None:
    _files(tmp_path, "0.png", "1.png")
    (tmp_path / "labels.xlsx").write_bytes(b"PK\3\4....")
    with pytest.raises(ManifestError, match=r"labels.xlsx may hold the labels.*Excel"):
        read(tmp_path)


def test_pbc_as_downloaded(tmp_path: Path) -> None:
    root = tmp_path / "PBC_dataset_normal_DIB"
    names = {"basophil": "BA", "erythroblast": "ERB", "platelet": "PLATELET"}
    _files(root, *(f"{folder}/{code}_10.jpg" for folder, code in names.items()))
    _files(root, *(f"ig/{code}_{n}.jpg" for n, code in enumerate("IG MY MMY PMY".split())))
    _files(root, *(f"neutrophil/{code}_9.jpg" for code in "NEUTROPHIL SNE BNE".split()))
    _files(root, "basophil/.DS_169665.jpg")
    cells = read(tmp_path)
    assert cells.counts() == dict.fromkeys("BA ERB platelet IG MY MMY PMY NE SNE BNE".split(), 1)
    assert cells.statement.unknown == ("platelet",)
    assert cells.statement.not_looked_at == {
        "hidden file": ("PBC_dataset_normal_DIB/basophil/.DS_169665.jpg",)
    }
    kept = read(tmp_path, reading=Reading(leave_out=("Platelets",)))
    assert kept.statement.left_out == {"Platelets": 1}
    assert not kept.statement.unknown


def test_aml_codes_are_read_and_smudge_cells_kept_apart(tmp_path: Path) -> None:
    codes = "BAS EBO EOS KSC LYA LYT MMZ MOB MON MYB MYO NGB NGS PMB PMO".split()
    _files(tmp_path, *(f"AML-Cytomorphology/{c}/{c}_0001.tiff" for c in codes))
    _text(tmp_path, "annotations.dat", "BAS/BAS_0001.tiff BAS nan nan\nMYO/MYO_0001.tiff MYO a b\n")
    cells = read(tmp_path)
    assert cells.counts()["BL"] == 2
    assert cells.statement.spelled["NGS"] == "SNE"
    assert cells.statement.unknown == ("smudge cell",)
    assert "does not name the columns" in cells.statement.tables_not_used["annotations.dat"]


def test_c_nmc_test_labels_do_not_make_training_cells_unlabelled(tmp_path: Path) -> None:
    for name in ("all", "hem"):
        _files(tmp_path, f"C-NMC_training_data/fold_0/{name}/UID_1_1_1_{name}.bmp")
    _files(tmp_path, "C-NMC_test_prelim_phase_data/1.bmp")
    table = "C-NMC_test_prelim_phase_data_labels.csv"
    _text(tmp_path, table, "Patient_ID,new_names,labels\nUID_57_29_1_all.bmp,1.bmp,1\n")
    with pytest.raises(ManifestError, match="2 of 3 pictures have no row"):
        read(tmp_path)
    cells = read(tmp_path, reading=Reading(labels_from="folders"))
    assert _splits(cells) == {"train": 2, "test": 1}
    assert cells.statement.unknown == ("all", "hem")
    assert cells.statement.tables_used == (table,)  # for its patients
    assert cells.statement.without_patient == 2


def test_mll_names_repeat_their_folder_and_are_no_codes(tmp_path: Path) -> None:
    names = "lymphocyte lymphocyte_reactive neutrophil_band neutrophil_segmented hairy_cell".split()
    _files(tmp_path, *(f"{name}/{name}_1.TIF" for name in names))
    cells = read(tmp_path)
    assert set(cells.counts()) == {"LY", "VLY", "BNE", "SNE", "hairy_cell"}
    assert cells.statement.notes == ()


def test_lisc_masks_are_no_cells(tmp_path: Path) -> None:
    for name in "Baso eosi lymp mixt mono neut".split():
        _files(tmp_path, f"Main Dataset/{name}/1.bmp")
        _files(tmp_path, f"Ground Truth Segmentation/{name}/areaforground_1.bmp")
    cells = read(tmp_path)
    assert cells.counts() == dict.fromkeys("BA EO LY mixt MO NE".split(), 1)
    assert len(cells.statement.not_looked_at["drawn mask"]) == 6


def test_masks_beside_their_pictures_are_no_cells(tmp_path: Path) -> None:
    _files(tmp_path, "001.png", "001_mask.png", "002.png", "002_mask.png")
    assert len(read(tmp_path, "images")) == 2


def test_tables_of_parts_give_the_splits(tmp_path: Path) -> None:
    _files(tmp_path, *(f"images/{n}.png" for n in range(3)))
    _text(tmp_path, "train.csv", "filename,label\n0.png,SNE\n1.png,LY\n")
    _text(tmp_path, "val.csv", "filename,label\n2.png,LY\n")
    cells = read(tmp_path)
    assert _splits(cells) == {"train": 2, "eval": 1}
    assert cells.statement.tables_used == ("train.csv", "val.csv")


def test_one_name_in_two_parts_is_told_apart_by_the_table(tmp_path: Path) -> None:
    _files(tmp_path, *(f"{part}/{n}.png" for part in ("train", "val") for n in range(2)))
    _text(tmp_path, "train.csv", "id,class\n0,seg neutrophil\n1,lymphocyte\n")
    _text(tmp_path, "val.csv", "id,class\n0,monocyte\n1,lymphocyte\n")
    assert _labels(read(tmp_path)) == {
        "train/0.png": "SNE", "train/1.png": "LY", "val/0.png": "MO", "val/1.png": "LY",
    }  # fmt: skip


def test_image_folders_of_the_hub_with_metadata(tmp_path: Path) -> None:
    for part in ("train", "test"):
        _files(tmp_path, f"{part}/0.png", f"{part}/1.png")
        _text(tmp_path, f"{part}/metadata.csv", "file_name,label\n0.png,SNE\n1.png,LY\n")
    cells = read(tmp_path)
    assert _splits(cells) == {"train": 2, "test": 2}
    assert _labels(cells)["test/0.png"] == "SNE"


@pytest.mark.parametrize(
    "table",
    [
        "filename,label\n0.png,SNE\n1.png,LY\n2.png,MO\n",
        "path;label\nimages/0.png;SNE\nimages/1.png;LY\nimages/2.png;MO\n",
        "image,SNE,LY,MO\n0.png,1,0,0\n1.png,0,1,0\n2.png,0,0,1\n",
        "id\tcell type\n0\tSegmented neutrophil\n1\tlymphocyte\n2\tmonocyte\n",
        "image,who,what\n0.png,Kim,sne\n1.png,Kim,ly\n2.png,Lee,mo\n",
    ],
)
def test_a_table_beside_pictures_gives_the_labels(tmp_path: Path, table: str) -> None:
    _files(tmp_path, *(f"images/{n}.png" for n in range(3)))
    _text(tmp_path, "labels.csv", table)
    assert _labels(read(tmp_path)) == {
        "images/0.png": "SNE",
        "images/1.png": "LY",
        "images/2.png": "MO",
    }
    assert _labels(read(tmp_path / "labels.csv")) == _labels(read(tmp_path))


def test_rows_are_missing_in_the_table(tmp_path: Path) -> None:
    _files(tmp_path, *(f"{n}.png" for n in range(5)))
    _text(tmp_path, "labels.csv", "image,label\n0.png,SNE\n1.png,LY\n2.png,MO\n9.png,LY\n")
    with pytest.raises(ManifestError, match=r"2 of 5 pictures have no row in labels.csv") as caught:
        read(tmp_path)
    assert "labels.csv line 5: image '9.png' names no picture" in str(caught.value)


def test_a_stray_table_changes_nothing_and_is_named(tmp_path: Path) -> None:
    _files(tmp_path, *(f"{code}/{n}.png" for code in ("SNE", "LY") for n in range(6)))
    _text(tmp_path, "issues.csv", "path,is_blurry\nSNE/0.png,1\n")
    cells = read(tmp_path)
    assert cells.counts() == {"SNE": 6, "LY": 6}
    assert cells.statement.tables_not_used == {"issues.csv": "no label, split or patient in it"}


def test_patients_and_splits_of_a_table_join_the_folders_labels(tmp_path: Path) -> None:
    _files(tmp_path, "SNE/1.png", "LY/2.png", "LY/3.png")
    _text(
        tmp_path, "who.csv", "filename,patient_id,set\n1.png,A,train\n2.png,A,train\n3.png,B,test\n"
    )
    cells = read(tmp_path)
    assert cells.frame["patient_id"].tolist() == ["A", "B", "A"]  # LY/2, LY/3, SNE/1
    assert _splits(cells) == {"train": 2, "test": 1}
    assert cells.statement.patients == 2


@pytest.mark.parametrize("stated", ["LY", "BNE"])
def test_folder_and_table_that_say_different_things(tmp_path: Path, stated: str) -> None:
    _files(tmp_path, "neutrophil/1.png", "LY/2.png")
    _text(tmp_path, "labels.csv", f"filename,label\n1.png,{stated}\n2.png,LY\n")
    with pytest.raises(ManifestError, match=r"line 2 says .*the folder says.*--labels-from tables"):
        read(tmp_path)
    by_table = read(tmp_path, reading=Reading(labels_from="tables"))
    assert _labels(by_table)["neutrophil/1.png"] == stated
    by_folder = read(tmp_path, reading=Reading(labels_from="folders"))
    assert _labels(by_folder)["neutrophil/1.png"] == "NE"


def test_a_mark_in_names_is_no_class(tmp_path: Path) -> None:
    for folder in ("neutrophil_segmented", "lymphocyte"):
        _files(tmp_path, *(f"{folder}/PC_{folder[0]}{n}.png" for n in range(4)))
    cells = read(tmp_path)
    assert cells.counts() == {"SNE": 4, "LY": 4}
    assert "PC" in cells.statement.notes[0]


def test_names_that_all_begin_with_one_code_are_asked_about(tmp_path: Path) -> None:
    _files(tmp_path, "PC_0001.png", "PC_0002.png")
    with pytest.raises(ManifestError, match=r"all names begin with PC.*--labels-from names"):
        read(tmp_path)
    assert read(tmp_path, reading=Reading(labels_from="names")).counts() == {"PC": 2}


def test_folders_that_name_two_splits_are_refused(tmp_path: Path) -> None:
    _files(tmp_path, "train/test/SNE/1.png", "train/LY/1.png")
    with pytest.raises(ManifestError, match="folders train and test name different splits"):
        read(tmp_path)


def test_folders_of_patients_are_pointed_at(tmp_path: Path) -> None:
    _files(tmp_path, "P01/SNE/1.png", "P02/LY/1.png")
    assert "give a table with patient_id" in read(tmp_path).statement.notes[0]


def test_what_is_to_be_left_out_must_be_there(tmp_path: Path) -> None:
    _files(tmp_path, "SNE/1.png", "LY/1.png")
    with pytest.raises(ManifestError, match=r"--leave-out 'platelet': no label.*Labels are: "):
        read(tmp_path, reading=Reading(leave_out=("platelet",)))
    with pytest.raises(ManifestError, match="nothing is left"):
        read(tmp_path, reading=Reading(leave_out=("SNE", "lymphocyte")))


@pytest.mark.real
def test_every_line_on_pbc_lt_is_worth_reading(pbc_lt: Path) -> None:
    lines = read(pbc_lt).statement.lines()
    assert len(lines) <= 8
    said = dict(lines)
    assert said["Train"].startswith("2,138 cells: SNE 946, LY 600")
    assert "800 in phase2/eval_pristine/" in said["Files"]
    assert "attributes.csv not used" in said["Tables"]


def test_a_split_column_counts_more_than_a_folder_and_it_is_said(tmp_path: Path) -> None:
    _files(tmp_path, *(f"train/{n}.png" for n in range(3)))
    _text(
        tmp_path, "cells.csv", "file,label,split\n0.png,SNE,train\n1.png,LY,train\n2.png,LY,val\n"
    )
    cells = read(tmp_path)
    assert _splits(cells) == {"train": 2, "eval": 1}
    assert "another split than the table says: 1 cell; the table counts" in cells.statement.notes[0]
