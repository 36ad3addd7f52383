"""What the header of a TIFF says: which picture, of which kind, how wide a pixel is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from buffycoat.errors import ImageError
from buffycoat.fields.slides.scale import believed
from buffycoat.fields.slides.slide import WHITE
from buffycoat.fields.slides.tiff_pieces import Page

if TYPE_CHECKING:
    from tifffile import TiffFile

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6
PREMULTIPLIED, ALPHA = 1, 2
ANOTHER = 0.4
"""Of the largest picture's pixels, from which another in the file is no label or preview of it."""
_UNCOMPRESSED = 1
_MAX_SAMPLE_VALUE, _RESOLUTION_UNIT, _ORIENTATION = 281, 296, 274
_UM = {2: 25_400.0, 3: 10_000.0}
"""Micrometres in an inch and a centimetre, the units that the format knows."""
_OME_UM = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "pm": 1e-6}
_COLOURS = ("red", "green", "blue")


def levels(file: TiffFile, name: str) -> list[list[Page]]:
    """Pages of the picture, from the finest level on: one with all channels, or one a channel.

    Raises:
        ImageError: Several pictures, or one of several planes.
    """
    series = sorted(file.series, key=_pixels, reverse=True)
    if len(series) > 1 and _pixels(series[1]) >= ANOTHER * _pixels(series[0]):
        n = sum(_pixels(one) >= ANOTHER * _pixels(series[0]) for one in series)
        raise ImageError(
            f"{name}: TIFF of {n} pictures of about the same size, expected one. Save each in a "
            "file of its own"
        )
    sizes = dict(zip(series[0].axes, series[0].shape, strict=True))
    channels = sizes.pop("C", 1)
    planes = {axis: n for axis, n in sizes.items() if axis not in "YXS" and n > 1}
    if planes:
        words = ", ".join(f"{n} along {axis}" for axis, n in planes.items())
        raise ImageError(
            f"{name}: TIFF of several planes ({words}), expected one picture in colour. Save the "
            "plane in focus, or a projection"
        )
    if channels > 1 and not (channels == 3 and "S" not in sizes and _are_colours(file)):
        raise ImageError(
            f"{name}: TIFF of {channels} channels that are not red, green and blue. Export it as "
            "8-bit RGB"
        )
    return [[_page(one, name) for one in level.pages] for level in series[0].levels]


def _pixels(series: Any) -> int:
    sizes = dict(zip(series.axes, series.shape, strict=True))
    return sizes.get("Y", 0) * sizes.get("X", 0)


def _page(page: Page | None, name: str) -> Page:
    if page is None:
        raise ImageError(
            f"{name}: TIFF that lacks a channel, or keeps it in another file. Export it as one file"
        )
    return page


def _are_colours(file: TiffFile) -> bool:
    """Whether three channels are, by their names, or have none."""
    names = [c.get("Name", "") for c in _ome(file, "Channel")]
    return not any(names) or [n.strip().lower() for n in names[:3]] == list(_COLOURS)


def check_kind(page: Page, name: str) -> None:
    """Refuse what is no gray or colour picture of 8 or 16 bits.

    Raises:
        ImageError: Of another kind.
    """
    photometric = int(page.photometric)
    is_decoded = photometric != YCBCR or int(page.compression) != _UNCOMPRESSED
    is_known = photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR) and is_decoded
    if not is_known or page.dtype not in (np.uint8, np.uint16):
        what = f"{getattr(page.photometric, 'name', photometric)}, {page.dtype}"
        raise ImageError(
            f"{name}: TIFF of a kind that is not read ({what}). Save it as 8-bit RGB or gray"
        )
    if page.tags.valueof(_ORIENTATION, 1) != 1:
        raise ImageError(f"{name}: TIFF with a turned picture. Save it upright")


