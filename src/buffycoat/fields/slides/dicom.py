"""DICOM whole-slide images by wsidicom: the instances of one series are one slide."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.errors import ImageError
from buffycoat.fields.slides.scale import believed
from buffycoat.fields.slides.slide import Slide, damaged
from buffycoat.optional import require

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of VL Whole Slide Microscopy Image Storage."""
logging.getLogger("wsidicom").addHandler(logging.NullHandler())
# It logs each fault of a damaged file, which would else land among our own messages.


class DicomSlide(Slide):
    """A slide in DICOM files.

    Args:
        files: All instances of its series.
        name: How tables call it.
    """

    def __init__(self, files: Sequence[Path], name: str) -> None:
        library = require("wsidicom", extra="fields")
        self.faults = (
            *_faults(), OSError, ValueError, KeyError, AttributeError, EOFError, RuntimeError,
            IndexError, TypeError, NotImplementedError,
        )  # fmt: skip
        try:
            widest = max(_width(path, name) for path in files)
            self._file: Any = library.WsiDicom.open(list(files))
        except ImageError:
            raise
        except self.faults as error:
            raise damaged(name, error) from error
        try:
            self._check_planes(name)
            base = self._file.pyramids[0].base_level
            if base.size.width != widest:
                raise ValueError(f"its finest level, {widest} px wide, cannot be read")
            mpp = base.mpp
        except self.faults as error:
            self._file.close()
            raise error if isinstance(error, ImageError) else damaged(name, error) from error
        across, down = (None, None) if mpp is None else (mpp.width, mpp.height)
        super().__init__(name, base.size.width, base.size.height, believed(across, down))

    def _check_planes(self, name: str) -> None:
        pyramids = self._file.pyramids
        base = pyramids[0].base_level
        planes = len(base.focal_planes) * len(base.optical_paths)
        if planes > 1 or len(pyramids) > 1:
            raise ImageError(
                f"{name}: DICOM series of {planes} focal planes or optical paths and "
                f"{len(pyramids)} pyramids, expected one picture. Export the plane in focus as a "
                "series of its own"
            )

    def _read(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        # 0 is the finest level as in OpenSlide; others are powers of two, stored or not (0.36.1).
        part = self._file.read_region((left, top), 0, (width, height))
        return np.array(part.convert("RGB"))

    def close(self) -> None:
        """Close the files."""
        self._file.close()


def _faults() -> tuple[type[Exception], ...]:
    """What wsidicom and pydicom raise of their own."""
    modules = (require(f"{name}.errors", extra="fields") for name in ("wsidicom", "pydicom"))
    kinds = (value for module in modules for value in vars(module).values())
    return tuple(k for k in kinds if isinstance(k, type) and issubclass(k, Exception))


def _width(path: Path, name: str) -> int:
    """Of the level in a file; 0 for labels and the like.

    wsidicom passes over files that it cannot open, so that the slide would be a coarser level.
    """
    tags = ["SOPClassUID", "ImageType", "TotalPixelMatrixColumns"]
    header = require("pydicom", extra="fields").dcmread(
        path, stop_before_pixels=True, specific_tags=tags
    )
    kind = header.get("SOPClassUID")
    if kind not in (None, WHOLE_SLIDE):
        raise ImageError(
            f"{name}: DICOM, but no whole-slide image. Export the picture as PNG or TIFF from the "
            "viewer"
        )
    if kind is None or "TotalPixelMatrixColumns" not in header:
        raise ValueError(f"{path.name} ends within its header")
    return int(header.TotalPixelMatrixColumns) if "VOLUME" in header.ImageType else 0


def group_by_series(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Instances of each series in a folder, as each is one slide; sorted by their first file.

    Files without a readable series are groups of their own, so that each is reported.
    """
    pydicom = require("pydicom", extra="fields")
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in files:
        try:
            header = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"]
            )
            series = str(header.get("SeriesInstanceUID", "")) or str(path)
        except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError):
            series = str(path)
        groups.setdefault((path.parent, series), []).append(path)
    return sorted(tuple(sorted(group)) for group in groups.values())
