"""Pictures inside a page, as links that hold the data themselves."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from buffycoat.errors import ShapeError

THUMB_PX = 144
"""Longest side of an image on the page."""
CHIP_PX = 112
"""The same on a contact sheet, where many stand in a row."""
QUALITY = 85
"""Of WebP: a third of the bytes of a JPEG that keeps as much of a cell."""


def photo_uri(image: np.ndarray[Any, Any]) -> str:
    """An image as a small WebP inside a link: enough to recognise a cell.

    Args:
        image: Shape (h, w, 3), uint8.
    """
    return _data_uri(image, "WEBP", THUMB_PX, quality=QUALITY, method=6)


def chip_uri(image: np.ndarray[Any, Any]) -> str:
    """The same, smaller.

    Args:
        image: Shape (h, w, 3), uint8.
    """
    return _data_uri(image, "WEBP", CHIP_PX, quality=QUALITY, method=6)


def lossless_uri(image: np.ndarray[Any, Any]) -> str:
    """An image as PNG inside a link, where the reader looks for noise that WebP would change.

    Args:
        image: Shape (h, w, 3), uint8.
    """
    return _data_uri(image, "PNG", THUMB_PX, optimize=True)


def _data_uri(image: np.ndarray[Any, Any], kind: str, side: int, **options: Any) -> str:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"image: expected (h, w, 3) uint8, got {image.shape} {image.dtype}")
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((side, side), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{encoded}"
