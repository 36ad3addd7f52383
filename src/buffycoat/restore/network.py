"""Trained restorers as torch networks that take and give pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from buffycoat.backbones.devices import to_tensors
from buffycoat.errors import BundleError
from buffycoat.restore.residual import ResidualUNet
from buffycoat.restore.unet import UNet

GENERATORS: dict[str, Callable[..., nn.Module]] = {"pix2pix": UNet, "residual": ResidualUNet}
"""Name of a trained restorer -> its network."""


class PixelRestorer(nn.Module):
    """A generator with what turns pixels into its input, and its output into pixels.

    Args:
        generator: Takes and gives (n, 3, h, w), values -1 to 1.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: Tensor) -> Tensor:
        """Clean pixels of pixels; both of shape (n, h, w, 3), uint8."""
        return to_pixels(self.generator(to_network(image)))


def make_network(name: str, settings: Mapping[str, Any], state: Mapping[str, Any]) -> PixelRestorer:
    """A trained restorer from its weights; half-precision ones become fp32.

    Args:
        name: A key of `GENERATORS`.
        settings: The generator's arguments.
        state: Name -> array.

    Raises:
        BundleError: The weights are not those of the settings.
    """
    generator = GENERATORS[name](**settings)
    expected = generator.state_dict()
    wrong = sorted(expected.keys() ^ state.keys()) or sorted(
        key for key, value in expected.items() if tuple(value.shape) != tuple(state[key].shape)
    )
    if wrong:
        raise BundleError(
            f"the restorer's weights do not fit its settings: {len(wrong)} differ, "
            f"first {wrong[0]!r}. The bundle was changed, or is of another version; train it again"
        )
    generator.load_state_dict(to_tensors(state))
    return PixelRestorer(generator.float()).eval().requires_grad_(False)


def to_network(images: Tensor) -> Tensor:
    """Pixels as the generator takes them.

    Args:
        images: Shape (n, h, w, 3), uint8.

    Returns:
        Shape (n, 3, h, w), float32, -1 to 1.
    """
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def to_pixels(output: Tensor) -> Tensor:
    """The generator's output as pixels: the inverse of `to_network`.

    Args:
        output: Shape (n, 3, h, w), values -1 to 1; larger ones are cut.

    Returns:
        Shape (n, h, w, 3), uint8.
    """
    pixels = output.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous()
