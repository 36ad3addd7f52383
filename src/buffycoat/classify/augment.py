"""How a working image becomes a network's input while it is trained.

One warp does crop, scale, rotation, mirror and resize, so that pixels are resampled once.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from buffycoat.classify.stains import jitter_stains
from buffycoat.classify.vary import resample, restain
from buffycoat.config import ClassifyConfig
from buffycoat.config.vary import VaryConfig
from buffycoat.simulate.degrade import MAX_SEVERITY, SEVERITY_WEIGHTS, degrade, draw_severity
from buffycoat.simulate.faults import to_uint8

AT_HOME = VaryConfig()
"""Differences within a laboratory."""
PAPER_ROTATION_DEG = 15.0
PAPER_JITTER = 0.2


def severity_weights(progress: float, ramp: float) -> tuple[float, ...]:
    """How often each severity is drawn where a cell is degraded.

    Args:
        progress: Share of the training that is done, 0-1.
        ramp: Share of the training over which the largest severity grows from 1 to 4; 0 for all
            severities from the start.

    Returns:
        Weights of severity 0 to 4.
    """
    if progress >= ramp:
        return SEVERITY_WEIGHTS
    largest = 1 + int(progress / ramp * MAX_SEVERITY)
    return tuple(w if severity <= largest else 0.0 for severity, w in enumerate(SEVERITY_WEIGHTS))


def augment(
    image: np.ndarray,
    rng: np.random.Generator,
    config: ClassifyConfig,
    severities: Sequence[float] = SEVERITY_WEIGHTS,
) -> np.ndarray:
    """One random view of a cell for training.

    Args:
        image: Working image, shape (w, w, 3), uint8.
        rng: Source of randomness.
        config: The recipe: its `augment` is "full" (any rotation, mirror, scale, shift, colour and
            simulated degradation) or "paper" (mirror, small rotation, brightness and contrast).
        severities: How often "full" draws each severity where it degrades.

    Returns:
        Shape (input_px, input_px, 3), uint8.
    """
    crop_fraction, input_px = config.crop_fraction, config.input_px
    if config.augment == "paper":
        turned = _warp(image, rng, crop_fraction, input_px, PAPER_ROTATION_DEG, (1, 1), 0)
        gain, offset = rng.uniform(1 - PAPER_JITTER, 1 + PAPER_JITTER, 2)
        return to_uint8((turned - 128.0) * gain + 128 * offset)
    if rng.random() < config.degrade_probability:
        severity = draw_severity(rng, severities)
        image = degrade(image, severity, rng, groups=config.degrade_groups)
    vary = config.vary
    if vary.share < 1 and rng.random() >= vary.share:
        vary = AT_HOME
    turned = _warp(image, rng, crop_fraction, input_px, 180, vary.scale, vary.shift)
    if config.stain_jitter:
        turned = jitter_stains(turned, rng, config.stain_jitter)
    if vary.stain or vary.light:
        turned = restain(turned, rng, vary.stain, vary.light)
    if vary.sharpness and rng.random() < vary.sharpness:
        turned = resample(turned, rng)
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
    """Saturation, then contrast about the mean, then a gain for each channel: one 3x4 matrix."""
    gains = rng.uniform(0.9, 1.1) * rng.uniform(0.95, 1.05, 3)
    contrast = rng.uniform(0.85, 1.15)
    saturation = rng.uniform(0.8, 1.2)
    mean = float(np.mean(cv2.mean(image)[:3]))
    linear = contrast * (saturation * np.eye(3) + (1 - saturation) / 3)
    offset = np.full(3, (1 - contrast) * mean)
    return cv2.transform(image, gains[:, None] * np.column_stack([linear, offset]))
