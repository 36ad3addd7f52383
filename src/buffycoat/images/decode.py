"""Safe decoding: a clear error for each file that cannot be used, never a black image."""

from __future__ import annotations

import io
import struct
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from buffycoat.cells import CellRef
from buffycoat.errors import BuffycoatError, ImageError, MissingExtraError
from buffycoat.images.formats import HEAD_BYTES, READABLE, Format, format_of_suffix, identify
from buffycoat.images.jpeg2000 import check_depth
from buffycoat.images.limits import check_opacity, check_size, too_large
from buffycoat.images.parquet_cells import read_parquet_cell
from buffycoat.images.tiff import read_odd_tiff
from buffycoat.optional import require

_EXIF_ORIENTATION = 0x0112
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's plugins raise on damaged bytes."""


def read(cell: str | Path | CellRef) -> np.ndarray:
    """Decode one image, or the part of it that holds a cell.

    EXIF orientation is applied; grayscale, palette, CMYK and 16-bit are converted; transparency
    is laid on white; colour profiles are ignored.

    Args:
        cell: A file, `FILE.parquet#ROW`, or where a cell is.

    Returns:
        Shape (h, w, 3), uint8, RGB.

    Raises:
        ImageError: The file is missing, empty, damaged, too large or too small, or its picture
            does not hold the cell's box.
    """
    ref = _ref(cell)
    return decode_cell(read_bytes(ref), ref)


def _ref(cell: str | Path | CellRef) -> CellRef:
    return cell if isinstance(cell, CellRef) else CellRef.parse(str(cell))


def read_bytes(cell: str | Path | CellRef) -> bytes:
    """The encoded bytes of the picture that a cell is in.

    Args:
        cell: A file, or `FILE.parquet#ROW` for row ROW of its column `image`.

    Raises:
        ImageError: No such file or row, or it holds no bytes.
    """
    ref = _ref(cell)
    try:
        data = (
            Path(ref.path).read_bytes() if ref.row is None else read_parquet_cell(ref.path, ref.row)
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{ref}: cannot be read ({reason}). Check the path and rights") from error
    if not data:
        raise ImageError(f"{ref}: the file is empty (0 bytes). Copy it again from its source")
    return data


def decode_cell(data: bytes, ref: CellRef) -> np.ndarray:
    """Decode the bytes of a picture and cut the cell's box out of it; as `read`."""
    image = decode(data, str(ref))
    if ref.box is None:
        return image
    left, top, width, height = ref.box
    if top + height > image.shape[0] or left + width > image.shape[1]:
        raise ImageError(
            f"{ref}: the box leaves the picture, which is {image.shape[1]} x {image.shape[0]} "
            "pixels. Boxes are left,top,width,height; correct the table"
        )
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def decode(data: bytes, name: str) -> np.ndarray:
    """Decode an image from its bytes; as `read`.

    Args:
        data: The encoded image.
        name: What to call it in messages.
    """
    found = _identify(data, name)
    try:
        return np.ascontiguousarray(_pixels(data, found, name))
    except BuffycoatError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large(name, f"{found.name}, far") from error
    except _DECODE_ERRORS as error:
        is_told = not isinstance(error, Image.UnidentifiedImageError)  # that names a buffer
        reason = f" ({' '.join(str(error).split())})" if is_told else ""
        raise ImageError(
            f"{name}: {found.name}, truncated or damaged{reason}. Copy it again from its source, "
            "or remove it"
        ) from error


def _pixels(data: bytes, found: Format, name: str) -> np.ndarray:
    if found.plugin == "JPEG2000":
        check_depth(data, name)
    if found.plugin == "TIFF":
        odd = read_odd_tiff(data, name)
        if odd is not None:
            return odd
    image = Image.open(io.BytesIO(data), formats=(found.plugin,))
    check_size(*image.size, name)
    _check_single(image, name)
    return _to_rgb(image, name)


def _identify(data: bytes, name: str) -> Format:
    """The format of the bytes, if it can be read here."""
    head, claimed = data[:HEAD_BYTES], format_of_suffix(name)
    found = identify(head, name)
    if found is None and claimed is not None and not claimed.plugin:
        found = claimed
    if found is None:
        raise ImageError(
            f"{name}: not an image in a known format ({READABLE}), whatever its name says. "
            "Export it again, or remove it"
        )
    if not found.plugin:
        raise ImageError(f"{name}: {found.name}, a format that is not read. {found.remedy}")
    try:
        has_decoder = _has_decoder(found.plugin)
    except MissingExtraError as error:
        raise ImageError(f"{name}: {found.name}; {error}, or save it as PNG") from error
    if not has_decoder:
        raise ImageError(
            f"{name}: {found.name}, which this Pillow was built without. Install Pillow's own "
            "wheel (pip install --upgrade pillow), or save it as PNG"
        )
    return found


@lru_cache
def _has_decoder(plugin: str) -> bool:
    if plugin == "HEIF":
        require("pillow_heif", extra="formats").register_heif_opener()
    feature = {"JPEG2000": "jpg_2000", "AVIF": "avif", "WEBP": "webp"}.get(plugin)
    return feature is None or feature in features.get_supported()


def _check_single(image: Image.Image, name: str) -> None:
    """Refuse a file that holds several pictures, but for MPO: there the first is the photograph."""
    n = getattr(image, "n_frames", 1)
    if n > 1 and image.format != "MPO":
        raise ImageError(
            f"{name}: {image.format} of several pictures ({n}). Save each cell as a file of its own"
        )


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    # Of 16-bit colours Pillow keeps the high byte, and then forgets that there was another.
    is_deep = any("16" in _raw_mode(tile[3]) for tile in getattr(image, "tile", ()))
    is_deep |= image.info.get("bit_depth", 8) > 8  # HEIC
    image.load()
    if is_deep and image.mode.startswith("RGB"):
        _check_range(image, name)
    if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _from_deep(np.asarray(image), name)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        check_opacity(np.asarray(image)[..., 3].max(), name)
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _raw_mode(arguments: object) -> str:
    """How a decoder reads pixels, such as "RGB;16B": its only argument, or the first."""
    return str(arguments[0] if isinstance(arguments, tuple | list) and arguments else arguments)


def _check_range(image: Image.Image, name: str) -> None:
    """Refuse 16-bit colours of a 12-bit camera: scaled to 8 bits they are black."""
    peak = int(np.asarray(image)[..., :3].max())
    if peak < 16:
        raise ImageError(
            f"{name}: 16-bit colours of at most {peak * 256 + 255} do not fill their range. "
            "Rescale it to 8 bits a channel"
        )


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
