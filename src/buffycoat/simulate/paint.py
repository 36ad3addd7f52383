"""Colour and texture of a rendered field: red cells, platelets, cytoplasm, chromatin, granules."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.simulate.recipes import Colour, Granules, Nucleus, Recipe
from buffycoat.simulate.shapes import SUBPIXEL_BITS, Canvas, Disk, draw, draw_count

CREAM = (252.0, 229.0, 204.0)
RED_CELL_ABSORBANCE = (0.27, 0.37, 0.25)
"""Of a red cell's thick ring, per channel; overlapping cells add up (Beer-Lambert)."""
PALE_CHROMATIN = (176, 128, 178)
NUCLEOLUS = (142, 122, 196)
HALO = (204, 186, 212)
PLATELET = (178, 142, 188)
PLATELET_GRAIN = (108, 58, 138)


@dataclass(frozen=True)
class Stain:
    """How one slide was stained: per-channel factors on nucleus, cytoplasm and background."""

    nucleus: np.ndarray
    cytoplasm: np.ndarray
    background: np.ndarray

    @classmethod
    def random(cls, rng: np.random.Generator) -> Stain:
        """A stain near the usual one."""
        shared = 1.0 + rng.normal(0.0, 0.02, 3)
        own = 1.0 + rng.normal(0.0, 0.045, (2, 3))
        strength = rng.uniform(0.85, 1.2)
        return cls(shared * own[0] * strength, shared * own[1], 1.0 + rng.normal(0, 0.008, 3))


def field(
    red_cells: list[Disk], canvas: Canvas, stain: Stain, rng: np.random.Generator
) -> np.ndarray:
    """Background with red cells and platelets.

    Args:
        red_cells: Where the red cells lie.
        canvas: The grid.
        stain: Colours.
        rng: Randomness.

    Returns:
        Shape (side_px, side_px, 3), float32, 0-255.
    """
    half = canvas.side_px // 2
    absorbance = np.zeros((half, half), np.float32)
    pallor = rng.uniform(0.5, 0.95)
    for disk in red_cells:
        _add_red_cell(absorbance, disk, pallor, canvas.scale / 2, rng)
    tint = np.array(RED_CELL_ABSORBANCE) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.015, 3)
    colour = np.exp(-absorbance[..., None] * tint.astype(np.float32))
    colour *= np.minimum(np.array(CREAM) * stain.background, 255.0).astype(np.float32)
    wide = cv2.resize(colour, (canvas.side_px,) * 2, interpolation=cv2.INTER_LINEAR)
    for _ in range(int(rng.poisson(0.5))):
        _add_platelet(wide, canvas, rng)
    return wide


def _add_red_cell(
    absorbance: np.ndarray, disk: Disk, pallor: float, scale: float, rng: np.random.Generator
) -> None:
    """Add one biconcave disk: thick ring, thin middle, soft edge."""
    x, y, reach = disk.x_um * scale, disk.y_um * scale, disk.radius_um * scale * 1.25
    side = absorbance.shape[0]
    left, top = max(int(x - reach), 0), max(int(y - reach), 0)
    right, bottom = min(int(x + reach) + 2, side), min(int(y + reach) + 2, side)
    if left >= right or top >= bottom:
        return
    dy = (np.arange(top, bottom, dtype=np.float32) - y)[:, None] / (disk.radius_um * scale)
    dx = (np.arange(left, right, dtype=np.float32) - x)[None] / (disk.radius_um * scale)
    tilt, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.12)
    along = (dx * np.cos(tilt) + dy * np.sin(tilt)) / np.float32(stretch)
    across = (dy * np.cos(tilt) - dx * np.sin(tilt)) * np.float32(stretch)
    square = along**2 + across**2
    edge = np.clip((1.0 - np.sqrt(square)) * disk.radius_um * scale / 1.6, 0.0, 1.0)
    dimple = pallor * rng.uniform(0.6, 1.1) * np.exp(-((square / np.float32(0.25)) ** 1.5))
    absorbance[top:bottom, left:right] += edge * (1.0 - dimple)


def _add_platelet(colour: np.ndarray, canvas: Canvas, rng: np.random.Generator) -> None:
    """A pale lilac scrap with darker grains in its middle."""
    radius = rng.uniform(0.8, 1.5)
    side = int(4 * radius * canvas.scale)
    top, left = rng.integers(0, canvas.side_px - side, 2)
    patch = Canvas(side, canvas.scale)
    scrap, grains = patch.blank(), patch.blank()
    for _ in range(8):
        x, y = 2 * radius + rng.normal(0, radius / 4, 2)
        patch.disk(scrap, Disk(x, y, radius * rng.uniform(0.5, 0.75)), 150)
        x, y = 2 * radius + rng.normal(0, radius / 3, 2)
        patch.disk(grains, Disk(x, y, radius * rng.uniform(0.1, 0.22)), 200)
    here = colour[top : top + side, left : left + side]
    blend(here, PLATELET, soften(scrap, 0.15 * canvas.scale))
    blend(here, PLATELET_GRAIN, soften(grains, 0.1 * canvas.scale))


