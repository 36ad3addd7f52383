"""Boxes in YOLO's text files: one a field, with shares of its width and height."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from buffycoat.cells import manifest_error
from buffycoat.errors import ImageError, ManifestError
from buffycoat.exchange.boxes import Box, LabelledField, checked, keep, relative_name, size_of
from buffycoat.images import is_image, write_atomic
from buffycoat.optional import require

NAMES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")
"""Files that name the classes, in the order in which they are looked for."""
NO_BOXES = {*NAMES, "readme.txt", "train.txt", "val.txt", "test.txt", "notes.txt"}


def is_yolo(folder: Path) -> bool:
    """Whether a folder holds YOLO's text files, in it or in its folder `labels`."""
    return folder.is_dir() and any(_is_boxes(path) for path in _texts(folder)[:5])


def read_yolo(folder: Path) -> list[LabelledField]:
    """Fields with their boxes; a picture without a text file is a field without a box.

    Pictures lie beside their text files, or in `images/` where those lie in `labels/`.

    Args:
        folder: Of the data set; `data.yaml` or `classes.txt` in it names the classes.

    Raises:
        ManifestError: Lists every fault: no names, a text file without its picture, a line that is
            not a class and four shares, a class without a name, a box of no area or outside.
    """
    names, faults = read_names(folder), []
    pictures = _pictures(folder)
    made = []
    texts = {_key(path, folder, "labels"): path for path in _texts(folder)}
    faults += [
        f"{texts[key].relative_to(folder)}: its picture is missing"
        for key in texts
        if key not in pictures
    ]
    for key, image in pictures.items():
        try:
            width, height = size_of(image)
        except ImageError as error:
            faults.append(str(error))
            continue
        boxes, where = _read(texts.get(key), names, width, height, folder)
        made.append(LabelledField(image, width, height, keep(boxes, where, faults)))
    if faults:
        raise manifest_error(str(folder), faults)
    return made


def write_yolo(folder: Path, fields: Sequence[LabelledField], names: Sequence[str]) -> None:
    """Write `labels/NAME.txt` for each field, and `data.yaml`; pictures are not copied.

    Args:
        folder: Made if need be.
        fields: Their boxes are labelled with some of the names. A picture with a relative path is
            named by it, another by its file's name.
        names: Classes, numbered from 0 in this order.

    Raises:
        ManifestError: Two pictures differ in their suffix alone, which the text files leave out.
    """
    stems = [Path(relative_name(field.image)).with_suffix("") for field in fields]
    twice = [stem for stem, n in Counter(stems).items() if n > 1]
    if twice:
        raise ManifestError(
            f"{folder}: YOLO's files are named after their picture without its suffix, and "
            f"{twice[0]} is the name of several. Rename one"
        )
    for field, stem in zip(fields, stems, strict=True):
        lines = []
        for box in field.boxes:
            centre = (box.left + box.width / 2, box.top + box.height / 2, box.width, box.height)
            sides = (field.width, field.height) * 2
            shares = " ".join(f"{v / s:.6f}" for v, s in zip(centre, sides, strict=True))
            lines.append(f"{names.index(box.label or '')} {shares}\n")
        write_atomic(folder / "labels" / f"{stem.as_posix()}.txt", "".join(lines).encode())
    listed = "".join(f"  {n}: {name}\n" for n, name in enumerate(names))
    write_atomic(folder / "data.yaml", f"path: .\ntrain: images\nnames:\n{listed}".encode())


def read_names(folder: Path) -> dict[int, str]:
    """Number -> class, from the first of `NAMES` that is there.

    Raises:
        ManifestError: There is none, or it names no class.
    """
    file = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if file is None:
        raise ManifestError(
            f"{folder}: YOLO numbers the classes, and no file names them. Put a classes.txt there, "
            "a name a line"
        )
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".yaml":
        found = {n: line.strip() for n, line in enumerate(text.splitlines()) if line.strip()}
    else:
        found = _yaml_names(text)
    if not found:
        raise ManifestError(f"{file}: names no class. Write them under `names:`")
    return found


def _yaml_names(text: str) -> dict[int, str]:
    yaml = require("yaml", extra="fields")
    names: Any = (yaml.safe_load(text) or {}).get("names")
    if isinstance(names, Mapping):
        return {int(number): str(name) for number, name in names.items()}
    return dict(enumerate(map(str, names or ())))


def _read(
    path: Path | None, names: Mapping[int, str], width: int, height: int, folder: Path
) -> tuple[list[Box | str], list[str]]:
    boxes: list[Box | str] = []
    where: list[str] = []
    lines = [] if path is None else path.read_text(encoding="utf-8-sig").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        assert path is not None
        where.append(f"{path.relative_to(folder)}, line {number}")
        boxes.append(_box(line, names, width, height))
    return boxes, where


def _box(line: str, names: Mapping[int, str], width: int, height: int) -> Box | str:
    words = line.split()
    try:
        kind, (x, y, w, h) = int(words[0]), map(float, words[1:])
    except ValueError:
        return f"expected a class and 4 numbers, got {line.strip()[:60]!r}"
    if kind not in names:
        return f"class {kind} has no name (there are {len(names)})"
    if max(map(abs, (x, y, w, h))) > 1.5:
        return f"expected shares of the picture, 0 to 1, got {line.strip()!r}: are these pixels?"
    box = Box((x - w / 2) * width, (y - h / 2) * height, w * width, h * height, names[kind])
    return checked(box, width, height)


def _texts(folder: Path) -> list[Path]:
    place = folder / "labels" if (folder / "labels").is_dir() else folder
    return sorted(p for p in place.rglob("*.txt") if p.name.lower() not in NO_BOXES)


def _pictures(folder: Path) -> dict[str, Path]:
    place = folder / "images" if (folder / "images").is_dir() else folder
    return {_key(p, folder, "images"): p for p in sorted(place.rglob("*")) if is_image(p)}


def _key(path: Path, folder: Path, part: str) -> str:
    place = folder / part if (folder / part).is_dir() else folder
    return path.relative_to(place).with_suffix("").as_posix()


def _is_boxes(path: Path) -> bool:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[:3]
    number = r"-?\d*\.?\d+(e-?\d+)?"
    return bool(lines) and all(re.fullmatch(rf"\d+( {number}){{4}}\s*", line) for line in lines)
