"""TIFF, BigTIFF and OME-TIFF by tifffile: the finest level, tile by tile or strip by strip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from buffycoat.errors import ImageError
from buffycoat.fields.slides import tiff_header as headers
from buffycoat.fields.slides.scale import check_deep, to_8_bits
from buffycoat.fields.slides.slide import Slide, damaged
from buffycoat.fields.slides.tiff_pieces import Page, Pieces

PROBED = 16
"""Tiles or strips that the brightest of deep values is looked for in."""


class TiffSlide(Slide):
    """One picture of a TIFF, with or without a pyramid.

    Args:
        path: The file.
        name: How tables call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        import tifffile

        self.faults = (
            tifffile.TiffFileError, OSError, ValueError, KeyError, IndexError, TypeError,
            RuntimeError, ArithmeticError, EOFError,
        )  # fmt: skip
        try:
            self._file = tifffile.TiffFile(path)
        except self.faults as error:
            raise damaged(name, error) from error
        try:
            levels = headers.levels(self._file, name)
            page: Page = levels[0][0].keyframe
            headers.check_kind(page, name)
            headers.check_extent([p for pages in levels for p in pages], path.stat().st_size)
            super().__init__(name, page.imagewidth, page.imagelength, headers.um_per_px(self._file))
            self._levels = [Pieces(pages, name) for pages in levels]
            self._kind = headers.Kind.of(page, self._levels[0].channels)
            self._bits = 8
            if page.dtype == np.uint16:
                peak = self._levels[0].peak(PROBED)
                self._bits = check_deep(peak, headers.used_bits(self._file), name)
        except ImageError:
            self._file.close()
            raise
        except self.faults as error:
            self._file.close()
            raise damaged(name, error) from error

    def _read(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        return self._level(0, left, top, width, height)

    def _level(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        samples, is_stored = self._levels[level].read(left, top, width, height)
        if samples.dtype == np.uint16:
            samples = to_8_bits(samples, self._bits)
        pixels = self._kind.to_rgb(samples)
        pixels[~is_stored] = 255
        return pixels

    def overview(self, longest: int) -> np.ndarray:
        """See the base class; from the coarsest level that is fine enough."""
        fine = [n for n, one in enumerate(self._levels) if max(one.width, one.height) >= longest]
        if not fine or fine[-1] == 0:
            return super().overview(longest)
        level = self._levels[fine[-1]]
        try:
            with self._lock:
                pixels = self._level(fine[-1], 0, 0, level.width, level.height)
        except self.faults as error:
            raise damaged(self.name, error) from error
        factor = longest / max(pixels.shape[:2])
        size = [max(round(side * factor), 1) for side in pixels.shape[1::-1]]
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
