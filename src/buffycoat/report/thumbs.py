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
JPEG_QUALITY = 92


def photo_uri(image: np.ndarray[Any, Any]) -> str:
    """An image as a small JPEG inside a link: enough to recognise a cell.

    Args:
        image: Shape (h, w, 3), uint8.
    """
    return _data_uri(image, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def lossless_uri(image: np.ndarray[Any, Any]) -> str:
    """An image as PNG inside a link, where the reader looks for noise that JPEG would change.

    Args:
        image: Shape (h, w, 3), uint8.
    """
    return _data_uri(image, "PNG", optimize=True)


def _data_uri(image: np.ndarray[Any, Any], kind: str, **options: Any) -> str:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"image: expected (h, w, 3) uint8, got {image.shape} {image.dtype}")
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{encoded}"
