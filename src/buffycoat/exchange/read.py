"""Boxes in any supported format, recognised by their files."""

from __future__ import annotations

from pathlib import Path

from buffycoat.errors import ManifestError
from buffycoat.exchange.boxes import LabelledField
from buffycoat.exchange.coco import is_coco, read_coco
from buffycoat.exchange.voc import is_voc, read_voc
from buffycoat.exchange.yolo import is_yolo, read_yolo


def read_boxes(path: Path) -> list[LabelledField]:
    """Fields of view with boxes around their cells.

    Args:
        path: COCO's .json file, or a folder of YOLO's text files or of Pascal VOC's XML files.

    Raises:
        ManifestError: None of these, or faults in it (all are listed).
    """
    if not path.exists():
        raise ManifestError(f"{path}: no such file or folder. Check the path")
    for is_it, reader in ((is_coco, read_coco), (is_voc, read_voc), (is_yolo, read_yolo)):
        if is_it(path):
            return reader(path)
    raise ManifestError(
        f"{path}: no boxes that can be read. Expected COCO's .json file, or a folder with YOLO's "
        "text files (labels/, images/ and data.yaml or classes.txt) or with Pascal VOC's XML files"
    )
