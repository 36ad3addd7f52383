"""Boxes in Pascal VOC's XML: one file a field."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from buffycoat.cells import manifest_error
from buffycoat.exchange.boxes import Box, LabelledField, checked, keep, picture_size

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def is_voc(folder: Path) -> bool:
    """Whether a folder holds XML files of annotations, in it or in its folder `Annotations`."""
    return folder.is_dir() and any(
        b"<annotation" in path.read_bytes()[:400] for path in _files(folder)[:1]
    )


def read_voc(folder: Path) -> list[LabelledField]:
    """Fields with their boxes.

    A picture is looked for under the name in its XML file: beside it, in `JPEGImages` and in
    `images`. Where the XML states no size, or 0, the picture's own counts. VOC counts pixels from 1
    and its corners are both inside the box; tools write from 0 just as often and nothing tells, so
    corners are taken as they stand.

    Args:
        folder: Of the data set.

    Raises:
        ManifestError: Lists every fault: a file that is no XML, a picture that is missing or has
            two files, a size that is not the picture's, a box of no area or outside.
    """
    faults: list[str] = []
    made: list[LabelledField] = []
    for path in _files(folder):
        try:
            root = ElementTree.fromstring(path.read_bytes())
        except (ElementTree.ParseError, LookupError) as error:  # LookupError: an unknown encoding
            faults.append(f"{path.name}: no XML ({error})")
            continue
        field = _field(root, path, folder, faults)
        if field is not None:
            made.append(field)
    for image, n in Counter(field.image for field in made).items():
        if n > 1:
            faults.append(f"{image.name}: has {n} files of boxes; keep one")
    if faults:
        raise manifest_error(str(folder), faults)
    return made


def _field(
    root: ElementTree.Element, path: Path, folder: Path, faults: list[str]
) -> LabelledField | None:
    name = (root.findtext("filename") or "").strip() or f"{path.stem}.jpg"
    image = _beside(path, folder, name)
    if image is None:
        faults.append(f"{path.name}: its picture {name!r} is missing")
        return None
    stated = [(root.findtext(f"size/{side}") or "").strip() for side in ("width", "height")]
    size = picture_size(image, stated, path.name, faults)
    if size is None:
        return None
    width, height = size
    boxes: list[Box | str] = []
    for element in root.iter("object"):
        texts = [element.findtext(f"bndbox/{corner}") for corner in CORNERS]
        try:
            left, top, right, bottom = (float(text or "") for text in texts)
        except ValueError:
            boxes.append(f"expected numbers in {', '.join(CORNERS)}, got {texts}")
            continue
        label = (element.findtext("name") or "").strip() or None
        boxes.append(checked(Box(left, top, right - left, bottom - top, label), width, height))
    where = [f"{path.name}, object {n}" for n in range(1, len(boxes) + 1)]
    return LabelledField(image, width, height, keep(boxes, where, faults))


def _files(folder: Path) -> list[Path]:
    place = folder / "Annotations" if (folder / "Annotations").is_dir() else folder
    return sorted(place.glob("*.xml"))


def _beside(path: Path, folder: Path, name: str) -> Path | None:
    places = (path.parent, folder, folder / "JPEGImages", folder / "images")
    return next((p / name for p in places if (p / name).is_file()), None)
