"""Slides of scanners by OpenSlide: SVS, NDPI, MRXS, SCN, BIF, and TIFFs of Philips and others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.errors import ImageError
from buffycoat.fields.slides.scale import believed
from buffycoat.fields.slides.slide import Slide, damaged, on_white
from buffycoat.optional import require


class OpenSlideSlide(Slide):
    """A slide that OpenSlide reads; its colours are RGB with alpha, transparent where not scanned.

    Args:
        path: The file.
        name: How tables call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        library = require("openslide", extra="fields")
        self.faults = (library.OpenSlideError, OSError, ValueError)
        try:
            self._file: Any = library.OpenSlide(path)
        except self.faults as error:
            raise damaged(name, error) from error
        sides = [self._file.properties.get(f"openslide.mpp-{axis}") for axis in "xy"]
        across, down = (_number(side) for side in sides)
        width, height = self._file.dimensions
        super().__init__(name, width, height, believed(across, down))

    def _read(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        return on_white(np.asarray(self._file.read_region((left, top), 0, (width, height))))

    def overview(self, longest: int) -> np.ndarray:
        """See the base class; from the pyramid."""
        try:
            with self._lock:
                return np.array(self._file.get_thumbnail((longest, longest)).convert("RGB"))
        except self.faults as error:
            raise damaged(self.name, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def vendor(path: Path) -> str | None:
    """Whose slide a TIFF is; None for a plain one, or without OpenSlide.

    Raises:
        ImageError: It cannot be opened.
    """
    try:
        library = require("openslide", extra="fields")
    except ImportError:
        return None
    try:
        found = library.OpenSlide.detect_format(path)
    except (library.OpenSlideError, OSError) as error:
        raise ImageError(f"{path}: cannot be read ({error}). Check the path and rights") from error
    return None if found == "generic-tiff" else found


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
