"""A few inputs and what torch makes of them: what another engine is tested against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from buffycoat.backbones.engine import Engine

if TYPE_CHECKING:
    from torch import nn

SEED = 20
N_INPUTS = 3
PATCHES = 6
NOISE_LEVELS = 8


@dataclass(frozen=True, eq=False)
class Probe:
    """Inputs, and what torch made of them in fp32.

    Attributes:
        inputs: Shape (n, ...); networks of one input size share them, and one that has seen fewer
            has seen the first.
        outputs: Shape (m, ...), m of 1 to n.
    """

    inputs: np.ndarray
    outputs: np.ndarray

    @classmethod
    def of(cls, network: nn.Module, shape: tuple[int, ...], count: int = N_INPUTS) -> Self:
        """What a network makes of at most `N_INPUTS` synthetic images of a shape (h, w, 3)."""
        from buffycoat.backbones.torch_engine import TorchEngine

        inputs = synthetic(shape)[:count]
        one_by_one = TorchEngine(network).run(inputs[row : row + 1] for row in range(count))
        return cls(inputs, np.concatenate(list(one_by_one)))

    def distance(self, engine: Engine) -> float:
        """Root mean square of what an engine is off, in standard deviations of the outputs."""
        n = min(len(self.inputs), len(self.outputs))
        (found,) = engine.run([self.inputs[:n]])
        expected = self.outputs[:n].astype(np.float64)
        off = np.sqrt(np.mean(np.square(found - expected)))
        return float(off / max(float(expected.std()), 1e-9))


def synthetic(shape: tuple[int, ...]) -> np.ndarray:
    """Coloured clouds with a little noise: no cells, yet unlike each other and every mirror image.

    Args:
        shape: (h, w, 3).

    Returns:
        Shape (n, h, w, 3), uint8.
    """
    rng = np.random.default_rng(SEED)
    height, width, _ = shape
    clouds = rng.uniform(0, 255, (N_INPUTS, PATCHES, PATCHES, 3)).astype(np.float32)
    smooth = np.stack(
        [cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in clouds]
    )
    return np.clip(smooth + rng.normal(0, NOISE_LEVELS, smooth.shape), 0, 255).astype(np.uint8)
