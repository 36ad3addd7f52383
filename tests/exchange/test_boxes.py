"""Boxes of COCO, YOLO and Pascal VOC, in and out, and what is wrong with some."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from buffycoat.cells import CellRef
from buffycoat.errors import ManifestError
from buffycoat.exchange.boxes import Box, LabelledField
from buffycoat.exchange.coco import is_coco, read_coco, write_coco
from buffycoat.exchange.outlines import Outline
from buffycoat.exchange.read import read_boxes
from buffycoat.exchange.voc import is_voc, read_voc
from buffycoat.exchange.yolo import is_yolo, read_names, read_yolo, write_yolo
from buffycoat.images import read, write_png

BOXES = (Box(10, 20, 30, 40, "LY"), Box(0, 0, 12.5, 8, "EO"))


@pytest.fixture
def fields(tmp_path: Path) -> list[LabelledField]:
    """Two pictures, the second without a cell, in the layout's folder `images`."""
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        write_png(tmp_path / "images" / name, np.full((80, 100, 3), 240, np.uint8))
    first, second = (tmp_path / "images" / name for name in ("a.png", "b.png"))
    return [LabelledField(first, 100, 80, BOXES), LabelledField(second, 100, 80, ())]


def _xml(folder: Path, name: str, objects: str, size: str = "") -> None:
    text = f"<annotation><filename>a.png</filename>{size}{objects}</annotation>"
    (folder / name).write_text(text, encoding="utf-8")


def _object(*corners: float, name: str = "LY") -> str:
    tags = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{t}>{v}</{t}>" for t, v in zip(tags, corners, strict=True))
    return f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"


def test_coco_comes_back_as_it_was_written(tmp_path: Path, fields: list[LabelledField]) -> None:
    path = tmp_path / "cells.json"
    write_coco(path, [(field, [None] * len(field.boxes)) for field in fields])
    assert is_coco(path)
    assert read_coco(path) == fields


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools 2.0
def test_coco_is_read_by_its_own_library(tmp_path: Path, fields: list[LabelledField]) -> None:
    tools = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    path = tmp_path / "cells.json"
    ring = ((10.0, 20.0), (40.0, 20.0), (40.0, 60.0), (10.0, 60.0))
    write_coco(path, [(fields[0], [Outline((ring,)), None]), (fields[1], [])])
    found = tools.COCO(str(path))
    masks = [found.annToMask(entry) for entry in found.loadAnns(found.getAnnIds(imgIds=[1]))]
    assert [int(mask.sum()) for mask in masks] == [30 * 40, 13 * 8]  # 12.5 wide: it rounds
    assert masks[0][20:60, 10:40].all()
    assert found.getAnnIds(imgIds=[2]) == []
    # To COCOeval 0 is "no cell": it would count one with that id as never found (2.0.11).
    assert min(found.anns) > 0


@pytest.mark.usefixtures("fields")
def test_a_crowd_of_coco_is_a_cell(tmp_path: Path) -> None:
    """supervision 0.31.2 marks each mask of several parts so, as of a lobed nucleus."""
    cell = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "iscrowd": 1}
    rle = {"counts": [8000], "size": [80, 100]}
    found = read_coco(_coco(tmp_path, annotations=[cell | {"segmentation": rle}]))
    assert found[0].boxes == (Box(1, 2, 30, 40, "LY"),)


def test_yolo_comes_back_as_it_was_written(tmp_path: Path, fields: list[LabelledField]) -> None:
    write_yolo(tmp_path, fields, ["EO", "LY"])
    assert is_yolo(tmp_path)
    found = read_yolo(tmp_path)
    assert [field.image.name for field in found] == ["a.png", "b.png"]
    assert [box.label for box in found[0].boxes] == ["LY", "EO"]
    got = [(b.left, b.top, b.width, b.height) for b in found[0].boxes]
    np.testing.assert_allclose(got, [(10, 20, 30, 40), (0, 0, 12.5, 8)], atol=1e-3)
    assert found[1].boxes == ()


@pytest.mark.usefixtures("fields")
def test_yolo_names_stay_text_and_are_read_by_yaml(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="needs pyyaml")
    names = ["NO", "cell: smudge", "1.0", "# of platelets", "Ödem"]
    write_yolo(tmp_path, [], names)
    listed = yaml.safe_load((tmp_path / "data.yaml").read_text(encoding="utf-8"))["names"]
    assert list(listed.values()) == list(read_names(tmp_path).values()) == names
    (tmp_path / "data.yaml").write_text("names: [NO, on, 1.0]\n")  # as others write it
    assert read_names(tmp_path) == {0: "NO", 1: "on", 2: "1.0"}


