"""The files of a folder that are fields or slides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from buffycoat import images
from buffycoat.errors import ImageError, ManifestError, MissingExtraError
from buffycoat.fields.slides.dicom import group_by_series
from buffycoat.fields.slides.opening import format_name, open_slide
from buffycoat.fields.slides.slide import Slide

DRAWN_PX = 4096
"""Longer side of the picture of a slide."""
ENDS = 1_000_000
"""Bytes at both ends of a slide that tell it from another of its size and date."""


@dataclass(frozen=True)
class Place:
    """A field or slide.

    Attributes:
        path: Where it is; of a DICOM series the first file.
        name: From the folder of fields, with "/".
        slide_id: The folder that it lies in: its path from the folder of fields, or that folder's
            own name.
        files: All files of a DICOM series.
    """

    path: Path
    name: str
    slide_id: str
    files: tuple[Path, ...] = ()

    def open(self) -> Slide | None:
        """The slide; None for a photograph.

        Raises:
            ImageError: It is a slide that cannot be read.
        """
        return open_slide(self.files or (self.path,), self.name)

    def picture(self) -> tuple[np.ndarray, float]:
        """What is drawn on: the photograph, or the slide shrunk; and by which factor.

        Raises:
            ImageError: It cannot be read.
        """
        slide = self.open()
        if slide is None:
            return images.read(self.path), 1.0
        with slide:
            return shrunk(slide)

    def stamp(self) -> bytes:
        """Tells a slide from others, without reading all of it: sizes, dates and ends of its files.

        Raises:
            ImageError: A file is gone.
        """
        found = hashlib.sha256()
        for path in self.files or (self.path,):
            try:
                state = path.stat()
                with path.open("rb") as file:
                    head = file.read(ENDS)
                    file.seek(max(state.st_size - ENDS, 0))
                    tail = file.read(ENDS)
            except OSError as error:
                raise ImageError(f"{path}: cannot be read ({error.strerror})") from error
            found.update(f"{path.name} {state.st_size} {state.st_mtime_ns} ".encode())
            found.update(head + tail)
        return found.digest()


def list_fields(folder: Path) -> tuple[list[Place], str]:
    """Pictures and slides of a folder, or one; and what else is there, in words.

    The DICOM files of one series in one folder are one slide.

    Raises:
        ManifestError: There is none.
    """
    if folder.is_file():
        return [Place(folder, folder.name, folder.resolve().parent.name)], ""
    if not folder.is_dir():
        raise ManifestError(f"{folder}: no such folder or picture of fields. Check the path")
    found = images.survey(folder)
    if not found.images:
        raise ManifestError(
            f"{folder}: no field in it ({found.left_out() or 'the folder is empty'}). Expected "
            f"photographs of fields of view: {images.READABLE}; or slides"
        )
    series = [path for path in found.images if _is_dicom(path)]
    places = [
        _place(path, path.relative_to(folder), folder)
        for path in found.images
        if path not in set(series)
    ]
    places += _series_places(series, folder)
    return sorted(places, key=lambda place: place.path.parts), found.left_out()


def _is_dicom(path: Path) -> bool:
    try:
        return format_name(path) == "DICOM"
    except ImageError:
        return False  # told when it is read


def _series_places(files: Sequence[Path], folder: Path) -> list[Place]:
    """A place a series, named by its folder if it is alone there, else by its first file."""
    groups: list[tuple[Path, ...]] = []
    try:
        groups += group_by_series(files) if files else []
    except MissingExtraError:
        groups += [(path,) for path in files]  # each is then reported with what to install
    firsts = [min(group) for group in groups]
    folders = [first.parent for first in firsts]
    places = []
    for first, group in zip(firsts, groups, strict=True):
        is_alone = len(group) > 1 and folders.count(first.parent) == 1
        named = first.parent if is_alone and first.parent != folder else first
        places.append(_place(first, named.relative_to(folder), folder, group))
    return places


def _place(path: Path, name: Path, folder: Path, files: tuple[Path, ...] = ()) -> Place:
    """A place by its name from the folder of fields."""
    slide_id = name.parent.as_posix() if len(name.parts) > 1 else folder.resolve().name
    return Place(path, name.as_posix(), slide_id, files)


def shrunk(slide: Slide) -> tuple[np.ndarray, float]:
    """A slide, `DRAWN_PX` pixels wide or high at most, and those pixels over the slide's."""
    small = slide.overview(DRAWN_PX)
    return small, small.shape[1] / slide.width
