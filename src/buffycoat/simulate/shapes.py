"""Outlines of a rendered cell and its nucleus, as masks at twice the final size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.simulate.recipes import Nucleus, Recipe, Span

ANGLES = np.linspace(0.0, 2 * np.pi, 240, endpoint=False, dtype=np.float32)
SUBPIXEL_BITS = 4
EDGE_UM = 0.3
"""Least cytoplasm around a nucleus."""


@dataclass(frozen=True)
class Disk:
    """A circle in micrometres, relative to the field's top left corner."""

    x_um: float
    y_um: float
    radius_um: float


@dataclass(frozen=True)
class Canvas:
    """A square grid of `side_px` pixels at `scale` pixels a micrometre."""

    side_px: int
    scale: float

    def blank(self) -> np.ndarray:
        """Shape (side_px, side_px), uint8, zeros."""
        return np.zeros((self.side_px, self.side_px), np.uint8)

    def disk(self, layer: np.ndarray, disk: Disk, value: int = 255) -> None:
        """Draw a filled, anti-aliased disk onto a uint8 layer."""
        unit = self.scale * (1 << SUBPIXEL_BITS)
        centre = (round(disk.x_um * unit), round(disk.y_um * unit))
        radius = max(round(disk.radius_um * unit), 1)
        cv2.circle(layer, centre, radius, value, -1, cv2.LINE_AA, SUBPIXEL_BITS)

    def polar(self, centre: Disk, profile: np.ndarray, tilt: float, stretch: float) -> np.ndarray:
        """Fill a closed outline.

        Args:
            centre: Its centre and mean radius.
            profile: Radius at each of `ANGLES`, over the mean radius.
            tilt: Direction of the long axis, radians.
            stretch: Long axis over short axis; the area stays.

        Returns:
            Shape (side_px, side_px), uint8, 0 or 255.
        """
        reach = centre.radius_um * profile
        along = reach * np.cos(ANGLES - tilt) * np.sqrt(stretch)
        across = reach * np.sin(ANGLES - tilt) / np.sqrt(stretch)
        x = centre.x_um + along * np.cos(tilt) - across * np.sin(tilt)
        y = centre.y_um + along * np.sin(tilt) + across * np.cos(tilt)
        unit = self.scale * (1 << SUBPIXEL_BITS)
        points = np.rint(np.stack([x, y], axis=1) * unit).astype(np.int32)
        layer = self.blank()
        cv2.fillPoly(layer, [points], (255,), cv2.LINE_8, SUBPIXEL_BITS)
        return layer


def draw(span: Span, rng: np.random.Generator) -> float:
    """A uniform number from a span."""
    return float(rng.uniform(span[0], span[1]))


def draw_count(span: tuple[int, int], rng: np.random.Generator) -> int:
    """A uniform whole number from a span, both ends included."""
    return int(rng.integers(span[0], span[1] + 1))


def cell_mask(
    recipe: Recipe, body: Disk, pressing: list[Disk], canvas: Canvas, rng: np.random.Generator
) -> np.ndarray:
    """The cell's mask.

    Args:
        recipe: Its class.
        body: Its centre and mean radius.
        pressing: Red cells that press into it.
        canvas: The grid.
        rng: Randomness.

    Returns:
        Shape (side_px, side_px), uint8, 0 or 255; one piece.
    """
    profile = _waves(draw(recipe.waviness, rng), rng)
    count = draw_count(recipe.blebs, rng)
    for index in range(count):
        low, high = recipe.bleb_length
        length = draw((0.75 * high, high) if index == 0 else (low, high), rng)
        profile += _bump(rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.19), length, power=4)
    stretch = draw(recipe.elongation, rng)
    mask = canvas.polar(body, profile, rng.uniform(0, 2 * np.pi), stretch)
    for disk in pressing:
        canvas.disk(mask, Disk(disk.x_um, disk.y_um, disk.radius_um), 0)
    return _largest_piece(_smooth(mask, 0.25 * canvas.scale)) if pressing else mask


