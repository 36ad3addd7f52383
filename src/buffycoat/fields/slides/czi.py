"""CZI of Zeiss by pylibCZIrw: mosaics as one picture; blue comes first there.

pylibCZIrw and the libCZI in its wheel are LGPL-3.0. They are an optional dependency that is
imported, not copied.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from buffycoat.errors import ImageError
from buffycoat.fields.slides.scale import believed, check_deep, to_8_bits
from buffycoat.fields.slides.slide import Slide, damaged
from buffycoat.optional import require

CHANNELS = {"Gray8": 1, "Gray16": 1, "Bgr24": 3, "Bgr48": 3}
PROBE_PX = 1024
"""Longer side of the picture that the brightest value of deep pixels is taken from."""


class CziSlide(Slide):
    """All scenes of a CZI, where they lie; white between them.

    Args:
        path: The file.
        name: How tables call it.
    """

    faults = (RuntimeError, OSError, ValueError, KeyError, ElementTree.ParseError)

    def __init__(self, path: Path, name: str) -> None:
        library = require("pylibCZIrw.czi", extra="fields")
        try:
            self._file: Any = library.CziReader(str(path))
        except self.faults as error:
            raise damaged(name, error) from error
        try:
            self._box = self._file.total_bounding_rectangle_no_pyramid
            kind = self._checked_kind(name)
            root = ElementTree.fromstring(self._file.raw_metadata)
            across, down = (_distance_um(root, axis) for axis in "XY")
            super().__init__(name, self._box.w, self._box.h, believed(across, down))
            self._bits = 16 if kind.endswith(("16", "48")) else 8
            if self._bits == 16:
                zoom = min(1.0, PROBE_PX / max(self._box.w, self._box.h))
                peak = int(self._file.read(zoom=zoom).max())
                self._bits = check_deep(peak, _bit_count(root), name)
        except ImageError:
            self._file.close()
            raise
        except self.faults as error:
            self._file.close()
            raise damaged(name, error) from error

    def _checked_kind(self, name: str) -> str:
        """The type of the pixels, of one plane."""
        extents = self._file.total_bounding_box_no_pyramid
        several = {
            axis: high - low
            for axis, (low, high) in extents.items()
            if axis not in "XY" and high - low > 1
        }
        if several:
            words = ", ".join(f"{n} along {axis}" for axis, n in several.items())
            raise ImageError(
                f"{name}: CZI of several planes ({words}), expected one picture in colour. Export "
                "the plane in focus, or a projection"
            )
        kinds = self._file.pixel_types
        kind = next(iter(kinds.values()), "none")
        if kind not in CHANNELS or len(kinds) > 1:
            raise ImageError(
                f"{name}: CZI with pixels of type {', '.join(map(str, kinds.values())) or 'none'}, "
                f"expected one of {', '.join(CHANNELS)}. Export it as 8-bit RGB"
            )
        return kind

    def _read(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        part = (self._box.x + left, self._box.y + top, width, height)
        return self._rgb(self._file.read(roi=part, background_pixel=(1.0, 1.0, 1.0)))

    def _rgb(self, samples: np.ndarray) -> np.ndarray:
        """Blue, green, red or gray (h, w, 3 or 1) as RGB, uint8."""
        pixels = samples if samples.dtype == np.uint8 else to_8_bits(samples, self._bits)
        if pixels.shape[2] == 1:
            return np.repeat(pixels, 3, axis=2)
        return np.ascontiguousarray(pixels[..., ::-1])

    def overview(self, longest: int) -> np.ndarray:
        """See the base class; from the pyramid."""
        zoom = min(1.0, longest / max(self.width, self.height))
        box = (self._box.x, self._box.y, self.width, self.height)
        try:
            with self._lock:
                return self._rgb(
                    self._file.read(roi=box, zoom=zoom, background_pixel=(1.0, 1.0, 1.0))
                )
        except self.faults as error:
            raise damaged(self.name, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _distance_um(root: ElementTree.Element, axis: str) -> float | None:
    """The width of a pixel, which the file has in metres."""
    found = root.find(f".//Scaling/Items/Distance[@Id='{axis}']/Value")
    return float(found.text) * 1e6 if found is not None and found.text else None


def _bit_count(root: ElementTree.Element) -> int | None:
    found = root.find(".//Information/Image/ComponentBitCount")
    return int(found.text) if found is not None and found.text else None
