"""Restorers: what turns degraded images into clean ones, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from buffycoat.backbones import devices
from buffycoat.errors import BundleError
from buffycoat.optional import choose
from buffycoat.restore.classical import CLASSICAL
from buffycoat.restore.one_by_one import Progress, Restorer, check_images, one_by_one
from buffycoat.restore.residual import ResidualUNet
from buffycoat.restore.unet import UNet


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

    def to_tensors(self) -> dict[str, Tensor]:
        """No weights."""
        return {}


GENERATORS: dict[str, Callable[..., nn.Module]] = {"pix2pix": UNet, "residual": ResidualUNet}
"""Name of a trained restorer -> its network."""


class Trained:
    """Applies a trained generator, one image at a time.

    A batch of one is as fast as a larger one on a CPU, and it is the only batch whose rounding
    cannot depend on how many cells were handed in.

    Args:
        name: A key of `GENERATORS`.
        generator: Trained; it is switched to evaluation mode and left on the device that
            `training.devices.device` gives.
        settings: The arguments that build it, for `to_dict`.
    """

    def __init__(self, name: str, generator: nn.Module, settings: Mapping[str, Any]) -> None:
        self.name = name
        self.settings = dict(settings)
        self.device = devices.device()
        self.generator = devices.place(generator.eval().requires_grad_(False))

    @torch.inference_mode()
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
        return one_by_one(images, self._restore_one, on_progress)

    def _restore_one(self, image: np.ndarray) -> np.ndarray:
        return to_pixels(self.generator(to_network(image[None]).to(self.device)))[0]

    def to_dict(self) -> dict[str, Any]:
        """The name and the generator's arguments."""
        return {"name": self.name, "generator": self.settings}

    def to_tensors(self) -> dict[str, Tensor]:
        """The generator's weights and running statistics."""
        state = self.generator.state_dict()
        return {key: value.detach().cpu().contiguous() for key, value in state.items()}


def _load_identity(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Restorer:
    return Identity()


def _load_trained(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Restorer:
    generator = GENERATORS[settings["name"]](**settings["generator"])
    expected = generator.state_dict()
    wrong = sorted(expected.keys() ^ tensors.keys()) or sorted(
        key for key, value in expected.items() if value.shape != tensors[key].shape
    )
    if wrong:
        raise BundleError(
            f"the restorer's weights do not fit its settings: {len(wrong)} differ, "
            f"first {wrong[0]!r}. The bundle was changed, or is of another version; train it again"
        )
    # The copy into the fresh network casts weights that were stored as fp16.
    generator.load_state_dict(dict(tensors))
    return Trained(settings["name"], generator, settings["generator"])


RESTORERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Tensor]], Restorer]] = {
    "identity": _load_identity,
    **dict.fromkeys(GENERATORS, _load_trained),
    **CLASSICAL,
}
"""Name -> factory from what `to_dict` and `to_tensors` gave."""


def from_tensors(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Restorer:
    """The restorer that was stored; equal bit for bit unless its weights were rounded.

    Args:
        settings: From `to_dict`.
        tensors: From `to_tensors`, in fp32 or fp16.

    Raises:
        ConfigError: No such restorer.
        BundleError: The weights are not those of the settings.
    """
    return choose(RESTORERS, settings["name"], "restorer")(settings, tensors)


def to_network(images: np.ndarray) -> Tensor:
    """Pixels as the generator takes them.

    Args:
        images: Shape (n, h, w, 3), uint8.

    Returns:
        Shape (n, 3, h, w), float32, -1 to 1.
    """
    pixels = torch.tensor(np.asarray(images)).permute(0, 3, 1, 2)
    return pixels.float().div(127.5).sub(1)


def to_pixels(output: Tensor) -> np.ndarray:
    """The generator's output as pixels: the inverse of `to_network`.

    Args:
        output: Shape (n, 3, h, w), values -1 to 1; larger ones are cut.

    Returns:
        Shape (n, h, w, 3), uint8.
    """
    pixels = output.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
