"""The tiles or strips of one level of a TIFF, decoded where they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import ImageError

Page = Any
"""A `tifffile.TiffPage` or `TiffFrame`, whose types say that all of it may be None."""
MOST_CACHED = 200_000_000
"""Bytes of decoded pieces that are kept: a row of tiles or strips, so that none is decoded twice
for parts that lie beside each other."""
MOST_PIECE = 250_000_000
"""Bytes of a decoded piece: a compressed picture in one piece cannot be read in parts."""


@dataclass(frozen=True)
class _Plane:
    """Pieces with the same channels.

    Attributes:
        page: Where they are.
        first: Number of the first of them in the page.
        channels: Which of the picture's channels they hold.
    """

    page: Page
    first: int
    channels: slice


class Pieces:
    """One level.

    Args:
        pages: Of it: one with all channels, or one a channel.
        name: Of the file, for messages.

    Raises:
        ImageError: It is compressed in a large piece.
    """

    def __init__(self, pages: Sequence[Page], name: str) -> None:
        page = self._page = pages[0].keyframe
        self.width, self.height = page.imagewidth, page.imagelength
        self.channels = page.samplesperpixel * len(pages)
        is_planar = page.planarconfig == 2 and page.samplesperpixel > 1
        self._in_piece = 1 if is_planar else page.samplesperpixel
        self._is_raw = not page.is_tiled and all(one.is_memmappable for one in pages)
        across, down = self.width, min(page.rowsperstrip or self.height, self.height)
        self._size = (page.tilewidth, page.tilelength) if page.is_tiled else (across, down)
        self._columns = -(-self.width // self._size[0])
        n_pieces = self._columns * -(-self.height // self._size[1])
        if is_planar:
            firsts = [n * n_pieces for n in range(page.samplesperpixel)]
            self._planes = [_Plane(page, at, slice(n, n + 1)) for n, at in enumerate(firsts)]
        else:
            n = page.samplesperpixel
            starts = range(0, self.channels, n)
            self._planes = [
                _Plane(one, 0, slice(at, at + n)) for one, at in zip(pages, starts, strict=True)
            ]
        size = int(np.prod(self._size)) * self._in_piece * page.dtype.itemsize
        if size > MOST_PIECE and not self._is_raw:
            raise ImageError(
                f"{name}: compressed in pieces of {self._size[0]} x {self._size[1]} px, which "
                "cannot be read in parts. Save it as a tiled TIFF"
            )
        self._cache: OrderedDict[tuple[int, int], np.ndarray | None] = OrderedDict()
        self._cached = 0

    def read(self, left: int, top: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """A part that lies in the level.

        Returns:
            Samples as stored, shape (height, width, channels); and whether they are stored at all,
            shape (height, width), bool: scanners leave tiles of nothing away.
        """
        samples = np.zeros((height, width, self.channels), dtype=self._page.dtype)
        is_stored = np.full((height, width), self._is_raw)
        for number, plane in enumerate(self._planes):
            own = samples[..., plane.channels]
            if self._is_raw:
                self._read_rows(plane, left, top, own)
                continue
            for index, x, y in self._under(left, top, width, height):
                piece = self._piece(number, index)
                if piece is None:
                    continue
                x0, y0 = max(x, left), max(y, top)
                part = piece[y0 - y : top + height - y, x0 - x : left + width - x]
                down, across = y0 - top, x0 - left
                window = np.s_[down : down + part.shape[0], across : across + part.shape[1]]
                own[window], is_stored[window] = part, True
        return samples, is_stored

    def peak(self, most: int) -> int:
        """The brightest value in some of the first plane's pieces, evenly spread."""
        places = list(self._under(0, 0, self.width, self.height))
        peaks = [0]
        for index, x, y in places[:: max(1, len(places) // most)]:
            if self._is_raw:
                rows = min(self._size[1], 64)
                piece, _ = self.read(x, y, min(self._size[0], self.width - x), rows)
            else:
                piece = self._piece(0, index)
            if piece is not None:
                peaks.append(int(piece.max()))
        return max(peaks)

    def _under(self, left: int, top: int, width: int, height: int) -> Iterator[tuple[int, ...]]:
        """Number, left and top of each piece that a part lies on."""
        across, down = self._size
        for row in range(top // down, (top + height - 1) // down + 1):
            for column in range(left // across, (left + width - 1) // across + 1):
                yield row * self._columns + column, column * across, row * down

    def _piece(self, number: int, index: int) -> np.ndarray | None:
        """A decoded piece, shape (h, w, n); None if it is not stored."""
        key = (number, index)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        piece = self._decoded(self._planes[number], index)
        self._cache[key] = piece
        self._cached += 0 if piece is None else piece.nbytes
        while self._cached > MOST_CACHED and len(self._cache) > 1:
            _, old = self._cache.popitem(last=False)
            self._cached -= 0 if old is None else old.nbytes
        return piece

    def _decoded(self, plane: _Plane, index: int) -> np.ndarray | None:
        page, at = plane.page, plane.first + index
        count = page.databytecounts[at]
        if not count:
            return None
        file = self._page.parent.filehandle
        file.seek(page.dataoffsets[at])
        data = file.read(count)
        if len(data) < count:
            raise ValueError(f"{len(data)} of {count} bytes of a tile")
        tables = {} if page.jpegtables is None else {"jpegtables": page.jpegtables}
        found = self._page.decode(data, at, jpegheader=self._page.jpegheader, **tables)[0]
        return None if found is None else found[0]

    def _read_rows(self, plane: _Plane, left: int, top: int, own: np.ndarray) -> None:
        """Fill (h, w, n) from rows that lie uncompressed one after the other."""
        height, width, n = own.shape
        file, kind = self._page.parent.filehandle, self._page.dtype
        order = kind.newbyteorder(self._page.parent.byteorder)
        pixel = n * kind.itemsize
        start = plane.page.dataoffsets[0]
        start += (plane.first and plane.channels.start) * self.height * self.width * kind.itemsize
        for row in range(height):
            file.seek(start + ((top + row) * self.width + left) * pixel)
            data = file.read(width * pixel)
            own[row] = np.frombuffer(data, order).reshape(width, n)
