"""One pass over the files: each is read and decoded once, and what the checks need is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from buffycoat.audit.headers import read_header
from buffycoat.audit.landmarks import Landmarks
from buffycoat.audit.perceptual import BITS, GRAY_PX, Picture, Place
from buffycoat.cells import CellRef, Manifest
from buffycoat.errors import ImageError
from buffycoat.images import read_bytes
from buffycoat.images.decode import decode_cell


class Embed(Protocol):
    """Photographs, each (h, w, 3), uint8, to embeddings (n, d), rows of length 1."""

    def __call__(
        self, photographs: Sequence[np.ndarray], um_per_px: Sequence[float | None] | None = None
    ) -> np.ndarray:
        """Embeddings of n photographs.

        Args:
            photographs: Each (h, w, 3), uint8.
            um_per_px: Micrometres that a pixel of each is wide, None where that is not known.
        """
        ...


CELLS_AT_ONCE = 128
"""Photographs in memory at a time."""
NOWHERE = Place(0.5, 0.5, 0.25)
"""Of a file that cannot be read."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What is known of the files, one row a cell of the manifest.

    An unreadable cell has a reason, and zeros or empty words elsewhere.

    Attributes:
        reasons: Why a file cannot be read; "" if it can.
        files: SHA-256 of each file, and of the cell's box where it is a part of the picture.
        pixels: SHA-256 of each decoded image with its size.
        headers: See `headers.read_header`.
        grays: Shape (n, `GRAY_PX`, `GRAY_PX`), uint8.
        frame_hashes: Shape (n, `BITS`), int8.
        cell_hashes: The same of the window around the cell.
        places: Where the cell lies.
        landmarks: Of each picture.
        embeddings: Shape (n, d), float32, rows of length 1; None if no embedder was given.
    """

    reasons: tuple[str, ...]
    files: tuple[str, ...]
    pixels: tuple[str, ...]
    headers: tuple[dict[str, str | int], ...]
    grays: np.ndarray
    frame_hashes: np.ndarray
    cell_hashes: np.ndarray
    places: tuple[Place, ...]
    landmarks: tuple[Landmarks, ...]
    embeddings: np.ndarray | None

    def picture(self, row: int) -> Picture:
        """What is compared of one cell."""
        hashes = (self.frame_hashes[row], self.cell_hashes[row])
        return Picture(self.grays[row], *hashes, self.places[row])

    @property
    def is_good(self) -> np.ndarray:
        """Shape (n,), bool: whether the cell can be read."""
        return np.array([not reason for reason in self.reasons], dtype=bool)


@dataclass(frozen=True)
class _Cell:
    """What is kept of one file."""

    reason: str = ""
    file: str = ""
    pixel: str = ""
    header: dict[str, str | int] | None = None
    picture: Picture | None = None
    landmarks: Landmarks | None = None
    photograph: np.ndarray | None = None


def scan(
    manifest: Manifest,
    embed: Embed | None = None,
    workers: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
    um_per_px: float | None = None,
) -> Scan:
    """Read every file of a manifest.

    It keeps 23 KiB a cell, and the embeddings.

    Args:
        manifest: n cells.
        embed: Gives embeddings; None leaves them out.
        workers: Threads that decode.
        on_progress: Called with (cells done, n).
        um_per_px: Micrometres that a pixel of all photographs is wide, for `embed`; None takes what
            the manifest says of each.
    """
    refs = list(manifest.refs())
    n = len(refs)
    grays = np.zeros((n, GRAY_PX, GRAY_PX), np.uint8)
    frame_hashes = np.zeros((n, BITS), np.int8)
    cell_hashes = np.zeros_like(frame_hashes)
    embeddings: np.ndarray | None = None
    places: list[Place] = []
    landmarks: list[Landmarks] = []
    cells: list[_Cell] = []
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for start in range(0, n, CELLS_AT_ONCE):
            part = list(pool.map(_read_one, refs[start : start + CELLS_AT_ONCE]))
            for row, cell in enumerate(part):
                if cell.picture is not None:
                    grays[start + row] = cell.picture.gray
                    frame_hashes[start + row] = cell.picture.frame_hash
                    cell_hashes[start + row] = cell.picture.cell_hash
                places.append(cell.picture.place if cell.picture else NOWHERE)
                landmarks.append(cell.landmarks or Landmarks.none())
            good = [row for row, cell in enumerate(part) if cell.photograph is not None]
            if embed is not None and good:
                wide = [refs[start + row].um_per_px for row in good]
                found = embed(
                    [p for cell in part if (p := cell.photograph) is not None],
                    wide if um_per_px is None else [um_per_px] * len(good),
                )
                if embeddings is None:
                    embeddings = np.zeros((n, found.shape[1]), np.float32)
                embeddings[start + np.array(good)] = found
            cells += [_Cell(cell.reason, cell.file, cell.pixel, cell.header) for cell in part]
            if on_progress is not None:
                on_progress(len(cells), n)
    return Scan(
        reasons=tuple(cell.reason for cell in cells),
        files=tuple(cell.file for cell in cells),
        pixels=tuple(cell.pixel for cell in cells),
        headers=tuple(cell.header or {} for cell in cells),
        grays=grays,
        frame_hashes=frame_hashes,
        cell_hashes=cell_hashes,
        places=tuple(places),
        landmarks=tuple(landmarks),
        embeddings=embeddings,
    )


def _read_one(ref: CellRef) -> _Cell:
    file = ""
    try:
        data = read_bytes(ref)
        # Two cells of one picture are no copies of each other.
        file = hashlib.sha256(data + (str(ref.box).encode() if ref.box else b"")).hexdigest()
        image = decode_cell(data, ref)
    except ImageError as error:
        return _Cell(reason=str(error).removeprefix(f"{ref}: "), file=file)
    content = hashlib.sha256(str(image.shape).encode())
    content.update(image.data)
    return _Cell(
        file=file,
        pixel=content.hexdigest(),
        header=read_header(data),
        picture=Picture.of(image),
        landmarks=Landmarks.of(image),
        photograph=image,
    )
