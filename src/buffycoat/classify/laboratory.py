"""Laboratories that do not exist, each with a stain, lamp, camera and magnification of its own."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.classify.vary import resample, restain_by

SPREAD = (0.5, 1.5)
"""Spread of stain and light; training draws 0 to 1 for each picture. **Ours**: with it they are as
far from home as five real laboratories (benchmarks/results/sites/laboratories.md)."""
ZOOM = 1.2
"""Largest factor on the size of a cell, up or down: what is left after a site's scale was set."""


@dataclass(frozen=True)
class Laboratory:
    """How one laboratory's photographs differ from the training's: all of them alike.

    Attributes:
        seed: Of the stain, lamp and camera within these spreads.
        stain: As in `vary.restain_by`.
        light: The same.
        zoom: Size of a cell over its own.
    """

    seed: int
    stain: float
    light: float
    zoom: float

    @classmethod
    def draw(cls, seed: int) -> Laboratory:
        """The laboratory of that number."""
        rng = np.random.default_rng((seed, 0))
        stain, light = rng.uniform(*SPREAD, 2)
        return cls(seed, float(stain), float(light), float(ZOOM ** rng.uniform(-1, 1)))

    def photograph(self, image: np.ndarray) -> np.ndarray:
        """A cell of the training as this laboratory would show it.

        Args:
            image: Working image, shape (w, w, 3), uint8.

        Returns:
            Same shape.
        """
        rng = np.random.default_rng((self.seed, 1))  # the same for each of its photographs
        side = image.shape[0]
        turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), 0, self.zoom)
        image = cv2.warpAffine(
            image, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return resample(restain_by(image, rng, self.stain, self.light), rng)
