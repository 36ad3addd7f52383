"""Pictures of cells as a browser can show them, from the folder of images alone."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from buffycoat import white
from buffycoat.cells import CellRef
from buffycoat.errors import ImageError
from buffycoat.images import read_bytes
from buffycoat.images.decode import decode_cell
from buffycoat.images.parquet_cells import picture_file
from buffycoat.serve.catalogue import ReviewedCell

SHOWN = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
"""First bytes of what every browser shows as it is; other formats are sent as PNG."""
STEP = 4
"""The white surface is fitted to every fourth pixel of every fourth row, as `segment` does."""
BRIGHT_SHARE = 0.88
WHITE_LEVEL = 245.0
"""Gray level that the background is brought to: white, with room for what is brighter."""
FAULTS = MISSING, CHANGED = "missing", "changed"
PLACEHOLDER = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" role="img">
<title>no picture</title><rect width="120" height="120" fill="#ddd"/>
<path d="M20 20 100 100M100 20 20 100" stroke="#b00" stroke-width="6"/>
<text x="60" y="66" text-anchor="middle" font-family="sans-serif" font-size="14">no picture</text>
</svg>"""


@dataclass(frozen=True)
class Picture:
    """A picture as it is sent.

    Attributes:
        data: Encoded.
        media_type: Of the data.
        etag: Changes when the data do.
        fault: Why it is a placeholder, or that the file is not the one that was predicted; "" for
            neither.
    """

    data: bytes
    media_type: str
    etag: str
    fault: str = ""


Stamp = tuple[int, int, int]
"""Of a file: its number, size, and time of change in nanoseconds."""


class Pictures:
    """Reads pictures, and remembers which were changed until their files are.

    Args:
        root: Folder that every picture must lie in.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._known: dict[int, tuple[Stamp, str]] = {}
        self._sizes: dict[int, int] = {}
        self._lock = threading.Lock()

    def image(self, cell: ReviewedCell, *, is_white: bool = False) -> Picture:
        """The picture of a cell, or a placeholder that says why there is none.

        Args:
            cell: Whose.
            is_white: Whether the background is brought to an even white.
        """
        stamp = self._stamp(cell)
        try:
            data = read_bytes(self.ref(cell))
            fault = CHANGED if _is_changed(cell, data) else ""
            media_type = _media_type(data)
            if is_white or cell.ref.box is not None or media_type is None:
                pixels = decode_cell(data, self.ref(cell))
                data, media_type = to_png(balanced(pixels) if is_white else pixels), "image/png"
            else:
                self._check(cell, data)
        except ImageError:
            self._note(cell, stamp, MISSING)
            return Picture(PLACEHOLDER, "image/svg+xml", "missing", MISSING)
        self._note(cell, stamp, fault)
        return Picture(data, media_type, hashlib.sha256(data).hexdigest()[:32], fault)

    def pixels(self, cell: ReviewedCell) -> np.ndarray:
        """Shape (h, w, 3), uint8.

        Raises:
            ImageError: The file is gone, damaged, or outside the folder.
        """
        ref = self.ref(cell)
        return decode_cell(read_bytes(ref), ref)

    def ref(self, cell: ReviewedCell) -> CellRef:
        """Where the picture is, links followed.

        Raises:
            ImageError: Outside the folder.
        """
        return replace(cell.ref, path=str(inside(self.root, cell.ref)))

    def fault(self, cell: ReviewedCell) -> str:
        """What is wrong with a cell's picture; "" for nothing.

        A file that is as it was when it was read last is not read again.
        """
        stamp = self._stamp(cell)
        if stamp is None:
            return MISSING
        known = self._known.get(cell.n)
        if known is not None and known[0] == stamp:
            return known[1]
        found = self._look(cell)
        self._note(cell, stamp, found)
        return found

    def n_faulty(self, cells: Iterable[ReviewedCell], *, is_afresh: bool = False) -> dict[str, int]:
        """Cells whose picture is gone or is not the one that was predicted, by `FAULTS`.

        Args:
            cells: Of a slide.
            is_afresh: Whether every picture is read again, also where its file seems unchanged.
        """
        found = Counter(self._look(cell) if is_afresh else self.fault(cell) for cell in cells)
        return {fault: found[fault] for fault in FAULTS}

    def _look(self, cell: ReviewedCell) -> str:
        """What is wrong with a picture, by its bytes."""
        try:
            ref = self.ref(cell)
            if not Path(picture_file(ref)).is_file():
                return MISSING
            return CHANGED if cell.image_sha256 and _is_changed(cell, read_bytes(ref)) else ""
        except ImageError:
            return MISSING

    def _check(self, cell: ReviewedCell, data: bytes) -> None:
        """Decode what is sent as it is, once: a browser shows half a picture without a word."""
        if self._sizes.get(cell.n) != len(data):
            decode_cell(data, self.ref(cell))
            with self._lock:
                self._sizes[cell.n] = len(data)

    def _stamp(self, cell: ReviewedCell) -> Stamp | None:
        """Of the file that holds a picture; None where there is none, or it lies outside."""
        try:
            path = (
                self.root / cell.ref.path if cell.ref.row is None else picture_file(self.ref(cell))
            )
            found = os.stat(path)
        except (ImageError, OSError, ValueError):  # ValueError: a null byte in the path
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _note(self, cell: ReviewedCell, stamp: Stamp | None, fault: str) -> None:
        """Remember it with the file as it was before it was read."""
        if stamp is not None:
            with self._lock:
                self._known[cell.n] = stamp, fault


def inside(root: Path, ref: CellRef) -> Path:
    """The file of a picture, which must lie in a folder, links followed.

    Args:
        root: The folder, resolved.
        ref: The path from it.

    Raises:
        ImageError: It lies outside, or a table names a picture outside.
    """
    path = (root / ref.path).resolve()
    named = Path(picture_file(replace(ref, path=str(path)))).resolve()
    for one in (path, named):
        if not one.is_relative_to(root):
            raise ImageError(f"{ref.path}: lies outside the folder of images")
    return path


def _is_changed(cell: ReviewedCell, data: bytes) -> bool:
    known = cell.image_sha256
    return known is not None and hashlib.sha256(data).hexdigest() != known


def _media_type(data: bytes) -> str | None:
    """What a browser shows as it is; None for other formats."""
    found = next((kind for start, kind in SHOWN.items() if data.startswith(start)), None)
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return "image/webp" if is_webp else found


def to_png(pixels: np.ndarray) -> bytes:
    """Encode without loss, fast."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def balanced(pixels: np.ndarray) -> np.ndarray:
    """The picture with its background brought to an even white, channel by channel.

    Args:
        pixels: Shape (h, w, 3), uint8.

    Returns:
        Shape (h, w, 3), uint8.
    """
    down, across = (white.powers(np.linspace(-1, 1, side)) for side in pixels.shape[:2])
    logs = white.LOGS[pixels]  # (h, w, 3)
    grid = logs[::STEP, ::STEP]
    free = np.ones(grid.shape[:2], dtype=bool)
    factors = white.fit(grid, free, down[::STEP], across[::STEP], BRIGHT_SHARE)
    surface = white.surface(factors, down, across)
    level = np.log(WHITE_LEVEL + white.DARK_OFFSET)
    even = np.exp(np.minimum(logs - surface + level, 6.0)) - white.DARK_OFFSET
    return np.clip(even + 0.5, 0, 255).astype(np.uint8)
