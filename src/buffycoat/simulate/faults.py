"""What each kind of degradation does to an image, at a strength of 0 to 1.

The ranges are ours (see `degrade`). Each function takes an image (h, w, 3) uint8 RGB, a strength
and a generator, and returns a new image.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Fault = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]

MAX_NOISE_SIGMA = 60.0
"""Gray levels at strength 1."""
MAX_SALT_SHARE = 0.08
"""Share of pixels turned black or white at strength 1."""
MAX_DEFOCUS_RADIUS = 0.028
"""Radius of the blur disk, as a share of the image side."""
MAX_GAUSSIAN_SIGMA = 0.016
"""Share of the image side."""
MAX_MOTION_LENGTH = 0.06
"""Whole length of the smear, as a share of the image side."""
MAX_LIGHT_FALL = 0.65
"""Share of the light lost at the darkest place."""
MAX_DARKENING = 0.6
"""Share of the light lost everywhere."""
MAX_CAST = 0.30
"""Largest relative change of one channel."""


def _noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    sigma = 3.0 + (MAX_NOISE_SIGMA - 3.0) * strength**1.3
    if rng.random() < 0.3:
        grain = np.repeat(rng.standard_normal((height, width, 1), dtype=np.float32), 3, axis=2)
    else:
        grain = rng.standard_normal((height, width, 3), dtype=np.float32)
    grain *= np.float32(sigma) * rng.uniform(0.7, 1.3, 3).astype(np.float32)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    levels = np.linspace(-0.5, 0.5, 256, dtype=np.float32)
    by_level = 1.0 + np.float32(rng.uniform(-0.3, 1.0)) * levels
    grain *= cv2.LUT(gray, by_level)[..., None]
    grain += image
    return to_uint8(grain)


def _salt_and_pepper(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    share = MAX_SALT_SHARE * strength
    draw = rng.random(image.shape[:2], dtype=np.float32)
    salted = image.copy()
    salted[draw < share / 2] = 255
    salted[draw > 1 - share / 2] = 0
    return salted


def _defocus(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _convolve(image, _disk, max(MAX_DEFOCUS_RADIUS * strength * _side(image), 0.9))


def _gaussian_blur(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    sigma = max(MAX_GAUSSIAN_SIGMA * strength * _side(image), 0.5)
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _motion_blur(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0.0, np.pi)
    half_length = max(MAX_MOTION_LENGTH * strength * _side(image), 2.0) / 2
    return _convolve(image, lambda half: _line(half, angle), half_length)


def _convolve(
    image: np.ndarray, kernel_of: Callable[[float], np.ndarray], radius_px: float
) -> np.ndarray:
    """Filter; a wide kernel runs at half size, where it is eight times cheaper."""
    if radius_px < 4.0:
        kernel = kernel_of(radius_px)
        return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    height, width = image.shape[:2]
    half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    half = cv2.filter2D(half, -1, kernel_of(radius_px / 2), borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)


def _disk(radius_px: float) -> np.ndarray:
    reach = int(np.ceil(radius_px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    kernel = np.clip(radius_px + 0.5 - np.hypot(x, y), 0.0, 1.0)
    return kernel / kernel.sum()


def _line(half_length_px: float, angle: float) -> np.ndarray:
    reach = int(np.ceil(half_length_px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along = np.abs(x * np.cos(angle) + y * np.sin(angle))
    across = np.abs(y * np.cos(angle) - x * np.sin(angle))
    kernel = np.clip(half_length_px + 0.5 - along, 0.0, 1.0) * np.clip(1.0 - across, 0.0, 1.0)
    return (kernel / kernel.sum()).astype(np.float32)


def _uneven_light(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[-1:1:24j, -1:1:24j].astype(np.float32)
    if rng.random() < 0.5:
        cx, cy = rng.uniform(-0.5, 0.5, 2)
        fall = (x - cx) ** 2 + (y - cy) ** 2
    else:
        angle = rng.uniform(0.0, 2 * np.pi)
        fall = 1.0 + x * np.cos(angle) + y * np.sin(angle)
    fall = fall / fall.max()
    depth = MAX_LIGHT_FALL * strength * rng.uniform(0.6, 1.0)
    tint = rng.uniform(0.75, 1.25, 3)
    field = 1.0 - np.clip(depth * tint, 0.0, 0.9) * fall[..., None]
    height, width = image.shape[:2]
    wide = cv2.resize(field.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return to_uint8(image * wide)


def _gamma(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    level = np.linspace(0.0, 1.0, 256)
    if rng.random() < 0.25:
        curve = level ** (1.0 - 0.45 * strength)
    else:
        dark = MAX_DARKENING * strength * rng.uniform(0.5, 1.0)
        power = 1.0 + strength * rng.uniform(0.0, 0.8)
        curve = (1.0 - dark) * level**power
    return cv2.LUT(image, to_uint8(255.0 * curve.astype(np.float32)))


def _colour_cast(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    direction = rng.standard_normal(3)
    direction /= np.abs(direction).max()
    gains = 1.0 + MAX_CAST * strength * rng.uniform(0.5, 1.0) * direction
    table = np.arange(256, dtype=np.float32)[:, None] * gains.astype(np.float32)
    return cv2.LUT(image, to_uint8(table)[None])


def _side(image: np.ndarray) -> int:
    return min(image.shape[:2])


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Rounded and clipped to 0-255; `values` is overwritten on the way."""
    return np.clip(np.rint(values, out=values), 0, 255, out=values).astype(np.uint8)


FAULTS: dict[str, Fault] = {
    "noise": _noise,
    "salt_and_pepper": _salt_and_pepper,
    "defocus": _defocus,
    "gaussian_blur": _gaussian_blur,
    "motion_blur": _motion_blur,
    "uneven_light": _uneven_light,
    "gamma": _gamma,
    "colour_cast": _colour_cast,
}
"""Name -> what it does."""
GROUPS: dict[str, tuple[str, ...]] = {
    "noise": ("noise", "salt_and_pepper"),
    "blur": ("defocus", "gaussian_blur", "motion_blur"),
    "light": ("uneven_light", "gamma", "colour_cast"),
}
"""Kinds of degradation by what goes wrong: the sensor, the optics, the lamp."""
KINDS = tuple(FAULTS)
"""Every kind of degradation."""
KINDS_IN_ORDER = tuple(kind for group in ("light", "blur", "noise") for kind in GROUPS[group])
"""Kinds in the order in which a microscope adds them: lamp, optics, sensor."""
