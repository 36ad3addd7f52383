"""Boxes in COCO's JSON: one file a data set, its fields beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from buffycoat.cells import manifest_error
from buffycoat.exchange.boxes import (
    Box,
    LabelledField,
    checked,
    keep,
    picture_size,
    relative_name,
)
from buffycoat.exchange.outlines import Outline, area_of
from buffycoat.images import write_atomic

PARTS = ("images", "annotations", "categories")
SIGNS = (("images", "file_name"), ("annotations", "bbox"))
"""Keys that one of the two long lists begins with."""


def is_coco(path: Path) -> bool:
    """Whether a file is COCO's by its first keys; it is not read whole."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.read(1 << 16)
    return any(all(f'"{word}"' in head for word in words) for words in SIGNS)


def read_coco(path: Path) -> list[LabelledField]:
    """Fields with their boxes; a field without a box is kept.

    Pictures are looked for beside the file, in its folder `images`, and in the folder that has the
    file's name. Where the file states no size, the picture's own counts.

    Args:
        path: The .json file.

    Raises:
        ManifestError: Lists every fault: no COCO, a picture missing, described twice or of another
            size, an id used twice, a box of no area or outside its picture, an unknown category, an
            annotation of an unknown picture.
    """
    table = _load(path)
    faults: list[str] = []
    images, annotations, categories = (_entries(table, part, faults) for part in PARTS)
    names = {entry.get("id"): str(entry.get("name")) for entry in categories}
    fields, files = {}, {}
    twice = Counter(str(entry.get("file_name")) for entry in images)
    faults += [f"picture {name!r} is described {n} times" for name, n in twice.items() if n > 1]
    for part, entries in (("images", images), ("categories", categories)):
        ids = Counter(entry.get("id") for entry in entries)
        faults += [f"{part}: id {key!r} is there {n} times" for key, n in ids.items() if n > 1]
    for entry in images:
        image = _beside(path, str(entry.get("file_name")))
        if image is None:
            faults.append(f"picture {entry.get('file_name')!r} is not beside {path.name}")
        fields[entry.get("id")], files[entry.get("id")] = entry, image
    found: dict[Any, list[Box]] = {key: [] for key in fields}
    for number, entry in enumerate(annotations):
        place = f"annotation {entry.get('id', number)}"
        if entry.get("image_id") not in fields:
            faults.append(f"{place}: picture {entry.get('image_id')!r} is not in the file")
        elif entry.get("category_id") not in names:
            faults.append(f"{place}: category {entry.get('category_id')!r} is not in the file")
        elif not _is_box(entry.get("bbox")):
            faults.append(f"{place}: bbox {entry.get('bbox')!r}, expected 4 numbers")
        else:
            left, top, wide, high = map(float, entry["bbox"])
            box = Box(left, top, wide, high, names[entry["category_id"]])
            found[entry["image_id"]].append(box)
    made = []
    for key, entry in fields.items():
        image, name = files[key], str(entry.get("file_name"))
        stated = entry.get("width"), entry.get("height")
        size = None if image is None else picture_size(image, stated, name, faults)
        if image is None or size is None:
            continue
        boxes = [checked(box, *size) for box in found[key]]
        where = [f"{name}, box {n}" for n in range(1, len(boxes) + 1)]
        made.append(LabelledField(image, *size, keep(boxes, where, faults)))
    if faults:
        raise manifest_error(str(path), faults)
    return made


def write_coco(
    path: Path,
    fields: Sequence[tuple[LabelledField, Sequence[Outline | None]]],
    scores: Mapping[int, float] | None = None,
) -> None:
    """Write fields, boxes and outlines as COCO's JSON.

    A cell's outline is one polygon or several (`segmentation` with `iscrowd` 0); run lengths, which
    COCO keeps for crowds, are not used.

    Args:
        path: The .json file; replaced once the new one is whole.
        fields: Each with an outline a box, or None for its corners. A picture with a relative path
            is named by it, another by its file's name.
        scores: Number of a box, counted from 0 over all fields -> probability of its label.
    """
    labels = sorted({box.label or "" for field, _ in fields for box in field.boxes})
    ids = {label: number for number, label in enumerate(labels, start=1)}
    table: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    table["categories"] = [{"id": n, "name": label or "cell"} for label, n in ids.items()]
    for number, (field, outlines) in enumerate(fields, start=1):
        size = {"width": field.width, "height": field.height}
        table["images"].append({"id": number, "file_name": relative_name(field.image), **size})
        for box, outline in zip(field.boxes, outlines, strict=True):
            rings = outline.rings if outline and outline.rings else (corners(box),)
            score = (scores or {}).get(len(table["annotations"]))
            table["annotations"].append(
                {
                    "id": len(table["annotations"]) + 1,
                    "image_id": number,
                    "category_id": ids[box.label or ""],
                    "bbox": [box.left, box.top, box.width, box.height],
                    "segmentation": [[v for point in ring for v in point] for ring in rings],
                    "area": float(sum(area_of(ring) for ring in rings)),
                    "iscrowd": 0,
                }
                | ({} if score is None else {"score": score})
            )
    write_atomic(path, json.dumps(table, allow_nan=False).encode())


def corners(box: Box) -> tuple[tuple[float, float], ...]:
    """Of a box, clockwise from the upper left."""
    right, bottom = box.left + box.width, box.top + box.height
    return ((box.left, box.top), (right, box.top), (right, bottom), (box.left, bottom))


def _load(path: Path) -> Mapping[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise manifest_error(str(path), [f"cannot be read as JSON ({error})"]) from error
    is_whole = isinstance(table, dict) and all(isinstance(table.get(p), list) for p in PARTS)
    if not is_whole:
        raise manifest_error(str(path), [f"no COCO file: expected lists {', '.join(PARTS)}"])
    return table


def _entries(table: Mapping[str, Any], part: str, faults: list[str]) -> list[Mapping[str, Any]]:
    """The entries of a list that can be read."""
    keys = ("id", "image_id", "category_id")
    found = []
    for number, entry in enumerate(table[part]):
        if not isinstance(entry, dict):
            faults.append(f"{part}: entry {number} is {str(entry)[:60]!r}, expected an object")
        elif not all(isinstance(entry.get(key), (int, str, float, type(None))) for key in keys):
            faults.append(f"{part}: entry {number} has an id that is no number or text")
        elif part == "categories" and not str(entry.get("name") or "").strip():
            faults.append(f"{part}: id {entry.get('id')!r} has no name")
        else:
            found.append(entry)
    return found


def _beside(path: Path, name: str) -> Path | None:
    places = (path.parent, path.parent / "images", path.with_suffix(""))
    return next((p / name for p in places if (p / name).is_file()), None)


def _is_box(values: Any) -> bool:
    return (
        isinstance(values, list)
        and len(values) == 4
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    )
