"""Two cells in one image: mixup and CutMix, a batch at a time.

Mixup: Zhang et al., arXiv 1710.09412. CutMix: Yun et al., arXiv 1905.04899. The second cell of each
row is another row of the batch. All rows share one proportion, as in the authors' code, so that any
loss can be used: once with the first cells' classes, once with the second's. `timm.data.Mixup` has
one-hot targets, which LDAM and losses over groups of classes cannot take, and draws from numpy's
global generator, from which no resumed run would be equal to an unbroken one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from buffycoat.optional import choose


@dataclass(frozen=True)
class Mixed:
    """A batch of which each image may show two cells.

    Attributes:
        pixels: Shape (n, s, s, 3), uint8.
        partner: Row of each image's second cell, shape (n,).
        share: Share of each row's own cell in its image, 0 to 1; 1 where it is alone.
    """

    pixels: np.ndarray
    partner: np.ndarray
    share: float


def mix(
    pixels: np.ndarray, kind: str, probability: float, alpha: float, rng: np.random.Generator
) -> Mixed:
    """Mix each image of a batch with another one of it, or, by chance, none.

    Args:
        pixels: Shape (n, s, s, 3), uint8.
        kind: "none", or a key of `MIXES`.
        probability: That the batch is mixed.
        alpha: The share is drawn from Beta(alpha, alpha).
        rng: Source of randomness.
    """
    alone = np.arange(len(pixels))
    if kind == "none":
        return Mixed(pixels, alone, 1.0)
    blend = choose(MIXES, kind, "way to mix")
    if rng.random() >= probability:
        return Mixed(pixels, alone, 1.0)
    partner = rng.permutation(len(pixels))
    out, share = blend(pixels, pixels[partner], rng, float(rng.beta(alpha, alpha)))
    return Mixed(out, partner, share)


def _mixup(
    one: np.ndarray, other: np.ndarray, _: np.random.Generator, share: float
) -> tuple[np.ndarray, float]:
    blended = share * one.astype(np.float32) + (1 - share) * other.astype(np.float32)
    return np.rint(blended).astype(np.uint8), share


def _cutmix(
    one: np.ndarray, other: np.ndarray, rng: np.random.Generator, share: float
) -> tuple[np.ndarray, float]:
    """The second image in a rectangle of the first; the share is what was left of the first."""
    height, width = one.shape[1:3]
    cut = np.sqrt(1 - share)
    half_h, half_w = round(height * cut / 2), round(width * cut / 2)
    y, x = int(rng.integers(height)), int(rng.integers(width))
    top, bottom = max(y - half_h, 0), min(y + half_h, height)
    left, right = max(x - half_w, 0), min(x + half_w, width)
    out = one.copy()
    out[:, top:bottom, left:right] = other[:, top:bottom, left:right]
    return out, 1 - (bottom - top) * (right - left) / (height * width)


Blend = Callable[[np.ndarray, np.ndarray, np.random.Generator, float], tuple[np.ndarray, float]]
MIXES: dict[str, Blend] = {"mixup": _mixup, "cutmix": _cutmix}
