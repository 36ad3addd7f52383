from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from buffycoat import images
from buffycoat.errors import ManifestError


def _cell(path: Path, form: str = "PNG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20), (200, 150, 180)).save(path, form)


def _found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in images.survey(folder).images]


def _others(folder: Path) -> dict[str, str]:
    others = images.survey(folder).others
    return {other.path.relative_to(folder).as_posix(): other.why for other in others}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("IM000001", "JPEG"), ("cell.0001", "PNG"), ("cell.dat", "BMP"), ("cell.img", "TIFF"),
        ("cell.jpg.bak", "JPEG"), ("cell.txt", "PNG"), ("cell.", "GIF"), ("Dr. Mey 3", "WEBP"),
        ("cell.xyz", "JPEG2000"), ("cell", "AVIF"), ("cell.x", "PPM"),
    ],
)  # fmt: skip
def test_a_picture_is_found_whatever_its_name(tmp_path: Path, name: str, form: str) -> None:
    _cell(tmp_path / name, form)
    assert _found(tmp_path) == [name]


@pytest.mark.parametrize(
    "suffix",
    "jpg JPEG jpe jfif mpo png bmp tif TIFF webp gif jp2 j2k avif heic HEIF dcm czi svs ndpi nd2 "
    "vsi mrxs lif dng nef cr2 psd ppm tga jxl".split(),
)
def test_a_name_that_claims_a_picture_is_kept_also_if_it_is_broken(
    tmp_path: Path, suffix: str
) -> None:
    (tmp_path / f"a.{suffix}").touch()
    (tmp_path / f"b.{suffix} ").touch()
    assert _found(tmp_path) == [f"a.{suffix}", f"b.{suffix} "]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("labels.csv", b"ID,label\n", "table (.csv)"),
        ("labels.TSV", b"", "table (.tsv)"),
        ("cells.parquet", b"PAR1", "table (.parquet)"),
        ("labels.xlsx", b"PK\x03\x04", "table (.xlsx)"),
        ("README.md", b"# BMI of 20 donors and more\n", "text (.md)"),
        ("notes.txt", b"P1 23 female\nP2 41 male\n", "text (.txt)"),
        ("a.xml", b"<annotation/>", "data file (.xml)"),
        ("coco.json", b"{}", "data file (.json)"),
        ("masks.npy", b"\x93NUMPY\x01\0", "data file (.npy)"),
        ("x.mat", b"MATLAB 5.0", "data file (.mat)"),
        ("all.zip", b"PK\x03\x04", "archive (.zip)"),
        ("paper.pdf", b"%PDF-1.4", "document (.pdf)"),
        ("load.py", b"import os", "program (.py)"),
        ("clip.mp4", b"\0\0\0\x18ftypmp42", "video (.mp4)"),
        ("best.pth", b"PK\x03\x04", "model (.pth)"),
        ("LICENSE", "Lizenz für alle\n".encode(), "text"),
        ("report.q", b"%PDF-1.4 \0\x01", "document (.q)"),
        ("clip", b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        ("x.weird", b"\0\x01\x02", "unknown file (.weird)"),
        ("nothing", b"", "empty file"),
        (".DS_Store", b"\0\0\0\x01Bud1", "hidden file"),
        ("._a.png", b"\0\x05\x16\x07", "hidden file"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0", "system file"),
        ("desktop.ini", b"[.ShellClassInfo]", "system file"),
        ("a.explained.png", b"", "own figure"),
        ("contact-sheet.png", b"", "own figure"),
    ],
)
def test_what_is_plainly_no_picture_is_left_out_and_named(
    tmp_path: Path, name: str, data: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(data)
    assert _found(tmp_path) == []
    assert _others(tmp_path) == {name: why}


@pytest.mark.parametrize("name", ["cell", "cell.0001"])
def test_a_damaged_picture_without_a_suffix_is_reported_rather_than_dropped(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(bytes(range(256)))
    assert _found(tmp_path) == [name]


def test_the_line_counts_files_of_a_kind_together(tmp_path: Path) -> None:
    assert images.survey(tmp_path).left_out() == ""
    for name in ("a.csv", "b.csv", "c.md"):
        (tmp_path / name).touch()
    _cell(tmp_path / "cell.png")
    said = "3 files not looked at: 2 tables (.csv), 1 text (.md)"
    assert images.survey(tmp_path).left_out() == said


def test_hidden_folders_and_those_of_the_system_are_one_entry_each(tmp_path: Path) -> None:
    for name in ("a.png", ".thumbnails/a.png", ".git/b.png", "__MACOSX/a.png", "@eaDir/a.jpg"):
        _cell(tmp_path / name)
    assert _found(tmp_path) == ["a.png"]
    assert _others(tmp_path) == {
        ".git": "hidden folder", ".thumbnails": "hidden folder",
        "__MACOSX": "system folder", "@eaDir": "system folder",
    }  # fmt: skip


def test_it_looks_deep_and_sorts(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.TIFF", "sub/deep/0.png"):
        _cell(tmp_path / name)
    assert _found(tmp_path) == ["a.png", "b.JPG", "sub/c.TIFF", "sub/deep/0.png"]
    assert images.list_images(tmp_path) == list(images.survey(tmp_path).images)


def test_links_are_followed_once_and_those_that_lead_nowhere_kept(tmp_path: Path) -> None:
    _cell(tmp_path / "archive/a.png")
    cells = tmp_path / "cells"
    cells.mkdir()
    (cells / "slide").symlink_to(tmp_path / "archive")
    (tmp_path / "archive/back").symlink_to(cells)
    (cells / "gone.png").symlink_to(tmp_path / "none.png")
    (cells / "loop.png").symlink_to(cells / "loop.png")
    (cells / "gone").symlink_to(tmp_path / "none")
    assert _found(cells) == ["gone.png", "loop.png", "slide/a.png"]
    assert _others(cells) == {"gone": "broken link"}


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert _others(tmp_path) == {"pipe": "device"}


def test_a_file_that_may_not_be_read_is_kept_to_be_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cell", "table.csv"):
        (tmp_path / name).touch()

    def refuse(path: Path, *args: object, **options: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert _found(tmp_path) == ["cell"]
    assert _others(tmp_path) == {"table.csv": "table (.csv)"}


def test_a_folder_that_may_not_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: object) -> object:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(ManifestError, match=r"cells would be missed"):
        images.survey(tmp_path)


def test_one_file_is_an_image_by_the_same_rules(tmp_path: Path) -> None:
    _cell(tmp_path / "cell", "JPEG")
    (tmp_path / "labels.csv").write_text("ID,label\n")
    assert images.is_image(tmp_path / "cell")
    assert not images.is_image(tmp_path / "labels.csv")
