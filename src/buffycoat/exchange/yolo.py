"""Boxes in YOLO's text files: one a field, with shares of its width and height.

A line may hold an outline in place of a box, as YOLO's segmentation has it; its box is what counts.
Some programs write one without being asked: supervision 0.31.2 `as_yolo` does, where the boxes came
with outlines.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from buffycoat.cells import manifest_error
from buffycoat.errors import ImageError, ManifestError
from buffycoat.exchange.boxes import Box, LabelledField, checked, keep, relative_name, size_of
from buffycoat.images import is_image, write_atomic
from buffycoat.optional import require
from buffycoat.tables.text import read_text

NAMES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")
"""Files that name the classes, in the order in which they are looked for."""
NO_BOXES = {*NAMES, "readme.txt", "train.txt", "val.txt", "test.txt", "notes.txt"}
_NUMBER = r"-?\d*\.?\d+(e-?\d+)?"
_LINE = re.compile(rf"\s*\d+(\s+{_NUMBER}){{4}}((\s+{_NUMBER}){{2}})*\s*")


def is_yolo(folder: Path) -> bool:
    """Whether a folder holds YOLO's text files, in it or in its folder `labels`.

    Files of fields without a cell are empty and tell nothing; the first others decide.
    """
    if not folder.is_dir():
        return False
    heads = (lines for path in _texts(folder) if (lines := _head(path)))
    return any(all(map(_LINE.fullmatch, lines)) for lines in islice(heads, 5))


def read_yolo(folder: Path) -> list[LabelledField]:
    """Fields with their boxes; a picture without a text file is a field without a box.

    Pictures lie beside their text files, or in `images/` where those lie in `labels/`.

    Args:
        folder: Of the data set; `data.yaml` or `classes.txt` in it names the classes.

    Raises:
        ManifestError: Lists every fault: no names, a text file without its picture, a line that is
            neither a class and four shares nor one and an outline, a class without a name, a box of
            no area or outside.
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
    # Quoted: NO and 1.0 would come back as something else, and "cell: smudge" not at all.
    listed = "".join(
        f"  {n}: {json.dumps(name, ensure_ascii=False)}\n" for n, name in enumerate(names)
    )
    write_atomic(folder / "data.yaml", f"path: .\ntrain: images\nnames:\n{listed}".encode())


def read_names(folder: Path) -> dict[int, str]:
    """Number -> class, from the first of `NAMES` that is there.

    Raises:
        ManifestError: There is none, it names no class, or it cannot be read.
    """
    file = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if file is None:
        raise ManifestError(
            f"{folder}: YOLO numbers the classes, and no file names them. Put a classes.txt there, "
            "a name a line"
        )
    text, _ = read_text(file)
    if file.suffix != ".yaml":
        found = {n: line.strip() for n, line in enumerate(text.splitlines()) if line.strip()}
    else:
        found = _yaml_names(file, text)
    if not found:
        raise ManifestError(f"{file}: names no class. Write them under `names:`")
    return found


def _yaml_names(file: Path, text: str) -> dict[int, str]:
    yaml = require("yaml", extra="fields")
    try:
        # As text: YAML 1.1 takes a class that is called NO for a truth value, and 1.0 for a number.
        table: Any = yaml.load(text, Loader=yaml.BaseLoader) or {}
    except yaml.YAMLError as error:
        raise ManifestError(f"{file}: no YAML ({' '.join(str(error).split())})") from error
    names: Any = table.get("names") or [] if isinstance(table, Mapping) else None
    if isinstance(names, Mapping) and all(str(number).isdecimal() for number in names):
        return {int(number): str(name) for number, name in names.items()}
    if not isinstance(names, list):
        raise ManifestError(
            f"{file}: expected `names:` with a list, or with a number before each name"
        )
    return dict(enumerate(map(str, names)))


def _read(
    path: Path | None, names: Mapping[int, str], width: int, height: int, folder: Path
) -> tuple[list[Box | str], list[str]]:
    boxes: list[Box | str] = []
    where: list[str] = []
    lines = [] if path is None else read_text(path)[0].splitlines()
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
        kind, *shares = int(words[0]), *map(float, words[1:])
    except ValueError:
        shares, kind = [], -1
    if len(shares) < 4 or len(shares) % 2:
        return f"expected a class and 4 numbers, or an outline, got {line.strip()[:60]!r}"
    if kind not in names:
        return (
            f"class {kind} has no name (there are {len(names)}, from 0 on). pylabel and others may "
            "number from 1 beside names from 0: number them anew"
        )
    if max(map(abs, shares)) > 1.5:
        return (
            f"expected shares of the picture, 0 to 1, got {line.strip()[:60]!r}: are these pixels?"
        )
    left, top, right, bottom = _sides(shares)
    box = Box(left * width, top * height, (right - left) * width, (bottom - top) * height)
    return checked(replace(box, label=names[kind]), width, height)


def _sides(shares: Sequence[float]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a box (middle, width, height) or of an outline's points."""
    if len(shares) == 4:
        x, y, w, h = shares
        return x - w / 2, y - h / 2, x + w / 2, y + h / 2
    across, down = shares[::2], shares[1::2]
    return min(across), min(down), max(across), max(down)


def _texts(folder: Path) -> list[Path]:
    place = folder / "labels" if (folder / "labels").is_dir() else folder
    return sorted(p for p in place.rglob("*.txt") if p.name.lower() not in NO_BOXES)


def _pictures(folder: Path) -> dict[str, Path]:
    place = folder / "images" if (folder / "images").is_dir() else folder
    return {_key(p, folder, "images"): p for p in sorted(place.rglob("*")) if is_image(p)}


def _key(path: Path, folder: Path, part: str) -> str:
    place = folder / part if (folder / part).is_dir() else folder
    return path.relative_to(place).with_suffix("").as_posix()


def _head(path: Path) -> list[str]:
    """The first lines that are not empty."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.strip()][:3]