def test_yolo_is_recognised_behind_fields_without_cells(
    tmp_path: Path, fields: list[LabelledField]
) -> None:
    (tmp_path / "classes.txt").write_text("EO\n")
    (tmp_path / "labels").mkdir()
    for number in range(9):  # pylabel writes spaces into the file of an empty field
        write_png(tmp_path / "images" / f"{number}.png", np.full((80, 100, 3), 240, np.uint8))
        (tmp_path / "labels" / f"{number}.txt").write_text("    \n" if number % 2 else "")
    assert not is_yolo(tmp_path)
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert is_yolo(tmp_path)
    found = read_boxes(tmp_path)
    assert [len(field.boxes) for field in found] == [0] * 9 + [1, 0]


@pytest.mark.usefixtures("fields")
def test_an_outline_of_yolo_is_read_as_its_box(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("EO\n")
    line = "0 0.05 0.2 0.05 0.6 0.2 0.6 0.2 0.25\n"  # as supervision writes boxes with outlines
    (tmp_path / "a.txt").write_text(line)
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).rename(tmp_path / name)
    (tmp_path / "images").rmdir()
    assert is_yolo(tmp_path)
    (box,) = read_yolo(tmp_path)[0].boxes
    np.testing.assert_allclose((box.left, box.top, box.width, box.height), (5, 16, 15, 32))


def test_voc_is_read(tmp_path: Path, fields: list[LabelledField]) -> None:
    size = "<size><width>0</width><height>0</height></size>"  # as some tools write it
    _xml(tmp_path, "a.xml", _object(10, 20, 40, 60) + _object(0, 0, 12.5, 8, name="EO"), size)
    assert is_voc(tmp_path)
    assert read_voc(tmp_path) == fields[:1]


def _coco(tmp_path: Path, **changes: object) -> Path:
    table = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
        "categories": [{"id": 1, "name": "LY"}],
        "annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    }
    path = tmp_path / "cells.json"
    path.write_text(json.dumps(table | changes))
    return path


