"""Affine warps between two pictures, in fractions of the frame, so that they hold at any size.

A warp has shape (2, 3) and takes a position in the first picture to that in the second.
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.audit.perceptual import Place


def of_orientation(orientation: int) -> np.ndarray:
    """The warp from a picture in an orientation, as `perceptual.orient` counts, to itself."""
    x = [-1.0, 0.0, 1.0] if orientation & 1 else [1.0, 0.0, 0.0]
    y = [0.0, -1.0, 1.0] if orientation & 2 else [0.0, 1.0, 0.0]
    warp = np.array([x, y])
    return warp[:, [1, 0, 2]] if orientation & 4 else warp


def of_cells(orientation: int, first: Place, second: Place) -> np.ndarray:
    """The warp that lays one cell on the other, the second turned to an orientation."""
    linear = of_orientation(orientation)[:, :2] * (second.radius / first.radius)
    shift = np.array([second.x, second.y]) - linear @ np.array([first.x, first.y])
    return np.column_stack([linear, shift])


def of_window(orientation: int, x: float, y: float, side: float) -> np.ndarray:
    """The warp to a picture that, turned, fills a square window of the first.

    Args:
        orientation: Of the second.
        x: Left end of the window.
        y: Upper end.
        side: Of the window.
    """
    inside = np.array([[1 / side, 0.0, -x / side], [0.0, 1 / side, -y / side], [0.0, 0.0, 1.0]])
    return of_orientation(orientation) @ inside


def invert(warp: np.ndarray) -> np.ndarray:
    """The warp from the second picture to the first."""
    return np.linalg.inv(np.vstack([warp, [0.0, 0.0, 1.0]]))[:2]


def scale_of(warp: np.ndarray) -> float:
    """Side that the first frame has in the second picture."""
    return float(np.sqrt(abs(np.linalg.det(warp[:, :2]))))


def tilt_of(warp: np.ndarray) -> float:
    """How far a warp turns or shears, besides one of the eight orientations; 0 if not at all."""
    linear = np.abs(warp[:, :2])
    straight = min(linear[0, 1] + linear[1, 0], linear[0, 0] + linear[1, 1]) / 2
    return float(straight) / scale_of(warp)


def nearest_orientation(warp: np.ndarray) -> int:
    """The orientation, 0 to 7, that a warp comes nearest to."""
    linear = warp[:, :2]
    return int(np.argmax([np.sum(linear * of_orientation(o)[:, :2]) for o in range(8)]))


def turn_of(warp: np.ndarray) -> tuple[bool, float]:
    """Whether a warp mirrors, and by how many degrees it turns, -180 to 180.

    Which axis a picture was mirrored at cannot be told from the turn that follows: of a mirrored
    one the turn is given from the nearest axis of the frame, -45 to 45.
    """
    (a, b), (c, d) = warp[:, :2]
    if a * d >= b * c:
        return False, float(np.degrees(np.arctan2(c - b, a + d)))
    turn = np.degrees(np.arctan2(c + b, a - d)) % 90
    return True, float(turn - 90 if turn > 45 else turn)


def centre_shift(warp: np.ndarray) -> float:
    """How far a warp takes the centre of the frame from the other's, at most along an axis."""
    return float(np.abs(warp @ [0.5, 0.5, 1.0] - 0.5).max())


def corner_shift(warp: np.ndarray, other: np.ndarray) -> float:
    """How far apart two warps take a corner of the frame, at most along an axis."""
    corners = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=np.float64)
    return float(np.abs(corners @ (warp - other).T).max())


def to_pixels(warp: np.ndarray, side: int) -> np.ndarray:
    """The warp between pixel indices of two pictures of one side."""
    linear = warp[:, :2]
    return np.column_stack([linear, 0.5 * linear.sum(axis=1) + side * warp[:, 2] - 0.5])


def from_pixels(pixels: np.ndarray, side: int) -> np.ndarray:
    """The inverse of `to_pixels`."""
    linear = pixels[:, :2].astype(np.float64)
    return np.column_stack([linear, (pixels[:, 2] + 0.5 - 0.5 * linear.sum(axis=1)) / side])


def lay_over(second: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The second picture as it lies over a first of its side, and where it covers it.

    Args:
        second: Shape (w, w), float32.
        warp: From the first to the second.

    Returns:
        Shape (w, w), float32, and shape (w, w), bool.
    """
    side = len(second)
    pixels = to_pixels(warp, side)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (side, side)
    laid = cv2.warpAffine(second, pixels, size, flags=how, borderMode=cv2.BORDER_REFLECT_101)
    # The border is left out: half a pixel beyond the last centre is still the picture.
    whole = np.pad(np.ones((side, side), np.float32), 1, mode="edge")
    shifted = to_pixels(warp, side) + np.array([[0, 0, 1], [0, 0, 1]])
    covered = cv2.warpAffine(whole, shifted, size, flags=how, borderValue=0)
    return laid, covered > 0.999
