"""Nuclei in a field: what is stained unlike the rest of it, and of a nucleus' size.

Each field sets its own measure. Of the densities of all its pixels the second moments are taken;
the filter that lets a density in the direction of chromatin pass at full height and everything
else in the field, red cells, shadows and uneven light, as little as possible, is the matched
filter of remote sensing (Manolakis et al., IEEE Signal Process. Mag. 31:24, 2014). A stain that
is another only turns the clutter, and the filter with it.

All lengths are in red-cell diameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.fields import nuclei
from buffycoat.fields.nuclei import RED_AREA_PX, RED_PX, Box, Nucleus, disk
from buffycoat.statistics import quantile

CHROMATIN = np.array([0.45, 1.0, 0.1])
"""Density of azure and eosin on chromatin in red, green and blue, over that in green. Medians of
the four sites lie between 0.3 and 1.0 in red; not fitted to one."""
RIDGE = 0.1
"""Density that any pixel may be off in any channel, of noise and compression."""
BLUR = 0.06
"""Over which densities are averaged for the outline of a nucleus."""
SPOT = 0.25
"""The same for how dark a nucleus is: wider than a platelet, narrower than a lobe's length."""
LEAST_SIGNAL = 3.0
"""Of a nucleus over the field's middle, in robust standard deviations of the field."""
LEAST_OF_DARKEST = 0.5
"""Of the darkest nucleus in the field: the palest annotated one in twenty has 0.8 of it."""
LEAST_DENSITY = 0.08
"""Natural log units: less is not seen in 8 bits of a JPEG."""
EDGE = 0.5
"""Of a nucleus' own density, at which its outline runs."""
CLUTTER = 2.0
"""Robust standard deviations of the field that an outline stays above."""
REACH = 1.5
"""How far around its darkest place a nucleus may go."""
PLATELET_AREA = 0.5
"""Under which, in areas of a red cell, what is stained is a platelet: 5.3 micrometres across."""
MOST_BLUE = 0.55
"""Blue density over green density: dirt and scratches are gray (0.76 and more), nuclei take up to
0.35."""
MOST_AROUND = 0.65
"""Chromatin around a nucleus over that in it: clumps of dark red cells have more, nuclei 0.1 to
0.55."""
LEAST_OF_RED = 2.0
"""Chromatin of a nucleus over that in the middle of the field's red cells; nuclei of four sites
have 2.6 and more."""
RING = (0.15, 0.5)
"""Width of what is left out and of what is looked at around a nucleus."""
SMUDGE_AREA = 3.5
SMUDGE_SOLID = 0.8
"""Areas of a red cell, and area over that of the hull: what is larger and more ragged is the
smudge of a broken cell, or a clump of platelets."""
LEAST_RADIUS = 0.13
"""Of the largest circle in a nucleus, over a diameter: thinner is a scratch, or a thread."""


