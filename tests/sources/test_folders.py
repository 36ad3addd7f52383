from __future__ import annotations

from pathlib import Path

import pytest

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def read_folders(folder: Path) -> Manifest:
    return read(folder)


def read_images(path: Path) -> Manifest:
    return read(path, "images")


def _labels(folder: Path) -> dict[str, str]:
    frame = read_folders(folder).frame
    return dict(zip(frame["cell_id"], frame["label"].fillna(""), strict=True))


def test_a_folder_is_a_class(tmp_path: Path) -> None:
    _touch(tmp_path, "SNE/1.jpg", "SNE/2.png", "odd class/IMG_3.jpg", "README.md")
    assert _labels(tmp_path) == {
        "SNE/1.jpg": "SNE",
        "SNE/2.png": "SNE",
        "odd class/IMG_3.jpg": "odd class",
    }
    assert set(read_folders(tmp_path).frame["split"]) == {"train"}


def test_a_code_in_the_name_says_more_than_the_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "neutrophil/SNE_1.jpg", "neutrophil/BNE_1.jpg", "ig/MMY_7.jpg", "ig/IG_8.jpg")
    assert _labels(tmp_path) == {
        "neutrophil/SNE_1.jpg": "SNE",
        "neutrophil/BNE_1.jpg": "BNE",
        "ig/MMY_7.jpg": "MMY",
        "ig/IG_8.jpg": "IG",
    }


def test_folder_and_name_must_not_contradict(tmp_path: Path) -> None:
    _touch(tmp_path, "SNE/LY_1.jpg", "SNE/SNE_2.jpg")
    with pytest.raises(ManifestError, match=r"SNE/LY_1.jpg: the folder says SNE, the name says LY"):
        read_folders(tmp_path)


def test_pictures_of_one_name_are_two_cells(tmp_path: Path) -> None:
    _touch(tmp_path, "SNE/1.jpg", "LY/1.jpg")
    assert _labels(tmp_path) == {"SNE/1.jpg": "SNE", "LY/1.jpg": "LY"}


def test_split_folders_are_not_classes(tmp_path: Path) -> None:
    _touch(tmp_path, "train/SNE/1.jpg", "val/LY/2.jpg", "test/3.jpg")
    frame = read_folders(tmp_path).frame.set_index("cell_id")
    assert frame["split"].to_dict() == {
        "train/SNE/1.jpg": "train",
        "val/LY/2.jpg": "eval",
        "test/3.jpg": "test",
    }
    assert frame["label"].fillna("").to_dict() == {
        "train/SNE/1.jpg": "SNE",
        "val/LY/2.jpg": "LY",
        "test/3.jpg": "",
    }


def test_a_flat_folder_is_unlabelled(tmp_path: Path) -> None:
    manifest = read_folders(_touch(tmp_path, "b.jpg", "a.jpg"))
    assert manifest.frame["cell_id"].tolist() == ["a.jpg", "b.jpg"]
    assert not manifest.is_labelled.any()
    assert set(manifest.frame["split"]) == {"test"}
    assert manifest.notes == ()


def test_a_flat_folder_of_coded_names_is_labelled(tmp_path: Path) -> None:
    assert _labels(_touch(tmp_path, "SNE_1.jpg", "LY_2.jpg")) == {
        "LY_2.jpg": "LY",
        "SNE_1.jpg": "SNE",
    }


def test_a_few_coded_names_among_others_are_refused_with_the_setting(tmp_path: Path) -> None:
    _touch(tmp_path, "MO_1.jpg", "LY_1.jpg", "scan2.jpg")
    with pytest.raises(ManifestError, match=r"but not scan2.jpg.*--labels-from names.*--layout"):
        read(tmp_path)
    assert not read(tmp_path, "images").is_labelled.any()
    kept = read(tmp_path, reading=Reading(leave_out=("scan2.jpg",)))
    assert kept.counts() == {"MO": 1, "LY": 1}
    assert kept.statement.left_out == {"scan2.jpg": 1}


def test_a_stray_image_beside_class_folders_is_a_fault(tmp_path: Path) -> None:
    _touch(tmp_path, "SNE/1.jpg", "overview.png")
    with pytest.raises(ManifestError, match=r"overview.png: has no class"):
        read_folders(tmp_path)


def test_read_images_takes_no_label_from_anything(tmp_path: Path) -> None:
    _touch(tmp_path, "SNE/1.jpg", "x.png")
    manifest = read_images(tmp_path)
    assert len(manifest) == 2
    assert not manifest.is_labelled.any()
    assert read_images(tmp_path / "x.png").frame["cell_id"].tolist() == ["x.png"]


@pytest.mark.parametrize("reader", [read_folders, read_images])
def test_no_images_is_an_error(tmp_path: Path, reader) -> None:
    with pytest.raises(ManifestError, match=r"no image in it|the folder is empty"):
        reader(tmp_path)


def test_a_name_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    torn = b"Zelle_\xe4.jpg".decode(errors="surrogateescape")
    _touch(tmp_path, "good.jpg", torn)
    with pytest.raises(ManifestError, match=r"Zelle_\\udce4.jpg.*rename it"):
        read_images(tmp_path)
