"""What a photograph looks like, in a few numbers that do not ask what cell it shows."""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.sites.colour import OFFSET, measure

FEATURES = {
    "colour": ("white_red", "white_green", "white_blue", "stain_red", "stain_green", "stain_blue"),
    "sharpness": ("fine", "finer_than_half"),
    "scale": ("white_cell",),
    "network": (),
}
"""Group -> its numbers, all of them logarithms. The network's are the classifier's logits, one a
class, and are not measured here."""
FLOOR = 1e-3
GOOD_OUTLINE = 0.5
"""Quality of masks from which the areas of cells are believed."""


def colour_and_sharpness(images: np.ndarray) -> dict[str, np.ndarray]:
    """Two groups of `FEATURES`.

    Args:
        images: Working images, shape (n, w, w, 3), uint8, RGB.

    Returns:
        "colour": logarithms of the white, in gray levels, and of the strength, shape (n, 6);
        "sharpness": of the spread of the Laplacian of the green density over that strength, and of
        the same over that of the image at half its size, shape (n, 2).
    """
    found = measure(images)
    strength = np.maximum(found.strength, FLOOR)
    colour = np.hstack([np.log(found.white + OFFSET), np.log(strength)])
    edges = np.array([_edges(image) for image in images]).reshape(len(images), 2)
    fine, half = np.log(np.maximum(edges, FLOOR)).T
    return {
        "colour": colour,
        "sharpness": np.stack([fine - np.log(strength[:, 1]), fine - half], axis=1),
    }


def scale(cell_areas: np.ndarray) -> np.ndarray:
    """The group "scale".

    Args:
        cell_areas: Of the white cells as a share of the image, shape (n,); NaN where none is found.

    Returns:
        Logarithm of the diameter as a share of the side, shape (n, 1); NaN where there is none.
    """
    return np.log(2 * np.sqrt(np.maximum(cell_areas, FLOOR**2) / np.pi))[:, None]


def _edges(image: np.ndarray) -> tuple[float, float]:
    green = np.log(image[..., 1].astype(np.float32) + OFFSET)
    # As in the measure of blur by the variance of the Laplacian (Pech-Pacheco et al. 2000).
    half = cv2.resize(green, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    spread = (float(cv2.Laplacian(part, cv2.CV_32F).std()) for part in (green, half))
    return next(spread), next(spread)
