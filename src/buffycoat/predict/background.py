"""What the stages see of a working image: in the training's colours, and as the settings ask."""

from __future__ import annotations

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.config import Config
from buffycoat.segment.masks import Segmenter
from buffycoat.segment.paint import paint_background
from buffycoat.segment.segmenters import build_segmenter


def as_seen(images: np.ndarray, fitted: Fitted) -> np.ndarray:
    """Working images as the stages of a bundle see them.

    Args:
        images: Shape (n, w, w, 3), uint8.
        fitted: A bundle that was adapted brings them to its training's colours first.

    Returns:
        Same shape; a cell's pixels do not depend on the cells beside it.
    """
    if fitted.site is not None and fitted.home is not None:
        images = fitted.site.seen(images, fitted.home)
    return paint_if_asked(images, fitted.config)


def paint_if_asked(images: np.ndarray, config: Config) -> np.ndarray:
    """All of working images, or the central cell before white.

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
