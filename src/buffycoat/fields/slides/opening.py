"""Which files are slides, and the reader of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from buffycoat import images
from buffycoat.errors import ImageError, MissingExtraError
from buffycoat.fields.slides.czi import CziSlide
from buffycoat.fields.slides.dicom import DicomSlide
from buffycoat.fields.slides.openslide import OpenSlideSlide, vendor
from buffycoat.fields.slides.slide import Slide
from buffycoat.fields.slides.tiff import TiffSlide
from buffycoat.fields.slides.tiff_pieces import Page
from buffycoat.images.formats import HEAD_BYTES, format_of_suffix, identify

OPENSLIDE = "Aperio slide, Hamamatsu slide, Leica slide, 3DHistech slide, Ventana slide".split(", ")
TIFFS = ("TIFF", "Akoya slide", "Zeiss LSM")
"""Names of formats (`images.formats`)."""


def open_slide(files: Sequence[Path], name: str) -> Slide | None:
    """Open a file that is a slide or a picture of a microscope.

    Args:
        files: One, or all instances of a DICOM series.
        name: How tables call it.

    Returns:
        None for an ordinary picture, which `images` reads.

    Raises:
        ImageError: It is a slide and cannot be read; the message names the file and the remedy.
    """
    path = files[0]
    kind = format_name(path)
    try:
        if kind == "Zeiss CZI":
            return CziSlide(path, name)
        if kind == "DICOM":
            return DicomSlide(files, name)
        if kind in OPENSLIDE:
            return OpenSlideSlide(path, name)
        if kind in TIFFS:
            return _open_tiff(path, name, kind)
    except MissingExtraError as error:
        raise ImageError(f"{name}: {kind}; {error}") from error
    return None


def _open_tiff(path: Path, name: str, kind: str) -> Slide | None:
    """One of several pages, of a microscope's metadata, or too large for an ordinary picture."""
    if vendor(path) is not None:
        return OpenSlideSlide(path, name)
    return TiffSlide(path, name) if kind != "TIFF" or _is_of_slide(path) else None


def _is_of_slide(path: Path) -> bool:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page: Page = file.pages.first
            is_large = page.imagewidth * page.imagelength > images.MAX_PIXELS
            return bool(file.is_ome or is_large or len(file.pages) > 1 or page.subifds)
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, RuntimeError, TypeError):
        return False  # `images` says what is wrong


def format_name(path: Path) -> str:
    """The name of a file's format in `images.formats`, "" if it is none.

    Raises:
        ImageError: The file cannot be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{path}: cannot be read ({reason}). Check the path and rights") from error
    if not head:
        raise ImageError(f"{path}: the file is empty (0 bytes). Copy it again from its source")
    claimed = format_of_suffix(path.name)
    found = identify(head, path.name) or (claimed if claimed and not claimed.plugin else None)
    return found.name if found else ""
