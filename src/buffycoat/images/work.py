"""Working images: the one size that every stage shares, decoded once and cached."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from buffycoat.cells import SCALE_WORDS, SCALES_UM, CellRef, Manifest
from buffycoat.config import ImagesConfig
from buffycoat.errors import ConfigError, ImageError, OutputError
from buffycoat.images.decode import decode_cell, read_bytes
from buffycoat.images.parquet_cells import picture_file
from buffycoat.images.write import write_atomic, writing

_CACHE_VERSION = 3
_CHUNK = 256
_BLOCK_BYTES = 2**20
SAME_SCALE = 0.02
"""Share by which a scale may be off for pixels cut away in rounding."""


@dataclass(frozen=True)
class BadCell:
    """A cell whose image cannot be used.

    Attributes:
        cell_id: The cell.
        path: Its file.
        reason: What is wrong with the file and what to do.
    """

    cell_id: str
    path: str
    reason: str


@dataclass(frozen=True)
class WorkImages:
    """The working images of a manifest.

    Attributes:
        images: Shape (n_good, work_px, work_px, 3), uint8, RGB; in the manifest's order. A
            read-only memory map if a cache folder was given.
        is_good: Shape (n,), bool: whether that row of the manifest has an image.
        bad: The cells that have none, and why.
        digests: For each row of the manifest the SHA-256 of its file's bytes, "" if unreadable.
    """

    images: np.ndarray
    is_good: np.ndarray
    bad: tuple[BadCell, ...]
    digests: tuple[str, ...]


def to_work(image: np.ndarray, work_px: int, frame_fraction: float) -> np.ndarray:
    """The central square of an image, at the working size.

    Args:
        image: Shape (h, w, 3), uint8.
        work_px: Side of the result.
        frame_fraction: Side of the square over the image's shorter side, in (0, 1].

    Returns:
        Shape (work_px, work_px, 3), uint8: by area averaging if it shrinks, else bicubic.
    """
    import cv2

    height, width = image.shape[:2]
    side = max(round(frame_fraction * min(height, width)), 1)
    top, left = (height - side) // 2, (width - side) // 2
    crop = image[top : top + side, left : left + side]
    if side == work_px:
        return crop.copy()
    method = cv2.INTER_AREA if side > work_px else cv2.INTER_CUBIC
    return cv2.resize(crop, (work_px, work_px), interpolation=method)


def frame_of(image: np.ndarray, um_per_px: float | None, config: ImagesConfig) -> float:
    """Part of a picture's shorter side that is kept.

    Args:
        image: The picture, shape (h, w, 3).
        um_per_px: Micrometres that its pixels are wide, if that is known.
        config: Says how much a photograph shows, if scales are to be the same.

    Returns:
        In (0, 1]. A picture that shows less than the frame holds is taken whole.
    """
    if config.photograph_um is None or um_per_px is None:
        return config.frame_fraction
    shown = um_per_px * min(image.shape[:2]) / config.photograph_um
    if abs(shown - 1) < SAME_SCALE:
        return config.frame_fraction
    return min(config.frame_fraction / shown, 1.0)


def framed(image: np.ndarray, config: ImagesConfig, um_per_px: float | None = None) -> np.ndarray:
    """The working image of a photograph in memory, framed by its scale where both are known.

    Args:
        image: Shape (h, w, 3), uint8.
        config: Size and frame of the working image.
        um_per_px: Micrometres that its pixels are wide, if that is known.

    Returns:
        Shape (work_px, work_px, 3), uint8.
    """
    return to_work(image, config.work_px, frame_of(image, um_per_px, config))


def check_scale(um_per_px: float | None, name: str = "um_per_px") -> None:
    """Refuse a width of a pixel that no microscope's picture has.

    Args:
        um_per_px: In micrometres; None for one that is not known.
        name: Of the argument or option, for the message.

    Raises:
        ConfigError: It is out of range, or no number.
    """
    if um_per_px is not None and not SCALES_UM[0] <= um_per_px <= SCALES_UM[1]:  # nor NaN
        raise ConfigError(
            f"{name}: expected {SCALE_WORDS}, got {um_per_px:g}. With an objective of 100x a pixel "
            "is 0.05 to 0.1 micrometres wide"
        )


def check_framing(um_per_px: float | None, config: ImagesConfig, name: str = "um_per_px") -> None:
    """Refuse a scale that nothing would look at.

    Args:
        um_per_px: In micrometres; None for one that is not stated.
        config: Of the bundle that frames the pictures.
        name: Of the argument or option, for the message.

    Raises:
        ConfigError: It is out of range, or the bundle does not frame by scale.
    """
    check_scale(um_per_px, name)
    if um_per_px is not None and config.photograph_um is None:
        raise ConfigError(
            f"{name}: this bundle frames cells by the size of the picture, not by scale "
            "(images.photograph_um is not set). Leave it out"
        )


def load_work(
    manifest: Manifest,
    config: ImagesConfig,
    cache: Path | None = None,
    workers: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> WorkImages:
    """Decode every cell of a manifest to its working image.

    A cache is used only if the paths, their order, each file's size and time of change, and the
    settings are those that it was written for.

    Args:
        manifest: n cells.
        config: Size and frame of the working image.
        cache: Folder to keep the decoded images in; None keeps them in memory.
        workers: Threads.
        on_progress: Called with (cells done, n).

    Returns:
        The images of the readable cells, and which cells are not readable and why.

    Raises:
        OutputError: The cache cannot be written.
    """
    refs = list(manifest.refs())
    paths = [str(ref) for ref in refs]
    cell_ids = [str(cell_id) for cell_id in manifest.frame["cell_id"]]
    shape = (len(paths), config.work_px, config.work_px, 3)
    if cache is None or not paths:
        images = np.empty(shape, np.uint8)
        digests, reasons = _fill(images, refs, config, workers, on_progress)
        return _work_images(images[: reasons.count("")], cell_ids, paths, digests, reasons)
    stem = cache / f"work-{_cache_key(refs, config)}"
    stored = _read_cache(stem, shape)
    if stored is None:
        _write_cache(stem, shape, refs, config, workers, on_progress)
        stored = _read_cache(stem, shape)
        if stored is None:
            raise OutputError(f"{stem}.npy: cannot be read back. Check the disk, then run again")
    elif on_progress is not None:
        on_progress(len(paths), len(paths))
    return _work_images(stored[0], cell_ids, paths, stored[1], stored[2])


Decoded = tuple[str, np.ndarray | None, str]
"""SHA-256 of the file's bytes, "" if there are none; the working image, or None; and then why."""


