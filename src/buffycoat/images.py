"""Safe decoding, the working image that every stage shares, and atomic writing."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from buffycoat.cells import Manifest
from buffycoat.config import ImagesConfig
from buffycoat.errors import BuffycoatError, ImageError, OutputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
MAX_PIXELS = 50_000_000
"""One cell is under 1 Mpx, a whole field under 30 Mpx; more is a bomb or a slide."""
MIN_SIDE_PX = 16
"""Under this nothing of a nucleus can be seen, at any magnification in use."""

_CACHE_VERSION = 1
_CHUNK = 256
_EXIF_ORIENTATION = 0x0112
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's plugins raise on damaged bytes."""


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


def list_images(folder: Path) -> list[Path]:
    """Image files under a folder, at any depth, sorted; hidden files are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def read(path: str | Path) -> np.ndarray:
    """Decode one image.

    EXIF orientation is applied; grayscale, palette, CMYK and 16-bit are converted; transparency
    is laid on white; colour profiles are ignored.

    Args:
        path: A file, or `FILE.parquet#ROW`.

    Returns:
        Shape (h, w, 3), uint8, RGB.

    Raises:
        ImageError: The file is missing, empty, damaged, too large or too small.
    """
    return decode(read_bytes(str(path)), str(path))


def read_bytes(path: str) -> bytes:
    """The encoded bytes of one image.

    Args:
        path: A file, or `FILE.parquet#ROW` for row ROW of its column `image`.

    Raises:
        ImageError: No such file or row, or it holds no bytes.
    """
    table, mark, row = path.rpartition("#")
    try:
        data = (
            _read_parquet_cell(table, int(row))
            if mark and table.endswith(".parquet") and row.isdigit()
            else Path(path).read_bytes()
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{path}: cannot be read ({reason}). Check the path and rights") from error
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes). Copy it again from its source")
    return data


def decode(data: bytes, name: str) -> np.ndarray:
    """Decode an image from its bytes; as `read`.

    Args:
        data: The encoded image.
        name: What to call it in messages.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name}: {_too_large('far')}") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: not an image in a known format ({', '.join(FORMATS)}), whatever its name "
            "says. Export it again, or remove it"
        ) from error
    except _DECODE_ERRORS as error:
        raise _damaged(name, error) from error
    _check_size(image, name)
    try:
        pixels = _to_rgb(image, name)
    except BuffycoatError:
        raise
    except _DECODE_ERRORS as error:
        raise _damaged(name, error) from error
    return np.ascontiguousarray(pixels)


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
    paths = [str(path) for path in manifest.frame["path"]]
    cell_ids = [str(cell_id) for cell_id in manifest.frame["cell_id"]]
    shape = (len(paths), config.work_px, config.work_px, 3)
    if cache is None or not paths:
        images = np.empty(shape, np.uint8)
        digests, reasons = _fill(images, paths, config, workers, on_progress)
        return _work_images(images[: reasons.count("")], cell_ids, paths, digests, reasons)
    stem = cache / f"work-{_cache_key(paths, config)}"
    stored = _read_cache(stem, shape)
    if stored is None:
        _write_cache(stem, shape, paths, config, workers, on_progress)
        stored = _read_cache(stem, shape)
        if stored is None:
            raise OutputError(f"{stem}.npy: cannot be read back. Check the disk, then run again")
    elif on_progress is not None:
        on_progress(len(paths), len(paths))
    return _work_images(stored[0], cell_ids, paths, stored[1], stored[2])


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Write a file so that it is there whole or not at all.

    Args:
        path: The file to write; its folder is made if need be.

    Yields:
        A path beside it, with the same suffix, to write to. It is moved into place at the end of
        the block, or removed if the block fails.

    Raises:
        OutputError: The disk is full, or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem[:80]}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except BuffycoatError:
        raise
    except OSError as error:
        if error.filename and Path(os.fsdecode(error.filename)).parent not in {
            path.parent, *path.parents
        }:  # fmt: skip
            raise  # another file than this one: not ours to explain
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path}: cannot be written ({reason}). Free some disk space or choose a folder that "
            "you may write to, then run again; nothing half-written was left behind"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write bytes to a file, whole or not at all (see `writing`)."""
    with writing(path) as part:
        part.write_bytes(data)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an image without loss.

    Args:
        path: File to write, whole or not at all.
        image: Shape (h, w, 3) or (h, w), uint8; or (h, w), bool, for a mask.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    write_atomic(path, buffer.getvalue())


def _check_size(image: Image.Image, name: str) -> None:
    """Refuse by the header, before any pixel is decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"{name}: {_too_large(f'{width} x {height} px,')}")
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(
            f"{name}: {width} x {height} px, expected at least {MIN_SIDE_PX} px a side. "
            "Export the cell at its full resolution"
        )


