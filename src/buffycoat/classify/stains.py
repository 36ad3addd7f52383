"""Stain space: how much of each stain a pixel holds."""

from __future__ import annotations

import numpy as np

from buffycoat.simulate.faults import to_uint8

RGB_FROM_HED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Density in red, green and blue of each stain; scikit-image has the same values."""
HED_FROM_RGB = np.linalg.inv(RGB_FROM_HED)


def jitter_stains(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """More or less of each stain, as another laboratory would have it.

    Densities of hematoxylin, eosin and the rest are scaled and shifted each on its own (Tellez et
    al., IEEE Trans. Med. Imaging 37, 2018), in the stain space of Ruifrok and Johnston (2001).

    Args:
        image: Shape (h, w, 3), uint8.
        rng: Source of randomness.
        strength: Densities are multiplied by 1 - strength to 1 + strength; shifts are a tenth of
            that, in natural-log units of density.

    Returns:
        Same shape, uint8.
    """
    density = -np.log(np.maximum(image, 1).astype(np.float32) / 255)
    scale = rng.uniform(1 - strength, 1 + strength, 3)
    shift = rng.uniform(-strength, strength, 3) / 10
    # Into stains, scaled there, and back: one 3x3 matrix.
    change = HED_FROM_RGB @ np.diag(scale) @ RGB_FROM_HED
    changed = density @ change.astype(np.float32) + (shift @ RGB_FROM_HED).astype(np.float32)
    return to_uint8(255 * np.exp(-changed))
