"""Embeddings that were computed before, found by the bytes of the image and of the encoder.

Each encoder has a folder of shards, named by its fingerprint. A shard holds some cells' digests and
embeddings. It is written whole, named by the SHA-256 of its bytes and never changed, so any number
of processes may fill and read one folder at once.
"""

from __future__ import annotations

import hashlib
import mmap
import time
import warnings
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors import SafetensorError, safe_open

from buffycoat.backbones.arrays import to_bytes
from buffycoat.errors import OutputError
from buffycoat.images import write_atomic
from buffycoat.progress import Progress

CELLS_A_SHARD = 512
"""At most; as many images are in memory at once."""
CELLS_FIRST = 8
"""Of the first shard; the next ones grow or shrink to take `SECONDS_A_SHARD`."""
SECONDS_A_SHARD = 60.0
"""A kill loses about so much work: a large encoder takes ten seconds a cell on a CPU."""
DIGEST = np.dtype("S32")
"""Can be sorted, as raw bytes cannot. It drops zeros at the end, but all digests are 32 long."""


class Embedder(Protocol):
    """What the cache needs of an encoder."""

    @property
    def fingerprint(self) -> str:
        """Fit for the name of a folder; equal means equal embeddings."""
        ...

    def encode(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Embeddings of images (n, w, w, 3), shape (n, d), float32."""
        ...


class UnkeptWarning(UserWarning):
    """The cache cannot be written to; its cells are embedded again the next time."""


class DamagedShardWarning(UserWarning):
    """A file of the cache is not as it was written; its cells are embedded again."""


def encode_cached(
    encoder: Embedder, images: np.ndarray, folder: Path | None, on_progress: Progress | None = None
) -> np.ndarray:
    """Embed cells, computing only what is not in the cache.

    What a killed call has written, about each minute, the next one finds. Besides the result,
    memory does not grow with the number of cells if the images are memory-mapped.

    Args:
        encoder: A frozen `Encoder`, as a rule.
        images: Working images, shape (n, w, w, 3), uint8; may be memory-mapped.
        folder: Where the cache lives; None for no cache. A damaged file in it gives a
            `DamagedShardWarning`; if it cannot be written to, the embeddings stay in memory, with
            an `UnkeptWarning`.
        on_progress: Called with (cells done, cells in all), those from the cache included.

    Returns:
        Shape (n, d), float32, rows of length 1.

    Raises:
        ShapeError: The encoder takes no such images.
    """
    if folder is None or not len(images):
        return encoder.encode(images, on_progress)
    digests = digests_of(images)
    wanted, first, which = np.unique(digests, return_index=True, return_inverse=True)
    shards = _Shards(folder / encoder.fingerprint, wanted)
    missing = np.sort(first[shards.is_missing])
    n_found = len(images) - len(missing)

    def report(done: int) -> None:
        if on_progress is not None:
            on_progress(n_found + done, len(images))

    def encode(start: int, rows: np.ndarray) -> None:
        embeddings = encoder.encode(images[rows], lambda done, _: report(start + done))
        shards.add(digests[rows], embeddings)
        _forget_pages(images)

    start, at_once = 0, min(CELLS_FIRST, CELLS_A_SHARD)
    while start < len(missing):
        began = time.monotonic()
        encode(start, missing[start : start + at_once])
        start += at_once
        seconds = time.monotonic() - began
        if seconds < SECONDS_A_SHARD / 2:
            at_once = min(2 * at_once, CELLS_A_SHARD)
        elif seconds > SECONDS_A_SHARD:
            at_once = max(1, at_once // 2)
    if not len(missing):
        report(0)
    return shards.read(which)


def digests_of(images: np.ndarray) -> np.ndarray:
    """SHA-256 of each image's dtype, size and pixels.

    Args:
        images: Shape (n, h, w, 3), uint8; may be memory-mapped.

    Returns:
        Shape (n,), of dtype `DIGEST`.
    """
    kind = f"{images.dtype.str}{images.shape[1:]}".encode()
    digests = np.empty(len(images), DIGEST)
    for row, image in enumerate(np.asarray(images)):
        content = hashlib.sha256(kind)
        content.update(np.ascontiguousarray(image).data)
        digests[row] = content.digest()
        if row % CELLS_A_SHARD == 0:
            _forget_pages(images)
    return digests


class _Shards:
    """Which row of which shard holds each wanted digest.

    Args:
        folder: Of one encoder.
        wanted: Shape (m,), sorted, each once.
    """

    def __init__(self, folder: Path, wanted: np.ndarray) -> None:
        self._folder, self._wanted = folder, wanted
        self._paths: list[Path] = []
        self._unkept: dict[int, np.ndarray] = {}
        self._shard = np.full(len(wanted), -1)
        self._row = np.zeros(len(wanted), int)
        for path in sorted(folder.glob("[0-9a-f]*.safetensors")):  # none that is being written
            self._find(path)

    @property
    def is_missing(self) -> np.ndarray:
        """Which wanted digests are in no shard, shape (m,)."""
        return self._shard < 0

    def add(self, digests: np.ndarray, embeddings: np.ndarray) -> None:
        """Write a shard; its digests must be wanted and missing."""
        as_bytes = digests.view(np.uint8).reshape(-1, DIGEST.itemsize)
        data = to_bytes({"digests": as_bytes, "embeddings": embeddings})
        path = self._folder / f"{hashlib.sha256(data).hexdigest()}.safetensors"
        try:
            write_atomic(path, data)
        except OutputError as error:
            self._unkept[len(self._paths)] = embeddings
            warnings.warn(f"{error}. Embeddings are not kept", UnkeptWarning, stacklevel=4)
        self._place(path, np.searchsorted(self._wanted, digests), np.arange(len(digests)))

    def read(self, which: np.ndarray) -> np.ndarray:
        """Embeddings, shape (n, d), of wanted digests by their positions, shape (n,)."""
        shard, row = self._shard[which], self._row[which]
        found: np.ndarray | None = None
        for number in np.unique(shard):
            here = np.flatnonzero(shard == number)
            embeddings = self._embeddings(number)[row[here]]
            if found is None:
                found = np.empty((len(which), embeddings.shape[1]), np.float32)
            found[here] = embeddings
        assert found is not None
        return found

    def _embeddings(self, number: int) -> np.ndarray:
        if number in self._unkept:
            return self._unkept[number]
        with safe_open(self._paths[number], "numpy") as file:
            return file.get_tensor("embeddings")

    def _find(self, path: Path) -> None:
        try:
            with safe_open(path, "numpy") as file:
                digests = file.get_tensor("digests").view(DIGEST)[:, 0]
        except (OSError, SafetensorError) as error:
            _warn(path, str(error))
            return
        places = np.searchsorted(self._wanted, digests).clip(max=len(self._wanted) - 1)
        rows = np.flatnonzero((self._wanted[places] == digests) & self.is_missing[places])
        if not len(rows):
            return
        with path.open("rb") as content:
            checksum = hashlib.file_digest(content, "sha256").hexdigest()
        if checksum == path.stem:
            self._place(path, places[rows], rows)
        else:
            _warn(path, f"its SHA-256 is {checksum[:16]}...")

    def _place(self, path: Path, places: np.ndarray, rows: np.ndarray) -> None:
        self._shard[places], self._row[places] = len(self._paths), rows
        self._paths.append(path)


def _warn(path: Path, reason: str) -> None:
    warnings.warn(
        f"{path}: damaged ({reason}). Its cells are embedded again; delete it to end this warning",
        DamagedShardWarning,
        stacklevel=5,  # the caller of `encode_cached`
    )


def _forget_pages(images: np.ndarray) -> None:
    # What was read of a mapped file counts as this process's memory until told otherwise.
    if isinstance(images, np.memmap) and images.mode == "r":  # in other modes changes may be lost
        owner = images
        while isinstance(owner, np.ndarray):
            owner = owner.base
        if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            owner.madvise(mmap.MADV_DONTNEED)
