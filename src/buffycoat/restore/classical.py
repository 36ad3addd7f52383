"""Restorers that learn nothing: non-local means, flat-field correction, Wiener deconvolution.

Each reads what it needs (noise, light, blur) from the image itself and leaves an image alone where
it finds none of its fault. They are the rivals that a trained restorer has to beat. Constants
without a source are ours, chosen by PSNR on PBC-LT's pristine phase1 cells, degraded one kind at a
time by `simulate.degrade`, at 224 px.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from buffycoat.restore.one_by_one import Progress, one_by_one

PATCH_PX = 5
SEARCH_REACH_PX = 6
"""Side of the patches that non-local means compares, and how far away it looks for them."""
FILTER_STRENGTH = 0.8
"""Over the noise's standard deviation."""
MIN_SIGMA = 3.0
"""Gray levels; clean cells have 0.2 to 0.5, and what JPEG at quality 70 adds stays below."""
SPECK_LEVELS = 45
"""A pixel this far from its 3x3 median is a speck of salt or pepper."""
MIN_SPECK_SHARE = 5e-4

WHITES = ((254.0, 229.0, 203.0), (240.0, 230.0, 236.0))
"""Free background of PBC-LT's pristine cells, as photographed: 98 % of phase1 have the first
(mean of the 90th percentiles; standard deviations 3, 2 and 4), the others the second. An image
whose own white is near neither is given the first."""
WHITE_TOLERANCE = 0.04
"""Relative distance from one of `WHITES` within which an image's own white is believed."""
FLAT_TOLERANCE = 0.1
"""Relative fall of the light over the image that still counts as flat; half of the clean cells
show 0.06, since cells hide the background."""
TILES = 12
TILE_PERCENTILE = 92
"""The level of a tile, one of `TILES` x `TILES`: its background, if any of it is free."""
EXPECTILE = 0.99
"""The surface follows the brightest tiles: darker ones, which cells fill, weigh 1 %."""
FITTING_ROUNDS = 20
WHITE_PERCENTILE = 95
MIN_LIGHT = 0.15
"""No place is taken for darker than this share of the brightest."""

EDGE_SIGMAS_PX = (1.0, 2.2)
EDGE_PERCENTILE = 98
SHARP_PX = 1.4
"""Blur of the steepest edges of a clean cell, which are not steps: the median is 1.2."""
BLUR_SHARE = 0.75
"""Share of the remaining blur that is undone; all of it would overshoot where it is no Gaussian."""
MIN_BLUR_PX = 0.7
MAX_BLUR_PX = 6.0
BALANCE = 0.02
BALANCE_OF_NOISE = 0.01
"""Weight of smoothness in Wiener's filter: without noise, and for each squared gray level of it."""
_RING_PX = 8
_CURVATURE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6


