"""Which pixel size of a file is believed, and how deep pixels become 8 bits."""

from __future__ import annotations

import numpy as np

from buffycoat.errors import ImageError

PLAUSIBLE_UM = (0.02, 5.0)
"""Micrometres a pixel, of every microscope: an objective of 150x, and less than 2x. 72 and 96 dots
an inch, which many programs write into every file, would be 353 and 265."""
NOT_STATED_UM = 1.0
"""What several programs write where they do not know the size."""
MOST_UNEQUAL = 0.02
"""Of the width, that the height of a pixel may differ by."""
LEAST_DEEP = 4096
"""Of the brightest of 16-bit values, if the file does not state how many bits it uses: as in
`images`, less is a 12-bit camera and would come out black."""


def believed(across_um: float | None, down_um: float | None = None) -> float | None:
    """A pixel's width, if it is a microscope's, of a square pixel, and stated at all."""
    if across_um is None or not PLAUSIBLE_UM[0] <= across_um <= PLAUSIBLE_UM[1]:
        return None
    if across_um == NOT_STATED_UM:
        return None
    if down_um is not None and abs(down_um / across_um - 1) > MOST_UNEQUAL:
        return None
    return float(across_um)


def check_deep(peak: int, bits: int | None, name: str) -> int:
    """How many bits of 16 are used.

    Args:
        peak: The brightest of some pixels.
        bits: What the file states; None if it does not.
        name: Of the file, for the message.

    Raises:
        ImageError: The pixels do not fill their range.
    """
    if bits is not None and 8 <= bits <= 16 and peak < 2**bits:
        return bits
    if peak < LEAST_DEEP:
        raise ImageError(
            f"{name}: 16-bit values of at most {peak} do not fill their range, and the file does "
            "not state how many bits it uses. Export it with 8 bits a channel"
        )
    return 16


def to_8_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Values from 0 to 2**bits - 1 as 0 to 255, rounded; those above become 255."""
    most = 2**bits - 1
    scaled = (values.astype(np.uint32) * 255 + most // 2) // most
    return np.minimum(scaled, 255).astype(np.uint8)
