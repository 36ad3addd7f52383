"""Pictures of cells as a browser can show them, from the folder of images alone."""

from __future__ import annotations

import hashlib
import io
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


class Pictures:
    """Reads pictures, and remembers which are gone or were changed.

    Args:
        root: Folder that every picture must lie in.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.faults: dict[int, str] = {}
        self._sizes: dict[int, int] = {}
        self._lock = threading.Lock()

    def image(self, cell: ReviewedCell, *, is_white: bool = False) -> Picture:
        """The picture of a cell, or a placeholder that says why there is none.

        Args:
            cell: Whose.
            is_white: Whether the background is brought to an even white.
        """
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
            self._note(cell.n, MISSING)
            return Picture(PLACEHOLDER, "image/svg+xml", "missing", MISSING)
        self._note(cell.n, fault)
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
        """What is wrong with a cell's picture, as far as is known; "" for nothing."""
        known = self.faults.get(cell.n)
        if known is None:
            known = self._look(cell)
            self._note(cell.n, known)
        return known

    def n_faulty(self, cells: Iterable[ReviewedCell], *, is_afresh: bool = False) -> dict[str, int]:
        """Cells whose picture is gone or is not the one that was predicted, by `FAULTS`.

        Args:
            cells: Of a slide.
            is_afresh: Whether every picture is looked at again.
        """
        found = Counter(self._look(cell) if is_afresh else self.fault(cell) for cell in cells)
        return {fault: found[fault] for fault in FAULTS}

    def _look(self, cell: ReviewedCell) -> str:
        """What is wrong with a picture that nobody has asked for yet; pictures are hashed once."""
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

    def _note(self, n: int, fault: str) -> None:
        with self._lock:
            self.faults[n] = fault


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