def _too_large(size: str) -> str:
    limit = MAX_PIXELS // 1_000_000
    return f"{size} over the limit of {limit} megapixels. Crop it to single cells first"


def _damaged(name: str, error: BaseException) -> ImageError:
    return ImageError(
        f"{name}: truncated or damaged ({error}). Copy it again from its source, or remove it"
    )


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"{name}: a TIFF with several pages. Save each cell as a file of its own")
    image.load()
    if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _from_deep(np.asarray(image), name)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _from_deep(pixels: np.ndarray, name: str) -> np.ndarray:
    """16-bit gray to 8-bit RGB; a range that would come out black or clipped is refused."""
    peak = pixels.max()
    if pixels.dtype.kind == "f" or pixels.min() < 0 or not 4095 < peak <= 65535:
        raise ImageError(
            f"{name}: gray values from {pixels.min()} to {peak} do not fill a 16-bit range. "
            "Rescale it to 8 bits a channel"
        )
    gray = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def _read_parquet_cell(table: str, row: int) -> bytes:
    starts = _row_group_starts(table, os.stat(table).st_mtime_ns)
    if row >= starts[-1]:
        raise ImageError(f"{table}#{row}: the table has {starts[-1]} rows (0 to {starts[-1] - 1})")
    group = int(np.searchsorted(starts, row, side="right")) - 1
    cell = _read_row_group(table, os.stat(table).st_mtime_ns, group)[row - starts[group]].as_py()
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if data is not None and not isinstance(data, bytes):
        raise ImageError(f"{table}#{row}: column 'image' holds {type(data).__name__}, not bytes")
    return data or b""


@lru_cache(maxsize=256)
def _row_group_starts(table: str, mtime_ns: int) -> tuple[int, ...]:
    """First row of each row group, and last the number of rows."""
    with _parquet_errors(table):
        import pyarrow.parquet

        metadata = pyarrow.parquet.read_metadata(table)
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return (0, *np.cumsum(sizes, dtype=int).tolist())


@lru_cache(maxsize=2)
def _read_row_group(table: str, mtime_ns: int, group: int) -> Any:
    with _parquet_errors(table):
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(table) as file:
            return file.read_row_group(group, columns=["image"])["image"]


@contextlib.contextmanager
def _parquet_errors(table: str) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, KeyError) as error:
        raise ImageError(
            f"{table}: not a readable Parquet table with a column 'image' ({error}). "
            "Download it again"
        ) from error


def _fill(
    images: np.ndarray,
    paths: list[str],
    config: ImagesConfig,
    workers: int,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[list[str], list[str]]:
    """Decode into the first rows of `images`; each path's digest, and its fault or ""."""

    def decode_one(path: str) -> tuple[str, np.ndarray | None, str]:
        digest = ""
        try:
            data = read_bytes(path)
            digest = hashlib.sha256(data).hexdigest()
            return digest, to_work(decode(data, path), config.work_px, config.frame_fraction), ""
        except ImageError as error:
            return digest, None, str(error)

    digests: list[str] = []
    reasons: list[str] = []
    n_good = 0
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for start in range(0, len(paths), _CHUNK):  # bounds what is decoded but not yet stored
            for digest, work, reason in pool.map(decode_one, paths[start : start + _CHUNK]):
                digests.append(digest)
                reasons.append(reason)
                if work is not None:
                    images[n_good] = work
                    n_good += 1
            if on_progress is not None:
                on_progress(len(digests), len(paths))
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


def _cache_key(paths: list[str], config: ImagesConfig) -> str:
    def stamp(path: str) -> tuple[str, int, int]:
        file = path.rpartition("#")[0] if ".parquet#" in path else path
        try:
            status = os.stat(file)
        except OSError:
            return os.path.abspath(path), -1, -1
        return os.path.abspath(path), status.st_size, status.st_mtime_ns

    key = [_CACHE_VERSION, config.model_dump(mode="json"), [stamp(path) for path in paths]]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]


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
    paths: list[str],
    config: ImagesConfig,
    workers: int,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    with writing(stem.with_suffix(".npy")) as part:
        images = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        digests, reasons = _fill(images, paths, config, workers, on_progress)
        if any(reasons):
            with writing(part) as smaller:
                np.save(smaller, images[: reasons.count("")])
        else:
            images.flush()
    table = json.dumps({"digests": digests, "reasons": reasons})
    write_atomic(stem.with_suffix(".json"), table.encode())