class Classical(ABC):
    """Corrects one image after another; nothing is carried over."""

    name: str

    @abstractmethod
    def correct(self, image: np.ndarray) -> np.ndarray:
        """The corrected image, shape (h, w, 3), uint8, as the given one."""

    def restore(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Corrected images.

        Args:
            images: Shape (n, h, w, 3), uint8, RGB, of any size from 16 px.
            on_progress: Called with (images done, n).

        Returns:
            Same shape, uint8.

        Raises:
            ShapeError: Not such images.
        """
        return one_by_one(images, self.correct, on_progress)

    def to_dict(self) -> dict[str, Any]:
        """The name alone."""
        return {"name": self.name}

    def to_tensors(self) -> dict[str, np.ndarray]:
        """No weights."""
        return {}


class NonLocalMeans(Classical):
    """Takes specks and noise away (Buades, Coll and Morel, CVPR 2005)."""

    name = "non_local_means"

    def correct(self, image: np.ndarray) -> np.ndarray:
        """The image without noise, or a copy where there is less than `MIN_SIGMA`."""
        from skimage.restoration import denoise_nl_means

        calm = _without_specks(image)
        sigma = noise_sigma(calm)
        if sigma.max() < MIN_SIGMA:
            return calm
        # Channels differ in noise, and the filter takes one figure: each is brought to it.
        scale = np.maximum(sigma, 0.3 * sigma.max())
        level = float(np.sqrt(np.mean((sigma / scale) ** 2)))
        smooth = denoise_nl_means(
            calm / scale,
            patch_size=PATCH_PX,
            patch_distance=SEARCH_REACH_PX,
            h=FILTER_STRENGTH * level,
            sigma=level,
            fast_mode=True,
            channel_axis=-1,
        )
        return _to_uint8(smooth * scale)


class FlatField(Classical):
    """Divides by the light, fitted to the free background, and brings that to a known white.

    Args:
        whites: The backgrounds that count as undisturbed, gray levels (red, green, blue); the
            first is the one that other images are brought to.
    """

    name = "flat_field"

    def __init__(self, whites: Sequence[Sequence[float]] = WHITES) -> None:
        self.whites = np.array(whites, dtype=np.float64)

    def correct(self, image: np.ndarray) -> np.ndarray:
        """The image under even, white light, or a copy where it has that."""
        light = background(image)
        own = np.percentile(light, WHITE_PERCENTILE, axis=(0, 1))
        is_white = bool((np.abs(own / self.whites - 1).max(axis=1) < WHITE_TOLERANCE).any())
        is_flat = float((1 - light.min(axis=(0, 1)) / light.max(axis=(0, 1))).max())
        if is_flat < FLAT_TOLERANCE:
            if is_white:
                return image.copy()
            light = np.median(light, axis=(0, 1))
        return _to_uint8(image / light * (own if is_white else self.whites[0]))

    def to_dict(self) -> dict[str, Any]:
        """The name and the whites."""
        return {"name": self.name, "whites": self.whites.tolist()}


class Wiener(Classical):
    """Undoes a blur that is estimated from the steepest edges and taken for a Gaussian.

    Wiener's filter with a Laplacian as the smoothness (Orieux, Giovannelli and Rodet, JOSA A 27,
    2010), as scikit-image has it.
    """

    name = "wiener"

    def correct(self, image: np.ndarray) -> np.ndarray:
        """The sharpened image, or a copy where there is no blur."""
        from skimage.restoration import wiener

        beyond = max(edge_blur_px(image) ** 2 - SHARP_PX**2, 0.0)
        blur_px = min(BLUR_SHARE * beyond**0.5, MAX_BLUR_PX)
        if blur_px < MIN_BLUR_PX:
            return image.copy()
        balance = BALANCE + BALANCE_OF_NOISE * float(noise_sigma(image).mean()) ** 2
        reach = int(np.ceil(3 * blur_px))
        line = cv2.getGaussianKernel(2 * reach + 1, blur_px)
        edge = reach + _RING_PX
        wide = np.pad(image, ((edge, edge), (edge, edge), (0, 0)), mode="reflect") / 255.0
        psf = line @ line.T
        sharp = [np.asarray(wiener(wide[..., c], psf, balance, clip=False)) for c in range(3)]
        return _to_uint8(255.0 * np.stack(sharp, axis=-1)[edge:-edge, edge:-edge])


def noise_sigma(image: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise in each channel, in gray levels.

    The curvature filter of Immerkaer (Computer Vision and Image Understanding 64, 1996), with a
    median in place of the mean, so that edges do not count.

    Args:
        image: Shape (h, w, 3), uint8.

    Returns:
        Shape (3,).
    """
    size = np.abs(cv2.filter2D(image, cv2.CV_32F, _CURVATURE))[1:-1, 1:-1]
    return np.median(size, axis=(0, 1)).astype(np.float64) / 0.6745