def cell(
    colour: np.ndarray,
    masks: tuple[np.ndarray, np.ndarray],
    recipe: Recipe,
    canvas: Canvas,
    stain: Stain,
    rng: np.random.Generator,
) -> None:
    """Paint a cell onto a field, in place.

    Args:
        colour: Shape (h, w, 3), float32: the field, cut to the cell's window.
        masks: Cell and nucleus, each (h, w), uint8, 0 or 255.
        recipe: The cell's class.
        canvas: Gives the scale.
        stain: Colours.
        rng: Randomness.
    """
    whole, nucleus = masks
    plasm = cv2.subtract(whole, nucleus)
    body = _cytoplasm(masks, recipe, canvas, stain, rng)
    chromatin = _chromatin(nucleus, recipe.nucleus, canvas, stain, rng)
    weight = soften(nucleus, 0.10 * canvas.scale)[..., None]
    body += (chromatin - body) * weight
    _add_vacuoles(body, plasm, draw_count(recipe.vacuoles, rng), canvas, rng)
    for granules in recipe.granules:
        tinted = _tinted(granules.colour, stain.cytoplasm)
        blend(body, tinted, _granule_layer(granules, plasm, nucleus, canvas, rng))
    colour += (body - colour) * soften(whole, 0.10 * canvas.scale)[..., None]


def _cytoplasm(
    masks: tuple[np.ndarray, np.ndarray],
    recipe: Recipe,
    canvas: Canvas,
    stain: Stain,
    rng: np.random.Generator,
) -> np.ndarray:
    whole = masks[0]
    depth_um = cv2.distanceTransform(whole, cv2.DIST_L2, 3) / canvas.scale
    base = _tinted(recipe.cytoplasm, stain.cytoplasm)
    mottle = texture(whole.shape, 0.5 * canvas.scale, rng) * 0.7
    mottle += texture(whole.shape, 2.2 * canvas.scale, rng) * 0.6
    body = base * (1.0 + np.float32(recipe.mottle) * mottle)[..., None]
    rim = draw(recipe.rim_strength, rng) * np.exp(-depth_um / np.float32(rng.uniform(0.5, 1.0)))
    blend(body, _tinted(recipe.rim, stain.cytoplasm), rim)
    halo = draw(recipe.halo, rng)
    if halo > 0:
        blend(body, _tinted(HALO, stain.cytoplasm), halo * _beside_nucleus(masks, canvas))
    return body


def _beside_nucleus(masks: tuple[np.ndarray, np.ndarray], canvas: Canvas) -> np.ndarray:
    """Weight 0-1 of the Golgi zone: against the nucleus, on the side of the cell's middle."""
    whole, nucleus = masks
    gap_um = cv2.distanceTransform(cv2.bitwise_not(nucleus), cv2.DIST_L2, 3) / canvas.scale
    inner, outer = _centre(nucleus), _centre(whole)
    direction = (outer - inner) / max(float(np.hypot(*(outer - inner))), 1e-6)
    y, x = np.indices(whole.shape, dtype=np.float32)
    x, y = x - inner[0], y - inner[1]
    facing = (x * direction[0] + y * direction[1]) / np.maximum(np.hypot(x, y), 1.0)
    return np.exp(-((gap_um / 1.7) ** 2)) * np.clip(0.35 + 0.75 * facing, 0.0, 1.0)


def _centre(mask: np.ndarray) -> np.ndarray:
    moments = cv2.moments(mask, binaryImage=True)
    return np.array([moments["m10"], moments["m01"]]) / max(moments["m00"], 1.0)


def _chromatin(
    mask: np.ndarray,
    nucleus: Nucleus,
    canvas: Canvas,
    stain: Stain,
    rng: np.random.Generator,
) -> np.ndarray:
    grain = texture(mask.shape, nucleus.grain_um * canvas.scale, rng)
    grain += 0.5 * texture(mask.shape, 0.3 * canvas.scale, rng)
    depth_um = cv2.distanceTransform(mask, cv2.DIST_L2, 3) / canvas.scale
    if nucleus.spokes:
        x, y = _centre(mask)
        rows, columns = np.indices(mask.shape, dtype=np.float32)
        turn = np.arctan2(rows - np.float32(y), columns - np.float32(x))
        spokes = np.cos(rng.integers(6, 9) * turn + rng.uniform(0, 2 * np.pi) + 0.6 * grain)
        grain += np.float32(2.0 * nucleus.spokes) * spokes * (depth_um < 0.8 * depth_um.max())
    pale = 1.0 / (1.0 + np.exp(-3.0 * (grain - np.float32(0.7))))
    pale *= 1.0 - 0.85 * np.exp(-depth_um / np.float32(0.35))
    body = np.empty((*mask.shape, 3), np.float32)
    body[:] = _tinted(nucleus.colour, stain.nucleus)
    blend(body, _tinted(PALE_CHROMATIN, stain.nucleus), draw(nucleus.contrast, rng) * pale)
    _add_nucleoli(body, depth_um, nucleus, canvas, stain, rng)
    return body