def nucleus_mask(
    nucleus: Nucleus, body: Disk, cell: np.ndarray, canvas: Canvas, rng: np.random.Generator
) -> np.ndarray:
    """The nucleus's mask, inside the cell with at least `EDGE_UM` of cytoplasm around it.

    Args:
        nucleus: Its shape.
        body: The cell's centre and mean radius.
        cell: The cell's mask.
        canvas: The grid.
        rng: Randomness.

    Returns:
        Shape (side_px, side_px), uint8, 0 or 255; not empty.
    """
    size = draw(nucleus.size, rng)
    direction = rng.uniform(0, 2 * np.pi)
    room = body.radius_um * (1 - size) if nucleus.lobes[1] == 0 else 0.22 * body.radius_um
    away = draw(nucleus.offset, rng) * room
    centre = Disk(
        body.x_um + away * np.cos(direction),
        body.y_um + away * np.sin(direction),
        body.radius_um * size,
    )
    if nucleus.lobes[1]:
        mask = _lobed(nucleus, centre, body.radius_um, canvas, rng)
    else:
        mask = _round(nucleus, centre, direction, canvas, rng)
    edge_px = max(round(EDGE_UM * canvas.scale), 1)
    inner = cv2.erode(cell, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * edge_px + 1,) * 2))
    return _smooth(cv2.bitwise_and(mask, inner), 0.2 * canvas.scale) & inner


def _round(
    nucleus: Nucleus, centre: Disk, direction: float, canvas: Canvas, rng: np.random.Generator
) -> np.ndarray:
    """Round, oval, indented or folded; the indentation faces the cell's middle."""
    facing = direction + np.pi + rng.normal(0.0, 0.3)
    profile = _waves(rng.uniform(0.01, 0.03), rng)
    profile -= _bump(facing, rng.uniform(0.35, 0.55), draw(nucleus.indent, rng))
    for _ in range(draw_count(nucleus.folds, rng)):
        turn = facing + rng.uniform(1.2, 5.0)
        profile -= _bump(turn, rng.uniform(0.2, 0.35), rng.uniform(0.12, 0.3))
    tilt = facing + np.pi / 2 + rng.normal(0.0, 0.2)
    return canvas.polar(centre, profile, tilt, draw(nucleus.elongation, rng))


def _lobed(
    nucleus: Nucleus, centre: Disk, cell_um: float, canvas: Canvas, rng: np.random.Generator
) -> np.ndarray:
    """Lobes along a bent spine, with bridges between them."""
    count = draw_count(nucleus.lobes, rng)
    bend, bridge = draw(nucleus.bend, rng), draw(nucleus.bridge, rng)
    start = rng.uniform(0, 2 * np.pi)
    turns = start + bend * (np.arange(count) / (count - 1) + rng.normal(0, 0.05, count))
    curve_um = (0.95 * cell_um - centre.radius_um) * rng.uniform(0.62, 0.88)
    away = curve_um * rng.uniform(0.85, 1.2, count)
    sizes = centre.radius_um * rng.uniform(0.8, 1.12, count) * (3 / max(count, 3)) ** 0.5
    along = np.linspace(0, count - 1, 16 * count)
    knots = np.arange(count)
    turn, distance = np.interp(along, knots, turns), np.interp(along, knots, away)
    swell = bridge + (1 - bridge) * np.abs(np.cos(np.pi * along)) ** 3
    radii = np.interp(along, knots, sizes) * swell
    layer = canvas.blank()
    for angle, reach, radius in zip(turn, distance, radii, strict=True):
        x, y = centre.x_um + reach * np.cos(angle), centre.y_um + reach * np.sin(angle)
        canvas.disk(layer, Disk(x, y, radius))
    return _roughen(layer, 1.3 * canvas.scale, 0.14, rng)


def _waves(amplitude: float, rng: np.random.Generator) -> np.ndarray:
    profile = np.ones_like(ANGLES)
    for order in range(2, 7):
        size = amplitude * rng.normal() * 2.0 / order
        profile += size * np.cos(order * ANGLES + rng.uniform(0, 2 * np.pi))
    return profile


def _bump(angle: float, width: float, height: float, power: int = 2) -> np.ndarray:
    """A swelling of the outline; a higher power gives a blunter tip and a steeper flank."""
    turn = np.angle(np.exp(1j * (ANGLES - angle)))
    return (height * np.exp(-((turn / width) ** power))).astype(np.float32)


def _smooth(mask: np.ndarray, sigma_px: float) -> np.ndarray:
    blurred = cv2.GaussianBlur(mask, (0, 0), max(sigma_px, 0.5))
    return np.where(blurred > 127, np.uint8(255), np.uint8(0))


def _roughen(
    mask: np.ndarray, grain_px: float, amount: float, rng: np.random.Generator
) -> np.ndarray:
    """Move a mask's edge to and fro, as lobes are never perfect disks."""
    side = mask.shape[0]
    grain = rng.standard_normal((max(int(side / grain_px), 2),) * 2, dtype=np.float32)
    wide = cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC)
    blurred = cv2.GaussianBlur(mask, (0, 0), 0.35 * grain_px).astype(np.float32)
    return np.where(blurred > 115 + 255 * amount * wide, np.uint8(255), np.uint8(0))


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count <= 2:
        return mask
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.where(labels == largest, np.uint8(255), np.uint8(0))