def edge_blur_px(image: np.ndarray) -> float:
    """Blur of the steepest edges, as the standard deviation of a Gaussian, in pixels.

    The gradient of a blurred step falls when it is blurred more, by a ratio that tells how much it
    was blurred before (Zhuo and Sim, Pattern Recognition 44, 2011).

    Args:
        image: Shape (h, w, 3), uint8.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, coarse = (_gradient(gray, sigma_px) for sigma_px in EDGE_SIGMAS_PX)
    steep = fine >= np.percentile(fine, EDGE_PERCENTILE)
    ratio = float(np.median(fine[steep] / np.maximum(coarse[steep], 1e-3))) ** 2
    small, large = (sigma_px**2 for sigma_px in EDGE_SIGMAS_PX)
    return max((large - ratio * small) / max(ratio - 1.0, 1e-3), 0.0) ** 0.5


def background(image: np.ndarray) -> np.ndarray:
    """The light that falls on each place: a quadratic surface through the free background.

    Args:
        image: Shape (h, w, 3), uint8.

    Returns:
        Shape (h, w, 3), float64, gray levels > 0.
    """
    calm = cv2.medianBlur(image, 5)
    rows, columns = (np.array_split(np.arange(side), TILES) for side in image.shape[:2])
    rows, columns = ([part for part in parts if len(part)] for parts in (rows, columns))
    levels = np.array(
        [
            np.percentile(calm[r[0] : r[-1] + 1, c[0] : c[-1] + 1], TILE_PERCENTILE, axis=(0, 1))
            for r in rows
            for c in columns
        ]
    )
    height, width = image.shape[:2]
    design = _terms([r.mean() for r in rows], [c.mean() for c in columns], height, width)
    weights = np.ones(len(levels))
    coefficients = np.zeros((design.shape[1], 3))
    for _ in range(FITTING_ROUNDS):
        root = np.sqrt(weights)[:, None]
        coefficients = np.linalg.lstsq(design * root, levels * root, rcond=None)[0]
        above = ((levels - design @ coefficients) / (levels.mean(axis=0) + 1)).mean(axis=1)
        weights = np.where(above > 0, EXPECTILE, 1 - EXPECTILE)
    everywhere = _terms(np.arange(height), np.arange(width), height, width)
    light = (everywhere @ coefficients).reshape(height, width, 3)
    return np.maximum(light, np.maximum(MIN_LIGHT * light.max(axis=(0, 1)), 1.0))


def _terms(
    rows: Sequence[float] | np.ndarray,
    columns: Sequence[float] | np.ndarray,
    height: int,
    width: int,
) -> np.ndarray:
    """1, x, y, x^2, xy, y^2 at each crossing of rows and columns, shape (n, 6); -1 < x, y < 1."""
    y, x = np.meshgrid(
        (2 * np.asarray(rows) + 1) / height - 1,
        (2 * np.asarray(columns) + 1) / width - 1,
        indexing="ij",
    )
    x, y = x.ravel(), y.ravel()
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def _without_specks(image: np.ndarray) -> np.ndarray:
    """A copy with lone pixels replaced by the median around them, unless all is noise."""
    if 4 * noise_sigma(image).max() > SPECK_LEVELS:
        return image.copy()
    calm = cv2.medianBlur(image, 3)
    is_speck = cv2.absdiff(image, calm).max(axis=2) > SPECK_LEVELS
    if is_speck.mean() < MIN_SPECK_SHARE:
        return image.copy()
    return np.where(is_speck[..., None], calm, image)


def _gradient(gray: np.ndarray, sigma_px: float) -> np.ndarray:
    smooth = cv2.GaussianBlur(gray, (0, 0), sigma_px)
    return np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


CLASSICAL: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Classical]] = {
    "non_local_means": lambda settings, tensors: NonLocalMeans(),
    "flat_field": lambda settings, tensors: FlatField(settings.get("whites", WHITES)),
    "wiener": lambda settings, tensors: Wiener(),
}
"""Name -> factory from what `to_dict` and `to_tensors` gave."""