def _add_nucleoli(
    body: np.ndarray,
    depth_um: np.ndarray,
    nucleus: Nucleus,
    canvas: Canvas,
    stain: Stain,
    rng: np.random.Generator,
) -> None:
    layer = np.zeros(depth_um.shape, np.uint8)
    for _ in range(draw_count(nucleus.nucleoli, rng)):
        radius = draw(nucleus.nucleolus_um, rng)
        y, x = _places(np.where(depth_um > radius + 0.4, 255, 0).astype(np.uint8), 1, rng)
        for row, column in zip(y, x, strict=True):
            disk = Disk(column / canvas.scale, row / canvas.scale, radius)
            canvas.disk(layer, disk, int(rng.integers(150, 225)))
    blend(body, _tinted(NUCLEOLUS, stain.nucleus), soften(layer, 0.2 * canvas.scale))


def _add_vacuoles(
    body: np.ndarray, plasm: np.ndarray, count: int, canvas: Canvas, rng: np.random.Generator
) -> None:
    layer = np.zeros(plasm.shape, np.uint8)
    inside = cv2.erode(plasm, np.ones((3, 3), np.uint8), iterations=max(round(canvas.scale / 4), 1))
    for y, x in zip(*_places(inside, count, rng), strict=True):
        disk = Disk(x / canvas.scale, y / canvas.scale, rng.uniform(0.25, 0.75))
        canvas.disk(layer, disk, int(rng.integers(130, 230)))
    blend(body, (240, 224, 220), soften(cv2.min(layer, plasm), 0.08 * canvas.scale))


def _granule_layer(
    granules: Granules,
    plasm: np.ndarray,
    nucleus: np.ndarray,
    canvas: Canvas,
    rng: np.random.Generator,
) -> np.ndarray:
    """Opacity 0-1 of one population of granules, shape (h, w)."""
    layer = np.zeros(plasm.shape, np.uint8)
    density = draw(granules.density, rng)
    for mask, share in ((plasm, 1.0), (nucleus, granules.nucleus_share)):
        area_um2 = cv2.countNonZero(mask) / canvas.scale**2
        y, x = _places(mask, int(rng.poisson(density * share * area_um2)), rng)
        unit = 1 << SUBPIXEL_BITS
        radii = rng.uniform(*granules.radius_um, len(x)) * canvas.scale * unit
        values = rng.uniform(*granules.opacity, len(x)) * 255
        table = np.rint(np.stack([x * unit, y * unit, radii, values], axis=1)).astype(int)
        for column, row, radius, value in table.tolist():
            cv2.circle(layer, (column, row), radius, value, -1, cv2.LINE_AA, SUBPIXEL_BITS)
    return soften(layer, 0.05 * canvas.scale)


def _places(
    mask: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of random pixels of a mask; none if it is empty."""
    inside = np.flatnonzero(mask)
    if count == 0 or len(inside) == 0:
        return np.empty(0), np.empty(0)
    chosen = inside[rng.integers(0, len(inside), count)]
    return np.divmod(chosen, mask.shape[1])


def texture(shape: tuple[int, ...], grain_px: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise with mean 0 and standard deviation near 1, shape (h, w), float32."""
    rows, columns = (max(int(np.ceil(side / max(grain_px, 1.0))), 2) for side in shape)
    grain = rng.standard_normal((rows, columns), dtype=np.float32)
    return cv2.resize(grain, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def soften(mask: np.ndarray, sigma_px: float) -> np.ndarray:
    """A uint8 mask as weights 0-1 with a soft edge, float32."""
    blurred = cv2.GaussianBlur(mask, (0, 0), max(sigma_px, 0.4))
    return blurred.astype(np.float32) * np.float32(1 / 255)


def blend(body: np.ndarray, colour: Colour | np.ndarray, weight: np.ndarray) -> None:
    """Move `body` (h, w, 3) towards a colour by a weight (h, w) of 0-1, in place."""
    body += (np.asarray(colour, np.float32) - body) * weight[..., None].astype(np.float32)


def _tinted(colour: Colour, factors: np.ndarray) -> np.ndarray:
    return np.clip(np.array(colour) * factors, 0, 255).astype(np.float32)
