"""The pictures that are accepted: of which size, and with anything to see on them."""

from __future__ import annotations

from buffycoat.errors import ImageError

MAX_PIXELS = 50_000_000
"""One cell is under 1 Mpx, a whole field under 30 Mpx; more is a bomb or a slide."""
MIN_SIDE_PX = 16
"""Under this nothing of a nucleus can be seen, at any magnification in use."""


def check_size(width: int, height: int, name: str) -> None:
    """Refuse by the header, before any pixel is decoded.

    Raises:
        ImageError: Too large or too small.
    """
    if width * height > MAX_PIXELS:
        raise too_large(name, f"{width} x {height} px,")
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(
            f"{name}: {width} x {height} px, expected at least {MIN_SIDE_PX} px a side. "
            "Export the cell at its full resolution"
        )


def check_opacity(highest: float, name: str) -> None:
    """Refuse a picture of which every pixel is transparent: it would be white and nothing else.

    Raises:
        ImageError: The highest opacity is zero.
    """
    if not highest:
        raise ImageError(f"{name}: every pixel is transparent. Save it without its alpha channel")


def too_large(name: str, size: str) -> ImageError:
    """The error for a picture of too many pixels; `size` says how many."""
    limit = MAX_PIXELS // 1_000_000
    return ImageError(
        f"{name}: {size} over the limit of {limit} megapixels. Crop it to single cells; or save "
        "it as tiled TIFF, which `buffycoat find` reads in parts"
    )