def decode_work(ref: CellRef, config: ImagesConfig) -> Decoded:
    """One cell's working image, or what is wrong with its file.

    Args:
        ref: Where the cell is.
        config: Size and frame of the working image.
    """
    digest = ""
    try:
        data = read_bytes(ref)
        digest = hashlib.sha256(data).hexdigest()
        picture = decode_cell(data, ref)
        return digest, framed(picture, config, ref.um_per_px), ""
    except ImageError as error:
        return digest, None, str(error).removeprefix(f"{ref}: ")


def _fill(
    images: np.ndarray,
    refs: Sequence[CellRef],
    config: ImagesConfig,
    workers: int,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[list[str], list[str]]:
    """Decode into the first rows of `images`; each path's digest, and its fault or ""."""

    def decode_one(ref: CellRef) -> Decoded:
        return decode_work(ref, config)

    digests: list[str] = []
    reasons: list[str] = []
    n_good = 0
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for start in range(0, len(refs), _CHUNK):  # bounds what is decoded but not yet stored
            for digest, work, reason in pool.map(decode_one, refs[start : start + _CHUNK]):
                digests.append(digest)
                reasons.append(reason)
                if work is not None:
                    images[n_good] = work
                    n_good += 1
            if on_progress is not None:
                on_progress(len(digests), len(refs))
    return digests, reasons


def _work_images(
    images: np.ndarray,
    cell_ids: list[str],
    paths: list[str],
    digests: list[str],
    reasons: list[str],
) -> WorkImages:
    bad = [BadCell(*cell) for cell in zip(cell_ids, paths, reasons, strict=True) if cell[2]]
    is_good = np.array([not reason for reason in reasons], dtype=bool)
    return WorkImages(images, is_good, tuple(bad), tuple(digests))


def _cache_key(refs: Sequence[CellRef], config: ImagesConfig) -> str:
    def stamp(ref: CellRef) -> tuple[str, int, int, float | None]:
        path = os.path.abspath(str(ref))
        try:
            status = os.stat(picture_file(ref))
        except OSError:
            return path, -1, -1, ref.um_per_px
        return path, status.st_size, status.st_mtime_ns, ref.um_per_px

    key = [
        _CACHE_VERSION,
        decoder_versions(),
        config.model_dump(mode="json"),
        [stamp(ref) for ref in refs],
    ]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]


def decoder_versions() -> dict[str, str]:
    """Versions of what decodes: another may read another picture, or one that could not be read."""
    versions = {}
    for name in ("pillow", "pillow-heif", "tifffile", "imagecodecs"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _read_cache(
    stem: Path, shape: tuple[int, ...]
) -> tuple[np.ndarray, list[str], list[str]] | None:
    try:
        table = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        images = np.load(stem.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
        digests, reasons = table["digests"], table["reasons"]
    except (OSError, ValueError, KeyError):
        return None
    is_whole = images.shape == (reasons.count(""), *shape[1:]) and images.dtype == np.uint8
    return (images, digests, reasons) if is_whole and len(reasons) == shape[0] else None


def _write_cache(
    stem: Path,
    shape: tuple[int, ...],
    refs: Sequence[CellRef],
    config: ImagesConfig,
    workers: int,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    with writing(stem.with_suffix(".npy")) as part:
        images = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        reserve(part, images.offset)
        digests, reasons = _fill(images, refs, config, workers, on_progress)
        if any(reasons):
            with writing(part) as smaller:
                np.save(smaller, images[: reasons.count("")])
                del images  # Windows replaces no file that is mapped
        else:
            images.flush()
            del images
    table = json.dumps({"digests": digests, "reasons": reasons})
    write_atomic(stem.with_suffix(".json"), table.encode())


def reserve(path: Path, start: int) -> None:
    """Take the disk space of a file that was just mapped: a disk that is full must say so now.

    A later write to mapped memory would kill the process.

    Args:
        path: The file, zero from `start` on.
        start: Where its data begin, in bytes.
    """
    size = path.stat().st_size
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        file.seek(start)  # macOS and Windows have no such call; zeros that are written take space
        while size > file.tell():
            file.write(bytes(min(_BLOCK_BYTES, size - file.tell())))