def check_extent(pages: Sequence[Page], size: int) -> None:
    """Refuse a file that ends before its pixels do.

    Raises:
        ValueError: It does.
    """
    for page in pages:
        counts = page.databytecounts
        if int(page.keyframe.compression) == _UNCOMPRESSED and not page.is_memmappable:
            counts = tuple(min(count, 1) for count in counts)  # some writers count too much
        ends = [at + n for at, n in zip(page.dataoffsets, counts, strict=True) if n]
        if ends and max(ends) > size:
            raise ValueError(f"its pixels go on to byte {max(ends)} of {size}")


@dataclass(frozen=True)
class Kind:
    """What samples mean.

    Attributes:
        is_inverted: Whether 0 is white.
        n_colours: 1 or 3 of the channels, the first.
        extra: What the channel after them is: `ALPHA`, `PREMULTIPLIED` or nothing.
    """

    is_inverted: bool
    n_colours: int
    extra: int

    @classmethod
    def of(cls, page: Page, channels: int) -> Kind:
        """Of a picture of so many channels."""
        n = 3 if channels >= 3 else 1
        extra = int(page.extrasamples[0]) if page.extrasamples else 0
        return cls(int(page.photometric) == WHITE_IS_ZERO, n, extra if channels > n else 0)

    def to_rgb(self, samples: np.ndarray) -> np.ndarray:
        """Samples (h, w, n), uint8, as RGB on white, shape (h, w, 3), uint8."""
        colours = samples[..., : self.n_colours]
        if self.is_inverted:
            colours = WHITE - colours
        if self.extra in (PREMULTIPLIED, ALPHA):
            share = samples[..., self.n_colours, None].astype(np.float32) / WHITE
            drawn = colours * (share if self.extra == ALPHA else 1) + WHITE * (1 - share)
            colours = np.rint(np.clip(drawn, 0, WHITE)).astype(np.uint8)
        return np.repeat(colours, 3, axis=2) if self.n_colours == 1 else colours.copy()


def um_per_px(file: TiffFile) -> float | None:
    """Micrometres a pixel by OME, by ImageJ, or by the tags of resolution; None if none says so."""
    if file.is_ome:
        pixels = _ome(file, "Pixels")
        return believed(*(_ome_um(pixels[0], axis) for axis in "XY")) if pixels else None
    page: Page = file.pages.first
    across, down = (_ratio(page.tags.valueof(name)) for name in ("XResolution", "YResolution"))
    unit = _UM.get(int(page.tags.valueof(_RESOLUTION_UNIT, 2)))
    if file.is_imagej:
        text = str((file.imagej_metadata or {}).get("unit", ""))
        unit = 1.0 if text in ("micron", "microns", "um", "µm", "\\u00B5m") else unit
    if not across or not down or unit is None:
        return None
    return believed(unit / across, unit / down)


def used_bits(file: TiffFile) -> int | None:
    """How many bits of each sample are used, if the file says so."""
    stated = [p.get("SignificantBits") for p in _ome(file, "Pixels")]
    if stated and stated[0]:
        return int(stated[0])
    first: Page = file.pages.first
    most = first.tags.valueof(_MAX_SAMPLE_VALUE)
    most = max(most) if isinstance(most, tuple) else most
    return int(most).bit_length() if most else None


def _ratio(value: Any) -> float | None:
    """A rational number of a tag."""
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    return value[0] / value[1]


def _ome_um(pixels: dict[str, str], axis: str) -> float | None:
    size = pixels.get(f"PhysicalSize{axis}")
    unit = _OME_UM.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    return float(size) * unit if size and unit else None


def _ome(file: TiffFile, element: str) -> list[dict[str, str]]:
    """Attributes of the elements of a name in the OME metadata of the file."""
    if not file.is_ome or not file.ome_metadata:
        return []
    root = ElementTree.fromstring(file.ome_metadata)
    return [dict(one.attrib) for one in root.iter() if one.tag.rpartition("}")[2] == element]
