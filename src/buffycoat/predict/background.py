"""The surroundings of a cell painted white before the stages see it, as the paper has it."""

from __future__ import annotations

import numpy as np

from buffycoat.config import Config
from buffycoat.segment.masks import Segmenter
from buffycoat.segment.paint import paint_background
from buffycoat.segment.segmenters import build_segmenter


def paint_if_asked(images: np.ndarray, config: Config) -> np.ndarray:
    """What the stages see of working images: all, or the central cell before white.

    Args:
        images: Shape (n, w, w, 3), uint8.
        config: The settings; `segment.paint_background` asks for white, as the paper has it.

    Returns:
        Same shape.
    """
    if not config.segment.paint_background:
        return images
    return paint_all(images, build_segmenter(config.segment))


def paint_all(images: np.ndarray, segment: Segmenter) -> np.ndarray:
    """All but the central cell painted white; shape and dtype are kept."""
    masks = segment(images)
    return np.stack(
        [
            paint_background(image, mask.cell, image.shape[0])
            for image, mask in zip(images, masks, strict=True)
        ]
    )
