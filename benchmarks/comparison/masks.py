"""Masks of nucleus and cell: `segment` beside scikit-image's thresholds and watershed."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from benchmarks.comparison.rows import Place, Row, better_of, once
from benchmarks.segmentation import SIDE_PX, dice, read_pair
from scipy import ndimage
from skimage import color, feature, filters, measure, morphology
from skimage import segmentation as parts

from buffycoat.segment.stain import segment

CHANNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "green": lambda image: 255.0 - image[..., 1],
    "saturation": lambda image: color.rgb2hsv(image)[..., 1],
    "hematoxylin": lambda image: color.rgb2hed(image)[..., 0],
}
"""What is high where a cell is stained."""
LEAST_LOBE = 0.1
"""Of the largest nucleus, which a second lobe needs."""
APART_PX = 25
"""Between the middles of two cells, of a picture of `SIDE_PX`."""
MARGIN = 0.01
"""Of Dice."""


def by_skimage(image: np.ndarray, channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Nucleus and cell, bool (h, w): three levels by Otsu, then the watershed of the distances.

    The darkest level is the nucleus. Dark and middle level together are white and red cells, which
    the watershed parts; those that hold nucleus are the cell.
    """
    stain = filters.gaussian(CHANNELS[channel](image), 1)
    low, high = filters.threshold_multiotsu(stain, 3)
    nucleus = _lobes(morphology.opening(stain > high, morphology.disk(2)))
    mask = ndimage.binary_fill_holes(morphology.opening(stain > low, morphology.disk(3))) | nucleus
    distance = ndimage.distance_transform_edt(mask)
    peaks = feature.peak_local_max(distance, min_distance=APART_PX, labels=measure.label(mask))
    markers = np.zeros(mask.shape, dtype=int)
    markers[tuple(peaks.T)] = np.arange(2, len(peaks) + 2)
    markers[nucleus] = 1
    return nucleus, parts.watershed(-distance, markers, mask=mask) == 1


def _lobes(mask: np.ndarray) -> np.ndarray:
    labels = measure.label(mask)
    sizes = np.bincount(labels.ravel())
    if len(sizes) < 2:
        return mask
    sizes[0] = 0
    return (sizes >= LEAST_LOBE * sizes.max())[labels] & mask


def compare(place: Place) -> dict[str, Any]:
    """Tool -> mean Dice of nucleus and cell, and milliseconds of processor time a cell."""
    ways: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {"buffycoat": _ours}
    ways |= {name: lambda image, name=name: by_skimage(image, name) for name in CHANNELS}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for path in sorted((place.shared / "seg-wbc").glob("*_mask.png")):
        image, truth = read_pair(path.with_name(path.name.replace("_mask", "")))
        for name, way in ways.items():  # by turns, so that all meet one load
            began = time.process_time()
            nucleus, cell = way(image)
            took_ms = 1000 * (time.process_time() - began)
            found[name].append((dice(nucleus, truth == 2), dice(cell, truth > 0), took_ms))
    return {
        name: {
            "nucleus": float(np.mean([row[0] for row in of])),
            "cell": float(np.mean([row[1] for row in of])),
            "ms": float(np.median([row[2] for row in of])),
            "cells": len(of),
        }
        for name, of in found.items()
    }


def _ours(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    masks = segment(image)
    return masks.nucleus, masks.cell


def rows(place: Place) -> list[Row]:
    """Dice and time beside the best of scikit-image's channels for each."""
    found = once(place.work / "masks.json", lambda: compare(place))
    ours = found["buffycoat"]
    made = []
    for part in ("nucleus", "cell"):
        best = max(CHANNELS, key=lambda name: found[name][part])
        made.append(
            Row(
                "masks",
                f"mean Dice of the {part}, expert masks, seg-wbc, n = {ours['cells']}",
                f"scikit-image {version('scikit-image')}, Otsu and watershed of {best}, the best "
                f"of {len(CHANNELS)} channels on these cells",
                f"{ours[part]:.3f}",
                f"{found[best][part]:.3f}",
                better_of(ours[part], found[best][part], MARGIN, is_higher_better=True),
                "run",
                "trained networks; our constants were set with other cells in sight, "
                "scikit-image's channel is picked on these",
            )
        )
    fastest = min(CHANNELS, key=lambda name: found[name]["ms"])
    made.append(
        Row(
            "masks",
            f"processor time a cell at {SIDE_PX} px",
            f"scikit-image {version('scikit-image')}, {fastest}",
            f"{ours['ms']:.0f} ms",
            f"{found[fastest]['ms']:.0f} ms",
            better_of(ours["ms"], found[fastest]["ms"], 1, is_higher_better=False),
            "run",
        )
    )
    return made
