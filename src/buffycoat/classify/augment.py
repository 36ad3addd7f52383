"""How a working image becomes a network's input, at training and at prediction.

One warp does crop, scale, rotation, mirror and resize, so that pixels are resampled once.
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.simulate.degrade import random_degrade

SCALE = (0.85, 1.15)
SHIFT = 0.04
PAPER_ROTATION_DEG = 15.0
PAPER_JITTER = 0.2


def centre(image: np.ndarray, crop_fraction: float, input_px: int) -> np.ndarray:
    """The central part of a working image at the network's size.

    Args:
        image: Shape (w, w, 3), uint8.
        crop_fraction: Side of the crop over side of the image.
        input_px: Side of the result.

    Returns:
        Shape (input_px, input_px, 3), uint8.
    """
    side = image.shape[0]
    kept = round(side * crop_fraction)
    low = (side - kept) // 2
    crop = image[low : low + kept, low : low + kept]
    smaller = input_px < kept
    return cv2.resize(
        crop, (input_px, input_px), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    )


def augment(
    image: np.ndarray,
    rng: np.random.Generator,
    crop_fraction: float,
    input_px: int,
    kind: str,
    degrade_probability: float,
) -> np.ndarray:
    """One random view of a cell for training.

    Args:
        image: Working image, shape (w, w, 3), uint8.
        rng: Source of randomness.
        crop_fraction: Side of the crop over side of the image, before random scale.
        input_px: Side of the result.
        kind: "full": any rotation, mirror, scale, shift, colour and simulated degradation;
            "paper": mirror, small rotation, brightness and contrast.
        degrade_probability: Chance that "full" degrades the cell at severity 1-4.

    Returns:
        Shape (input_px, input_px, 3), uint8.
    """
    if kind == "paper":
        turned = _warp(image, rng, crop_fraction, input_px, PAPER_ROTATION_DEG, (1, 1), 0)
        gain, offset = rng.uniform(1 - PAPER_JITTER, 1 + PAPER_JITTER, 2)
        return np.clip((turned - 128.0) * gain + 128 * offset, 0, 255).astype(np.uint8)
    if rng.random() < degrade_probability:
        image, _ = random_degrade(image, rng)
    turned = _warp(image, rng, crop_fraction, input_px, 180, SCALE, SHIFT)
    return _jitter_colour(turned, rng)


def _warp(
    image: np.ndarray,
    rng: np.random.Generator,
    crop_fraction: float,
    input_px: int,
    rotation_deg: float,
    scale: tuple[float, float],
    shift: float,
) -> np.ndarray:
    side = image.shape[0]
    zoom = input_px / (side * crop_fraction) * rng.uniform(*scale)
    angle = np.deg2rad(rng.uniform(-rotation_deg, rotation_deg))
    mirror = rng.choice((-1, 1))
    linear = zoom * np.array(
        [[np.cos(angle) * mirror, -np.sin(angle)], [np.sin(angle) * mirror, np.cos(angle)]]
    )
    moved = rng.uniform(-shift, shift, 2) * input_px
    offset = (input_px - 1) / 2 + moved - linear @ np.full(2, (side - 1) / 2)
    return cv2.warpAffine(
        image,
        np.column_stack([linear, offset]),
        (input_px, input_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def _jitter_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    pixels = image.astype(np.float32)
    gains = rng.uniform(0.9, 1.1) * rng.uniform(0.95, 1.05, 3)
    contrast = rng.uniform(0.85, 1.15)
    mean = pixels.mean()
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * rng.uniform(0.8, 1.2)
    pixels = ((pixels - mean) * contrast + mean) * gains.astype(np.float32)
    return np.clip(pixels, 0, 255).astype(np.uint8)
