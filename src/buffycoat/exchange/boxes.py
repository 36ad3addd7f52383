"""Boxes around cells in fields of view, and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from buffycoat.errors import ImageError

SLACK_PX = 2.0
"""By which a box may leave its picture: other tools round outwards. It is cut there."""


@dataclass(frozen=True)
class Box:
    """A cell in a field.

    Attributes:
        left: Pixels from the left border of the field to the cell.
        top: Pixels from the upper border.
        width: Pixels, over 0.
        height: Pixels, over 0.
        label: As it is spelt; None where the format holds no class for it.
    """

    left: float
    top: float
    width: float
    height: float
    label: str | None = None


@dataclass(frozen=True)
class LabelledField:
    """A field of view and the boxes in it; there may be none.

    Attributes:
        image: Its file.
        width: Pixels.
        height: Pixels.
        boxes: In the order of the file that they come from.
    """

    image: Path
    width: int
    height: int
    boxes: tuple[Box, ...]


def cell_name(field: str, box: Box) -> str:
    """How the cell in a box is called, by its field and place: also the name of its crop.

    >>> cell_name("a.jpg", Box(10.4, 20, 30, 40))
    'a.jpg-x10-y20-30x40.png'
    """
    left, top, width, height = (round(v) for v in (box.left, box.top, box.width, box.height))
    return f"{field}-x{left}-y{top}-{width}x{height}.png"


def relative_name(image: Path) -> str:
    """How a data set's files name a picture: by its path in the set, else by its file's name."""
    return image.name if image.is_absolute() else image.as_posix()


def size_of(image: Path) -> tuple[int, int]:
    """Width and height of a picture as it is stored, from its header.

    Raises:
        ImageError: It cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(image) as opened:
            return opened.size
    except (OSError, ValueError) as error:
        raise ImageError(f"{image}: cannot be read ({error}). Check the file") from error


def checked(box: Box, width: int, height: int) -> Box | str:
    """A box cut to its field, or what is wrong with it.

    Args:
        box: As it was read.
        width: Of the field, pixels.
        height: Of the field, pixels.
    """
    values = (box.left, box.top, box.width, box.height)
    text = ", ".join(f"{value:g}" for value in values)
    if not all(abs(value) < float("inf") for value in values):
        return f"box {text} is not of finite numbers"
    if box.width <= 0 or box.height <= 0:
        return f"box {text} has no area (left, top, width, height)"
    right, bottom = box.left + box.width, box.top + box.height
    over = max(-box.left, -box.top, right - width, bottom - height)
    if over > SLACK_PX:
        return f"box {text} leaves the picture of {width} x {height} px by {over:g} px"
    left, top = max(box.left, 0.0), max(box.top, 0.0)
    return Box(left, top, min(right, width) - left, min(bottom, height) - top, box.label)


def keep(found: Sequence[Box | str], where: Sequence[str], faults: list[str]) -> tuple[Box, ...]:
    """The good ones of checked boxes; the others are added to the faults with where they stand."""
    faults += [f"{place}: {box}" for box, place in zip(found, where, strict=True)
               if isinstance(box, str)]  # fmt: skip
    return tuple(box for box in found if isinstance(box, Box))