@pytest.mark.usefixtures("fields")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": [{"id": 7, "image_id": 9, "category_id": 1, "bbox": [1, 2, 3, 4]}]},
         "annotation 7: picture 9 is not in the file"),
        ({"annotations": [{"id": 7, "image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4]}]},
         "category 5 is not in the file"),
        ({"annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 4]}]},
         "a.png, box 1: box 1, 2, 0, 4 has no area"),
        ({"annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": [90, 2, 30, 4]}]},
         "leaves the picture of 100 x 80 px by 20 px"),
        ({"annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": [1, 2]}]},
         r"bbox \[1, 2\], expected 4 numbers"),
        ({"images": [{"id": 1, "file_name": "c.png", "width": 100, "height": 80}]},
         "picture 'c.png' is not beside cells.json"),
        ({"images": [{"id": n, "file_name": "a.png", "width": 100, "height": 80} for n in (1, 2)]},
         "picture 'a.png' is described 2 times"),
        ({"categories": None}, "no COCO file"),
        ({"categories": [{"id": 1}]}, "categories: id 1 has no name"),
        ({"categories": ["LY"]}, "categories: entry 0 is 'LY', expected an object"),
        ({"categories": [{"id": 1, "name": "LY"}, {"id": 1, "name": "MO"}]},
         "categories: id 1 is there 2 times"),
        ({"images": [{"id": [1], "file_name": "a.png"}]}, "an id that is no number or text"),
        ({"images": [{"id": 1, "file_name": name, "width": 100, "height": 80}
                     for name in ("a.png", "b.png")]}, "images: id 1 is there 2 times"),
        ({"images": [{"id": 1, "file_name": "a.png", "width": "wide", "height": 80}]},
         "a.png: size 'wide' x 80, expected numbers of pixels"),
        ({"images": [{"id": 1, "file_name": "a.png", "width": 200, "height": 160}]},
         "a.png: says 200 x 160 px, its picture has 100 x 80: the boxes are of another picture"),
    ],
)  # fmt: skip
def test_faults_of_coco_name_the_place(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_coco(_coco(tmp_path, **changes))


@pytest.mark.usefixtures("fields")
def test_coco_without_sizes_has_those_of_its_pictures(tmp_path: Path) -> None:
    for size in ({}, {"width": None, "height": None}, {"width": 0, "height": 0}):
        found = read_coco(_coco(tmp_path, images=[{"id": 1, "file_name": "a.png"} | size]))
        assert (found[0].width, found[0].height, len(found[0].boxes)) == (100, 80, 1)


def test_a_picture_that_a_telephone_turned_has_the_size_it_is_seen_in(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for name in ("a.jpg", "a.png", "a.tif"):
        folder = tmp_path / name
        folder.mkdir()
        Image.new("RGB", (100, 80), "white").save(folder / name, exif=exif)
        (folder / "classes.txt").write_text("LY")
        (folder / "a.txt").write_text("0\t0.5 0.5 0.25 0.1\n")
        (field,) = read_boxes(folder)
        seen = read(CellRef(str(folder / name)))
        assert (field.height, field.width) == seen.shape[:2] == (100, 80)
        assert field.boxes == (Box(30, 45, 20, 10, "LY"),)


@pytest.mark.usefixtures("fields")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_names_of_yolo_are_read_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "classes.txt").write_bytes("Ödem\r\nLY\r\n".encode(encoding))
    assert read_names(tmp_path) == {0: "Ödem", 1: "LY"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [a, b\n: x", "data.yaml: no YAML"),
        ("- LY\n- MO", "expected `names:` with a list"),
        ("names: LY", "expected `names:` with a list"),
        ("names: {first: LY}", "expected `names:` with a list"),
        ("nc: 2", "names no class"),
    ],
)
def test_names_of_yolo_that_are_none_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_names(tmp_path)


@pytest.mark.usefixtures("fields")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0 0.1", "labels/a.txt, line 1: box .* has no area"),
        ("3 0.5 0.5 0.1 0.1", "class 3 has no name"),
        ("0 50 40 10 10", "are these pixels"),
        ("0 0.5 0.5 0.1", "expected a class and 4 numbers"),
        ("0 0.5 0.5 0.1 0.1 0.9", "expected a class and 4 numbers"),
        ("0 0.5 0.5 0.6 0.5 0.7 0.5", "has no area"),
        ("1 0.5 0.5 0.1 0.1", "number from 1 beside names from 0"),
        ("0 0.99 0.5 0.2 0.1", "leaves the picture"),
        ("LY 0.5 0.5 0.1 0.1", "expected a class and 4 numbers"),
    ],
)
def test_faults_of_yolo_name_the_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text(line)
    (tmp_path / "classes.txt").write_text("LY\n")
    with pytest.raises(ManifestError, match=message):
        read_yolo(tmp_path)


@pytest.mark.usefixtures("fields")
def test_yolo_without_names_or_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "lost.txt").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(ManifestError, match=r"Put a classes\.txt"):
        read_yolo(tmp_path)
    (tmp_path / "classes.txt").write_text("LY\n")
    with pytest.raises(ManifestError, match=r"labels/lost\.txt: its picture is missing"):
        read_yolo(tmp_path)


def test_yolo_refuses_pictures_that_differ_in_their_suffix_alone(tmp_path: Path) -> None:
    fields = [LabelledField(Path(f"s/a.{kind}"), 100, 80, ()) for kind in ("png", "jpg")]
    with pytest.raises(ManifestError, match="s/a is the name of several"):
        write_yolo(tmp_path, fields, ["LY"])


@pytest.mark.usefixtures("fields")
def test_faults_of_voc_name_the_file(tmp_path: Path) -> None:
    _xml(tmp_path, "a.xml", _object(5, 5, 5, 9))
    with pytest.raises(ManifestError, match=r"a\.xml, object 1: box .* has no area"):
        read_voc(tmp_path)
    _xml(tmp_path, "a.xml", "", "<size><width>50</width><height>80</height></size>")
    with pytest.raises(ManifestError, match="says 50 x 80 px, its picture has 100 x 80"):
        read_voc(tmp_path)
    for name in ("a.xml", "b.xml"):
        _xml(tmp_path, name, "")
    with pytest.raises(ManifestError, match=r"a\.png: has 2 files of boxes"):
        read_voc(tmp_path)
    (tmp_path / "b.xml").write_text("<annotation>")
    with pytest.raises(ManifestError, match=r"b\.xml: no XML"):
        read_voc(tmp_path)


def test_a_box_rounded_outwards_is_cut_at_the_border(
    tmp_path: Path, fields: list[LabelledField]
) -> None:
    _xml(tmp_path, "a.xml", _object(-1, 70, 20, 81))
    assert read_voc(tmp_path)[0].boxes == (Box(0, 70, 20, 10, "LY"),)
    assert fields
