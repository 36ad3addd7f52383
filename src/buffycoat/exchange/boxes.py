"""Boxes around cells in fields of view, and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from buffycoat.errors import ImageError

SLACK_PX = 2.0
"""By which a box may leave its picture: other tools round outwards. It is cut there."""

QUARTER_TURNS = (5, 6, 7, 8)
"""EXIF orientations by which width and height change places, as telephones write them."""


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
    """Width and height of a picture as it is decoded: turned as its header asks (EXIF).

    Raises:
        ImageError: It cannot be read.
    """
    from PIL import ExifTags, Image

    try:
        with Image.open(image) as opened:
            exif = Image.Image.getexif(opened)  # PNG's own would decode the whole picture
            is_turned = exif.get(ExifTags.Base.Orientation, 1) in QUARTER_TURNS
            # Some versions of Pillow turn the size of a TIFF, others do not; its tags hold it.
            tags = getattr(opened, "tag_v2", {})
            width, height = tags.get(256, opened.width), tags.get(257, opened.height)
            return (height, width) if is_turned else (width, height)
    except (OSError, ValueError) as error:
        raise ImageError(f"{image}: cannot be read ({error}). Check the file") from error


def picture_size(
    image: Path, stated: Sequence[object], place: str, faults: list[str]
) -> tuple[int, int] | None:
    """Width and height of a picture, which must be those that a data set states.

    A picture that cannot be read is taken at its word: who cuts cells out of it names it.

    Args:
        image: The file.
        stated: Width and height as the data set has them; None, "" and 0 state none.
        place: Where they stand, for messages.
        faults: What is wrong is added to them.

    Returns:
        None where something is wrong.
    """
    try:
        known = [float(str(side or 0)) for side in stated]
    except ValueError:
        faults.append(f"{place}: size {stated[0]!r} x {stated[1]!r}, expected numbers of pixels")
        return None
    try:
        own = size_of(image)
    except ImageError as error:
        if all(known):
            return int(known[0]), int(known[1])
        faults.append(str(error))
        return None
    if all(known) and known != [*own]:
        faults.append(
            f"{place}: says {known[0]:g} x {known[1]:g} px, its picture has {own[0]} x {own[1]}: "
            "the boxes are of another picture, or it was resized or turned after they were drawn"
        )
        return None
    return own


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
