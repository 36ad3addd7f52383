"""White point and stain strength of single photographs.

By the law of Beer and Lambert what a stain does is a sum in optical density, the logarithm of white
over level; the light and the camera's white balance are factors that cancel there. Of a photograph
two things are measured: the white, from its brightest smooth part, and for each channel the root
mean square of the optical density over the whole frame, which says how strong stain, contrast and
the camera's gamma together come out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from buffycoat.statistics import quantile

STEP = 2
"""Every second pixel of every second row is measured."""
BRIGHT = 0.88
"""Quantile of green from which the search for the background starts, as in `segment.contrast`."""
TOLERANCES = (0.3, 0.15, 0.08)
"""Log units around the level found so far within which a pixel counts as background."""
OFFSET = 1.0
"""Gray levels added before a logarithm: level 0 is as dark as it gets."""


@dataclass(frozen=True)
class Colour:
    """What was measured of n photographs.

    Attributes:
        white: Level of the background, shape (n, 3), gray levels.
        background: Share of the pixels that it was taken from, shape (n,).
        strength: Root mean square of the optical density, shape (n, 3), natural log units.
    """

    white: np.ndarray
    background: np.ndarray
    strength: np.ndarray

    def __len__(self) -> int:
        return len(self.white)


def measure(images: np.ndarray) -> Colour:
    """White and strength of each photograph, by itself.

    Args:
        images: Shape (n, h, w, 3), uint8, RGB.
    """
    found = [_measure_one(image) for image in images]
    white, background, strength = zip(*found, strict=True) if found else ((), (), ())
    n = len(found)
    return Colour(
        np.array(white, dtype=np.float64).reshape(n, 3),
        np.array(background, dtype=np.float64),
        np.array(strength, dtype=np.float64).reshape(n, 3),
    )


def _measure_one(image: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    pixels = image[::STEP, ::STEP].reshape(-1, 3)
    white, share = _white(pixels)
    density = np.log(white + OFFSET) - _LOGS[pixels]
    return white, share, np.sqrt((density**2).mean(axis=0))


_LOGS = np.log(np.arange(256) + OFFSET)


def _white(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Level of the background, and its share of the pixels (n, 3).

    Green is where both red cells and chromatin are dark. Its upper end is taken first, so that
    specks of glare do not count, and then narrowed down to one level.
    """
    green = _LOGS[pixels[:, 1]]
    level = quantile(green, BRIGHT)
    chosen = green > level - TOLERANCES[0]
    for tolerance in TOLERANCES[1:]:
        level = quantile(green[chosen], 0.5)
        chosen = np.abs(green - level) < tolerance
    return np.median(pixels[chosen], axis=0), float(chosen.mean())
