"""Restorers: what turns degraded images into clean ones, and nothing else. No torch is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from buffycoat.backbones.engine import Engine
from buffycoat.optional import choose
from buffycoat.restore.classical import CLASSICAL
from buffycoat.restore.one_by_one import Progress, Restorer, check_images

TRAINED = ("pix2pix", "residual")
"""Restorers with a network: the keys of `network.GENERATORS`."""
OpenEngine = Callable[[tuple[int, ...]], Engine]
"""Gives what runs a restorer on images of a shape (h, w, 3): pixels to pixels, uint8."""


class Identity:
    """Leaves images as they are."""

    name = "identity"

    def restore(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """A copy of the images.

        Args:
            images: Shape (n, h, w, 3), uint8, RGB.
            on_progress: Called once, with (n, n).

        Raises:
            ShapeError: Not such images.
        """
        check_images(images)
        if on_progress is not None:
            on_progress(len(images), len(images))
        return np.array(images)

    def to_dict(self) -> dict[str, Any]:
        """The name alone."""
        return {"name": self.name}

    def to_tensors(self) -> dict[str, np.ndarray]:
        """No weights."""
        return {}


class Trained:
    """Applies a trained generator, one image at a time.

    A batch of one is as fast as a larger one on a CPU, and it is the only batch whose rounding
    cannot depend on how many cells were handed in.

    Args:
        name: One of `TRAINED`.
        settings: The arguments that build the generator.
        state: Its weights and running statistics.
        open_engine: Called when the first image comes, and for each other shape once.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        state: Mapping[str, np.ndarray],
        open_engine: OpenEngine,
    ) -> None:
        self.name = name
        self.settings = dict(settings)
        self._state = dict(state)
        self._open_engine = open_engine
        self._shape: tuple[int, ...] = ()
        self._engine: Engine | None = None

    @classmethod
    def by_torch(cls, name: str, settings: Mapping[str, Any], state: Mapping[str, Any]) -> Trained:
        """A restorer that torch runs.

        Raises:
            BundleError: The weights are not those of the settings.
        """
        from buffycoat.backbones.devices import place, to_arrays
        from buffycoat.backbones.torch_engine import TorchEngine
        from buffycoat.restore.network import make_network

        arrays = to_arrays(state)
        engine = TorchEngine(place(make_network(name, settings, arrays)))
        return cls(name, settings, arrays, lambda _: engine)

    def restore(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Clean images.

        Args:
            images: Shape (n, h, w, 3), uint8, RGB, of any size.
            on_progress: Called with (images done, n).

        Returns:
            Same shape, uint8.

        Raises:
            ShapeError: Not such images.
        """
        check_images(images)
        restored = np.empty(images.shape, dtype=np.uint8)
        if not len(images):
            return restored
        found = self._of_shape(images.shape[1:]).run(
            images[row : row + 1] for row in range(len(images))
        )
        for row, image in enumerate(found):
            restored[row] = image[0]
            if on_progress is not None:
                on_progress(row + 1, len(images))
        return restored

    def _of_shape(self, shape: tuple[int, ...]) -> Engine:
        if self._engine is None or shape != self._shape:
            self._engine, self._shape = self._open_engine(shape), shape
        return self._engine

    def to_dict(self) -> dict[str, Any]:
        """The name and the generator's arguments."""
        return {"name": self.name, "generator": self.settings}

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The generator's weights and running statistics."""
        return dict(self._state)


def _load_identity(settings: Mapping[str, Any], tensors: Mapping[str, Any]) -> Restorer:
    return Identity()


def _load_trained(settings: Mapping[str, Any], tensors: Mapping[str, Any]) -> Restorer:
    return Trained.by_torch(settings["name"], settings["generator"], tensors)


RESTORERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Restorer]] = {
    "identity": _load_identity,
    **dict.fromkeys(TRAINED, _load_trained),
    **CLASSICAL,
}
"""Name -> factory from what `to_dict` and `to_tensors` gave."""


def from_tensors(settings: Mapping[str, Any], tensors: Mapping[str, Any]) -> Restorer:
    """The restorer that was stored, run by torch; equal bit for bit unless weights were rounded.

    Args:
        settings: From `to_dict`.
        tensors: From `to_tensors`, in fp32 or fp16.

    Raises:
        ConfigError: No such restorer.
        BundleError: The weights are not those of the settings.
    """
    return choose(RESTORERS, settings["name"], "restorer")(settings, tensors)
