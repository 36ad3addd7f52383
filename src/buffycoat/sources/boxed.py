"""Whether a data set is fields of view with boxes, whose cells must be cut out first."""

from __future__ import annotations

import shlex
from pathlib import Path

from buffycoat.errors import ManifestError
from buffycoat.exchange.read import holds_boxes
from buffycoat.images import survey
from buffycoat.sources.places import read_place
from buffycoat.taxonomy.built_in import for_reading


def is_boxed(path: Path) -> bool:
    """Whether boxes say where the cells are: in COCO, Pascal VOC or YOLO's files.

    Pictures in folders of classes, or whose names begin with a class, are pictures of single cells,
    with or without boxes.
    """
    if not holds_boxes(path):
        return False
    if path.is_file():
        return True
    taxonomy = for_reading("auto")
    names = (image.relative_to(path).parts for image in survey(path).images)
    places = (read_place(parts, taxonomy) for parts in names)
    return not any(place.code or place.of_name for place in places)


def refusal(path: Path) -> ManifestError:
    """What to do with boxes where cells are expected."""
    return ManifestError(
        f"{path}: fields of view with boxes around their cells. Cut the cells out: `buffycoat crop "
        f"{shlex.quote(str(path))} --out cells`, and give that folder (train and predict do so "
        "themselves)"
    )
