"""Pictures of one laboratory as others might have taken them: stain, light, sharpness.

A classifier that saw one laboratory reads its colours as facts. Wide random changes of them train
it for laboratories that are not at hand (domain randomisation; for stains Tellez et al., Medical
Image Analysis 58, 2019). Every span here is **ours**: set once, by eye, so that pictures stay
readable; crops of one other site were among those looked at (ADR 23).
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.classify.stains import HED_FROM_RGB, RGB_FROM_HED

WHITE_QUANTILE = 90
"""Percentile of a channel that is taken for its white: most of a smear is background."""
AMOUNT = 0.6
"""Each stain's amount is multiplied by exp(-AMOUNT) to exp(AMOUNT) at strength 1."""
HUE = 0.35
"""Share of a stain's absorption that another channel may take over at strength 1."""
CURVE = 0.3
"""Dense against pale: densities are raised to 1 - CURVE to 1 + CURVE at strength 1."""
EXPOSURE = 0.7
"""The white falls to exp(-EXPOSURE) of full scale at most, at strength 1 (a dim lamp)."""
TINT = 0.3
"""Each channel of the white is multiplied by exp(-TINT) to exp(TINT) at strength 1."""
HAZE = 0.35
"""Share of stray light, of the white's colour, at most, at strength 1."""
GAMMA = 0.35
"""A camera's tone curve: powers of exp(-GAMMA) to exp(GAMMA) at strength 1."""
LEAST_PIXELS = 0.2
"""Smallest side that a picture is reduced to, over its own."""
MIN_QUALITY = 30
"""Lowest quality of the JPEG that follows."""
SHARPEN = 1.5
"""Largest weight of the unsharp mask."""


def restain(image: np.ndarray, rng: np.random.Generator, stain: float, light: float) -> np.ndarray:
    """The same cell under another stain, lamp and camera; most stay near home.

    Args:
        image: Shape (h, w, 3), uint8.
        rng: Source of randomness.
        stain: Largest spread of each stain's amount and colour, 0 to 1.
        light: Largest spread of white point, exposure, haze and gamma, 0 to 1.

    Returns:
        Same shape, uint8.
    """
    return restain_by(image, rng, stain * rng.random(), light * rng.random())


def restain_by(
    image: np.ndarray, rng: np.random.Generator, stain: float, light: float
) -> np.ndarray:
    """The same with these very spreads. The changes depend on nothing but them and the generator.

    A picture is its white times exp(-density) (Beer and Lambert). Densities are changed in stain
    space, then the white, so that more stain does not mean a darker background.

    Args:
        image: Shape (h, w, 3), uint8.
        rng: Source of randomness.
        stain: Spread of each stain's amount and colour; over 1 is farther than training goes.
        light: Spread of white point, exposure, haze and gamma.

    Returns:
        Same shape, uint8.
    """
    white = _white(image)
    density = np.maximum(np.log(white / np.maximum(image, 1)), 0)  # (h, w, 3), natural log units
    if stain:
        density = density ** np.float32(rng.uniform(1 - CURVE * stain, 1 + CURVE * stain))
        density = np.maximum(cv2.transform(density, _stain_change(rng, stain).T), 0)
    if light:
        lamp = rng.uniform(-TINT * light, TINT * light, 3) - rng.uniform(0, EXPOSURE * light)
        white = (np.minimum(white / 255 * np.exp(lamp), 1) * 255).astype(np.float32)
    shown = np.exp(-density)
    if light:
        haze = rng.uniform(0, HAZE * light)
        shown = haze + (1 - haze) * shown
        shown = shown ** np.float32(np.exp(rng.uniform(-GAMMA * light, GAMMA * light)))
    return np.clip(np.rint(shown * white), 0, 255).astype(np.uint8)


def resample(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same picture from a coarser camera through JPEG, or from one that sharpens.

    Args:
        image: Shape (h, w, 3), uint8.
        rng: Source of randomness.

    Returns:
        Same shape, uint8.
    """
    if rng.random() < 0.3:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.008, 0.02) * image.shape[0])
        weight = rng.uniform(0.3, SHARPEN)
        return cv2.addWeighted(image, 1 + weight, soft, -weight, 0)
    height, width = image.shape[:2]
    share = np.exp(rng.uniform(np.log(LEAST_PIXELS), 0))
    size = (max(8, round(width * share)), max(8, round(height * share)))
    coarse = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    quality = int(rng.integers(MIN_QUALITY, 96))
    _, data = cv2.imencode(".jpg", coarse, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.resize(
        np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)),
        (width, height),
        interpolation=cv2.INTER_LINEAR,
    )


def _white(image: np.ndarray) -> np.ndarray:
    """The background's colour, shape (3,), float32, 1 to 255."""
    few = image[::4, ::4].reshape(-1, 3)
    return np.maximum(np.percentile(few, WHITE_QUANTILE, axis=0), 1).astype(np.float32)


def _stain_change(rng: np.random.Generator, strength: float) -> np.ndarray:
    """What densities (rows) are multiplied by, shape (3, 3), float32."""
    amount = np.exp(rng.uniform(-AMOUNT * strength, AMOUNT * strength, 3))
    turned = RGB_FROM_HED + HUE * strength * rng.uniform(-1, 1, (3, 3)) * RGB_FROM_HED.max()
    turned = np.maximum(turned, 0.02)
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    return (HED_FROM_RGB @ np.diag(amount) @ turned).astype(np.float32)