@dataclass(frozen=True)
class Chromatin:
    """How much chromatin each pixel of a field shows.

    Attributes:
        density: Of the field, shape (h, w, 3), float32.
        amount: Averaged over `BLUR`, shape (h, w), float32, natural log units.
        spot: Averaged over `SPOT`, same shape.
        outside: What is not smear, shape (h, w), bool.
    """

    density: np.ndarray
    amount: np.ndarray
    spot: np.ndarray
    outside: np.ndarray

    @classmethod
    def of(cls, density: np.ndarray, outside: np.ndarray) -> Chromatin:
        """Filter a field's density (h, w, 3)."""
        soft = cv2.GaussianBlur(density, (0, 0), BLUR * RED_PX)
        pixels = soft[::2, ::2][~outside[::2, ::2]].astype(np.float64)
        clutter = pixels.T @ pixels / max(len(pixels), 1) + RIDGE**2 * np.eye(3)
        weights = np.linalg.solve(clutter, CHROMATIN)
        weights /= CHROMATIN @ weights
        amount = cv2.transform(soft, weights[None].astype(np.float32))
        spot = cv2.GaussianBlur(amount, (0, 0), SPOT * RED_PX)
        return cls(density, amount, spot, outside)

    def spots(self, red_cells: np.ndarray) -> list[Nucleus]:
        """Everything stained like a nucleus, with its kind, from top to bottom.

        Args:
            red_cells: Centres of red cells to compare with, across and down, shape (n, 2).
        """
        of_red = self.spot[red_cells[:, 1], red_cells[:, 0]]
        red = float(np.median(of_red)) if len(of_red) else 0.0
        middle, spread = _middle(self.spot[~self.outside])
        seeds = self._seeds(middle + LEAST_SIGNAL * spread)
        found = []
        for box, part in nuclei.separate(self._mask(seeds)):
            dark = float(_window(self.spot, box)[part].max())
            kind = self._kind(box, part)
            kind = "clump" if kind == "nucleus" and dark < LEAST_OF_RED * red else kind
            found.append(Nucleus(box, part, dark, (dark - middle) / spread, kind))
        return found

    def _kind(self, box: Box, part: np.ndarray) -> str:
        area = np.count_nonzero(part) / RED_AREA_PX
        colour = _window(self.density, box)[part].mean(axis=0)
        if area < PLATELET_AREA:
            return "platelet"
        if nuclei.inner_radius(part) < LEAST_RADIUS * RED_PX:
            return "deposit"
        if colour[2] > MOST_BLUE * colour[1]:
            return "deposit"
        amount = float(_window(self.amount, box)[part].mean())
        if self._around(box, part) > MOST_AROUND * amount:
            return "clump"
        is_ragged = np.count_nonzero(part) < SMUDGE_SOLID * nuclei.hull(part).sum()
        return "smudge" if area > SMUDGE_AREA and is_ragged else "nucleus"

    def _around(self, box: Box, part: np.ndarray) -> float:
        """Upper quartile of the amount of chromatin in a ring around a part."""
        left, top, width, height = box
        margin = int(np.ceil(max(RING) * RED_PX))
        y, x = max(top - margin, 0), max(left - margin, 0)
        wide = np.s_[y : top + height + margin, x : left + width + margin]
        own = np.zeros(self.amount[wide].shape, dtype=np.uint8)
        own[top - y : top - y + height, left - x : left - x + width] = part
        near, far = (cv2.dilate(own, disk(2 * reach)) > 0 for reach in RING)
        ring = self.amount[wide][far & ~near & ~self.outside[wide]]
        return quantile(ring, 0.75) if ring.size else 0.0

    def _seeds(self, floor: float) -> np.ndarray:
        """Darkest places, shape (h, w): their density, elsewhere 0."""
        highest = cv2.dilate(self.spot, disk(1.0))
        is_peak = (self.spot == highest) & ~self.outside
        seeds = np.where(is_peak, self.spot, np.float32(0))
        floor = max(floor, LEAST_OF_DARKEST * float(seeds.max()), LEAST_DENSITY)
        seeds[seeds < floor] = 0
        return seeds

    def _mask(self, seeds: np.ndarray) -> np.ndarray:
        """Pixels of nuclei, shape (h, w), uint8."""
        near = cv2.dilate(seeds, disk(2 * REACH))
        middle, spread = _middle(self.amount[~self.outside])
        limit = np.maximum(EDGE * near, middle + CLUTTER * spread)
        mask = ((self.amount > limit) & (near > 0) & ~self.outside).astype(np.uint8)
        return cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))


def _window(image: np.ndarray, box: Box) -> np.ndarray:
    left, top, width, height = box
    return image[top : top + height, left : left + width]


def _middle(values: np.ndarray) -> tuple[float, float]:
    """Median and robust standard deviation (1.4826 MAD) of values (n,)."""
    if not values.size:
        return 0.0, 1.0
    values = values[:: max(1, values.size // 50_000)]
    middle = quantile(values, 0.5)
    return float(middle), max(1.4826 * float(quantile(np.abs(values - middle), 0.5)), 1e-3)
