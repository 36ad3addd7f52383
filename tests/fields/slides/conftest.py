"""A picture with every colour in another place, so that a swap or a shift is seen."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """Shape (320, 448, 3), uint8, RGB: smooth, purple and pink, without symmetry."""
    down, across = np.mgrid[0:320, 0:448]
    red = 200 - across / 4
    green = 120 + 60 * np.sin(down / 40) + across / 12
    blue = 180 + 50 * np.cos((across + 2 * down) / 60)
    return np.clip(np.stack([red, green, blue], axis=2), 0, 255).astype(np.uint8)
