"""Rare cells on other cells' backgrounds.

CutMix of the tail (CMO: Park et al., arXiv 2112.00412) with the cell's own mask in place of a
rectangle: a rare cell, as it is, replaces the cell of another photograph. Its label is the label of
the picture, so no target is mixed.
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.simulate.faults import to_uint8

RIM_SHARE = 0.02
"""Rim around the pasted cell that fades into the background, as a share of the image's side."""
MAX_VISIBLE = 0.1
"""Share of the covered cell that may stick out; where more would, the rare cell is shown on its own
background."""
GAIN = (0.6, 1.6)
"""Least and largest factor on a channel that fits the pasted cell to the background's light."""


def donor_shares(counts: np.ndarray) -> np.ndarray:
    """How often each class gives the pasted cell: 1/n, as CMO has it.

    Args:
        counts: Training cells of each class, shape (k,).

    Returns:
        Shape (k,), sum 1; 0 for a class without cells.
    """
    weights = np.where(counts > 0, 1 / np.maximum(counts, 1), 0.0)
    return weights / weights.sum()


def paste(
    host: np.ndarray, host_cell: np.ndarray, donor: np.ndarray, donor_cell: np.ndarray
) -> np.ndarray:
    """The donor's cell in place of the host's.

    Args:
        host: Working image that gives the background, shape (w, w, 3), uint8.
        host_cell: Mask of its cell, shape (w, w), bool.
        donor: Image that gives the cell, same shape as `host`.
        donor_cell: Mask of its cell.

    Returns:
        Shape (w, w, 3), uint8. The donor unchanged where a mask is empty or too much of the host's
        cell would stay visible.
    """
    if not host_cell.any() or not donor_cell.any():
        return donor
    rim_px = max(1, round(RIM_SHARE * host.shape[0]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim_px + 1, 2 * rim_px + 1))
    cover = cv2.dilate(donor_cell.astype(np.uint8), kernel)
    visible = (host_cell & (cover == 0)).sum()
    if visible > MAX_VISIBLE * host_cell.sum():
        return donor
    lit = donor.astype(np.float32) * _gain(host, host_cell, donor, donor_cell)
    soft = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), rim_px / 2)[..., None]
    return to_uint8(soft * lit + (1 - soft) * host)


def on_background(
    image: np.ndarray, cell: np.ndarray, other: np.ndarray, other_cell: np.ndarray
) -> np.ndarray:
    """A cell on the background of another picture, or on a plain one.

    The other picture's cell is painted over with its median background first, so that a ring of
    plain background may show around a smaller cell.

    Args:
        image: Working image that gives the cell, shape (w, w, 3), uint8.
        cell: Its mask, shape (w, w), bool.
        other: Image that gives the background, same shape as `image`.
        other_cell: Mask of the cell to be painted over; all True for a plain background.

    Returns:
        Shape (w, w, 3), uint8. `image` unchanged where its mask is empty or holds all of it.
    """
    if not cell.any() or cell.all():
        return image
    plain = np.median(other[~other_cell] if not other_cell.all() else image[~cell], axis=0)
    covered = _soft(other_cell)
    scene = covered * plain.astype(np.float32) + (1 - covered) * other
    lit = image.astype(np.float32) * _gain(other, other_cell, image, cell)
    soft = _soft(cell)
    return to_uint8(soft * lit + (1 - soft) * scene)


def _soft(cell: np.ndarray) -> np.ndarray:
    """A mask with a rim, fading, shape (w, w, 1), float32, 0 to 1."""
    rim_px = max(1, round(RIM_SHARE * len(cell)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim_px + 1, 2 * rim_px + 1))
    cover = cv2.dilate(cell.astype(np.uint8), kernel).astype(np.float32)
    return cv2.GaussianBlur(cover, (0, 0), rim_px / 2)[..., None]


def _gain(
    host: np.ndarray, host_cell: np.ndarray, donor: np.ndarray, donor_cell: np.ndarray
) -> np.ndarray:
    """Factor on each channel that gives both backgrounds one colour, shape (3,)."""
    if host_cell.all() or donor_cell.all():
        return np.ones(3, dtype=np.float32)
    wanted, present = np.median(host[~host_cell], axis=0), np.median(donor[~donor_cell], axis=0)
    return np.clip(wanted / np.maximum(present, 1), *GAIN).astype(np.float32)
