"""What a file says besides its pixels: by it a network's input may be recognised."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin

from buffycoat.images import describe_unopened_tiff

NONE = "none"
_EXIF = {
    "EXIF camera maker": ExifTags.Base.Make,
    "EXIF camera": ExifTags.Base.Model,
    "EXIF software": ExifTags.Base.Software,
    "EXIF description": ExifTags.Base.ImageDescription,
}
_JPEG = ("JPEG quantisation", "JPEG subsampling", "JPEG scans")
_LUMINANCE = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]
)  # fmt: skip
"""Table K.1 of ITU-T T.81, to which encoders' qualities are relative."""
_SUBSAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def read_header(data: bytes) -> dict[str, str | int]:
    """Attributes of an encoded image that do not depend on what it shows.

    The file's size in bytes is not among them: it follows the picture's own detail and noise.

    Args:
        data: An image that `images.decode` can read.

    Returns:
        `width` and `height` in pixels; all others in words, `NONE` where the file has none.
    """
    unopened = describe_unopened_tiff(data) if data[:2] in (b"II", b"MM") else None
    if unopened is not None:
        return _unopened(*unopened)
    with Image.open(io.BytesIO(data)) as image:
        exif = image.getexif()
        width, height = image.size
        header: dict[str, str | int] = {"width": width, "height": height}
        header |= {"file format": str(image.format), "colour mode": image.mode}
        header |= {"EXIF block": "yes" if len(exif) else NONE}
        header |= {name: _word(exif.get(tag)) for name, tag in _EXIF.items()}
        header["resolution"] = _resolution(image.info.get("dpi"))
        header["colour profile"] = _digest(image.info.get("icc_profile"))
        header["comment"] = _word(image.info.get("comment"))
        header["PNG text"] = _png_text(image)
        header |= _jpeg(image)
    return header


def _unopened(width: int, height: int, kind: str) -> dict[str, str | int]:
    header: dict[str, str | int] = {"width": width, "height": height}
    header |= {"file format": "TIFF", "colour mode": kind, "EXIF block": NONE}
    header |= dict.fromkeys((*_EXIF, "resolution", "colour profile", "comment", "PNG text"), NONE)
    return header | dict.fromkeys(_JPEG, NONE)


def _png_text(image: Image.Image) -> str:
    """What stands before the pixels; the chunks after them would need a second decoding."""
    texts = {key: value for key, value in image.info.items() if isinstance(value, str)}
    is_png = image.format == "PNG"
    return _word("; ".join(f"{key}: {texts[key]}" for key in sorted(texts))) if is_png else NONE


def _jpeg(image: Image.Image) -> dict[str, str]:
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return dict.fromkeys(_JPEG, NONE)
    tables = [list(table) for _, table in sorted(image.quantization.items())]
    quality = _quality(np.array(tables[0])) if tables else 0
    sampling = JpegImagePlugin.get_sampling(image)
    return {
        "JPEG quantisation": f"about quality {quality}, table {_digest(repr(tables).encode())}",
        "JPEG subsampling": _SUBSAMPLING.get(sampling, "other"),
        "JPEG scans": "progressive" if image.info.get("progressive") else "baseline",
    }


def _quality(luminance: np.ndarray) -> int:
    """Quality in the scale of the Independent JPEG Group that would give such a table, about."""
    percent = float(np.mean(100 * np.sort(luminance) / np.sort(_LUMINANCE)))
    return round(max((200 - percent) / 2 if percent <= 100 else 5000 / percent, 1))


def _resolution(dpi: Any) -> str:
    if not dpi:
        return NONE
    return " x ".join(f"{float(value):.0f}" for value in dpi) + " dpi"


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    text = str(value or "").strip().strip("\0")
    return text[:40] or NONE


def _digest(data: bytes | None) -> str:
    return hashlib.sha256(data).hexdigest()[:8] if data else NONE
