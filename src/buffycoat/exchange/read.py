"""Boxes in any supported format, recognised by their files."""

from __future__ import annotations

from pathlib import Path

from buffycoat.errors import ManifestError
from buffycoat.exchange.boxes import LabelledField
from buffycoat.exchange.coco import is_coco, read_coco
from buffycoat.exchange.voc import is_voc, read_voc
from buffycoat.exchange.yolo import NAMES, is_yolo, read_yolo

READERS = ((is_coco, read_coco), (is_voc, read_voc), (is_yolo, read_yolo))
EXPECTED = (
    "COCO's .json file, or a folder with one, with Pascal VOC's XML files, or with YOLO's text "
    "files (labels/, images/ and data.yaml or classes.txt)"
)


def read_boxes(path: Path) -> list[LabelledField]:
    """Fields of view with boxes around their cells.

    Args:
        path: COCO's .json file, or a folder with one, with YOLO's text files or with Pascal VOC's
            XML files.

    Raises:
        ManifestError: None of these, or faults in it (all are listed).
    """
    if not path.exists():
        raise ManifestError(f"{path}: no such file or folder. Check the path")
    listed = _coco_files(path)
    if len(listed) > 1:
        names = ", ".join(file.name for file in listed)
        raise ManifestError(f"{path}: has several files of boxes ({names}). Give one of them")
    place = listed[0] if listed else path
    for is_it, reader in READERS:
        if is_it(place):
            return reader(place)
    raise ManifestError(f"{path}: no boxes that can be read. Expected {EXPECTED}")


def holds_boxes(path: Path) -> bool:
    """Whether `read_boxes` would find some; a folder is not searched deeper than one level."""
    if path.is_file():
        return is_coco(path)
    has_yolo = (path / "labels").is_dir() or any((path / name).is_file() for name in NAMES)
    return bool(_coco_files(path)) or is_voc(path) or (has_yolo and is_yolo(path))


def _coco_files(path: Path) -> list[Path]:
    return [file for file in sorted(path.glob("*.json")) if is_coco(file)] if path.is_dir() else []
