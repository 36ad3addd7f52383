"""Photographs brought to the white and the stain strength of the training cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.sites.colour import OFFSET, Colour, measure
from buffycoat.statistics import apart

LEAST_BACKGROUND = 0.04
"""Share of a frame under which what looks like background may be a red cell; such a photograph
takes the site's white, or stays as it is. The least of the segmenter, too (`segment.contrast`)."""
LEAST_WHITE = 32.0
"""Gray level of green under which a white holds too few levels to be scaled up."""
LEAST_STRENGTH = 0.02
"""Log units of optical density under which a frame holds nothing: a blank."""
GAINS = (1 / 4, 4.0)
"""Least and largest factor on an optical density; a larger one would show noise as structure."""


@dataclass(frozen=True)
class ColourReference:
    """White and strength that photographs are brought to, or that a site has.

    Attributes:
        white: Median level of the background, shape (3,), gray levels.
        strength: Root mean square optical density of the frames, shape (3,), natural log units.
    """

    white: tuple[float, float, float]
    strength: tuple[float, float, float]

    @classmethod
    def of(cls, colour: Colour) -> Self:
        """The median of photographs; those without background do not count unless all lack it.

        Raises:
            ShapeError: There are none.
        """
        if not len(colour):
            raise ShapeError("expected at least one photograph to take a colour reference from")
        usable = _has_white(colour)
        rows = usable if usable.any() else np.ones(len(colour), dtype=bool)
        white, strength = (np.median(v[rows], axis=0) for v in (colour.white, colour.strength))
        return cls(_three(white), _three(strength))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {"white": list(self.white), "strength": list(self.strength)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The reference that `to_dict` wrote."""
        return cls(_three(values["white"]), _three(values["strength"]))


@dataclass(frozen=True)
class Standardised:
    """Photographs in the reference's colours.

    Attributes:
        images: Shape (n, h, w, 3), uint8, RGB.
        reasons: For each, what was not done and why, in words; "" where all was done.
    """

    images: np.ndarray
    reasons: tuple[str, ...]


def standardise(
    images: np.ndarray, reference: ColourReference, site: ColourReference | None = None
) -> Standardised:
    """White balance and stain strength, each photograph by itself.

    Optical density against the photograph's own white is scaled channel by channel so that its root
    mean square is the reference's, and laid on the reference's white. What cannot be measured
    safely is left out for that photograph, and the reason says so.

    Args:
        images: Working images, shape (n, h, w, 3), uint8, RGB.
        reference: Of the training cells.
        site: Of the laboratory that the images are from, if it is known: stands in where a
            photograph shows no background.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise ShapeError(f"expected images (n, h, w, 3), uint8; got {images.shape} {images.dtype}")
    colour, out, reasons = measure(images), np.empty_like(images), []
    is_white = _has_white(colour)
    for row, image in enumerate(images):
        white, strength, reason = colour.white[row], colour.strength[row], ""
        if not is_white[row]:
            if site is None:
                out[row] = image
                reasons.append(_no_white(colour, row) + "; left as it is")
                continue
            white, strength = np.array(site.white), np.array(site.strength)
            reason = _no_white(colour, row) + "; the site's white taken"
        gains = np.array(reference.strength) / np.maximum(strength, 1e-6)
        if strength.max() < LEAST_STRENGTH:
            gains, reason = np.ones(3), "nothing stained in the frame; white balance only"
        elif not np.array_equal(gains, np.clip(gains, *GAINS)):
            reason = reason or f"stain strength off by a factor of {_worst(gains):.1f}; limited"
        tables = _tables(white, np.clip(gains, *GAINS), reference)
        for channel in range(3):
            out[row, ..., channel] = tables[channel][image[..., channel]]
        reasons.append(reason)
    return Standardised(out, tuple(reasons))


def _tables(white: np.ndarray, gains: np.ndarray, reference: ColourReference) -> np.ndarray:
    """Old level to new level, shape (3, 256), uint8."""
    levels = np.arange(256)[None, :] + OFFSET
    density = np.log(white + OFFSET)[:, None] - np.log(levels)
    logs = np.log(np.array(reference.white) + OFFSET)[:, None] - gains[:, None] * density
    return np.clip(np.exp(np.minimum(logs, 6.0)) - OFFSET + 0.5, 0, 255).astype(np.uint8)


def _has_white(colour: Colour) -> np.ndarray:
    return (colour.background >= LEAST_BACKGROUND) & (colour.white.min(axis=1) >= LEAST_WHITE)


def _no_white(colour: Colour, row: int) -> str:
    share, level = colour.background[row], colour.white[row].min()
    if share < LEAST_BACKGROUND:
        shown, least = apart(100 * share, 100 * LEAST_BACKGROUND, 1)
        return f"background {shown} % of the frame < {least} %"
    return "background level {} < {}".format(*apart(level, LEAST_WHITE, 0))


def _worst(gains: np.ndarray) -> float:
    return float(np.exp(np.abs(np.log(gains)).max()))


def _three(values: Any) -> tuple[float, float, float]:
    one, two, three = (float(value) for value in values)
    return one, two, three
