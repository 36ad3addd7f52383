"""The generator of Pix2Pix: a U-Net that maps an image to an image of the same size.

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks",
arXiv 1611.07004, appendix 6.1.1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from buffycoat.optional import choose
from buffycoat.restore.padding import pad_to_multiple

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "none": lambda channels: nn.Identity(),
}
"""Name -> layer for a number of channels. The paper normalises by batch."""

WIDEST = 8
"""No level has more than this many times `base_channels`: 512 of 64 in the paper."""
DROPOUT_LEVELS = 3
"""The paper drops out in the decoder's three levels next to the innermost one."""
WEIGHT_SD = 0.02
"""Weights start as N(0, 0.02), arXiv 1611.07004, section 6.2."""


class UNet(nn.Module):
    """U-Net with skip connections at every scale.

    `depth=8, base_channels=64` is the paper's network for 256x256 px: the encoder has
    64-128-256-512-512-512-512-512 channels and the whole 54.4 million parameters. In evaluation
    mode dropout is off and batch norm uses its running statistics (the paper keeps both as in
    training), so that an image's result does not depend on chance or on its neighbours.

    Args:
        base_channels: Channels of the outermost level.
        depth: Times that the image is halved.
        dropout: Share of activations dropped in the inner decoder while training.
        norm: "batch" (the paper), "instance" or "none".

    Raises:
        ConfigError: No such `norm`.
    """

    def __init__(
        self,
        base_channels: int = 64,
        depth: int = 8,
        dropout: float = 0.5,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        self.depth = depth
        make_norm = choose(NORMS, norm, "norm")
        widths = [base_channels * min(2**level, WIDEST) for level in range(depth)]
        self.down = nn.ModuleList(
            _down(widths, level, make_norm, has_bias=norm != "batch") for level in range(depth)
        )
        self.up = nn.ModuleList(
            _up(widths, level, make_norm, dropout, has_bias=norm != "batch")
            for level in range(depth)
        )
        self.apply(start_weights)

    def forward(self, image: Tensor) -> Tensor:
        """The clean image, as far as the network can tell.

        Args:
            image: Shape (n, 3, h, w), values -1 to 1, of any size: it is mirrored at the right
                and lower edge up to a multiple of `2**depth`, and cut back.

        Returns:
            Same shape, values -1 to 1.
        """
        height, width = image.shape[-2:]
        x = pad_to_multiple(image, 2**self.depth)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        for level in reversed(range(self.depth)):
            is_innermost = level == self.depth - 1
            x = self.up[level](x if is_innermost else torch.cat([x, skips[level]], dim=1))
        return torch.tanh(x)[..., :height, :width]


def start_weights(module: nn.Module) -> None:
    """Start a layer as the paper does: weights N(0, 0.02), scales N(1, 0.02), biases 0.

    Args:
        module: Any layer; one without weights is left alone.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, WEIGHT_SD)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0, WEIGHT_SD)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _down(
    widths: list[int], level: int, make_norm: Callable[[int], nn.Module], has_bias: bool
) -> nn.Sequential:
    is_outermost, is_innermost = level == 0, level == len(widths) - 1
    inputs = 3 if is_outermost else widths[level - 1]
    layers: list[nn.Module] = [] if is_outermost else [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(inputs, widths[level], 4, stride=2, padding=1, bias=has_bias))
    if not (is_outermost or is_innermost):
        layers.append(make_norm(widths[level]))
    return nn.Sequential(*layers)


def _up(
    widths: list[int],
    level: int,
    make_norm: Callable[[int], nn.Module],
    dropout: float,
    has_bias: bool,
) -> nn.Sequential:
    is_outermost, is_innermost = level == 0, level == len(widths) - 1
    inputs = widths[level] * (1 if is_innermost else 2)
    outputs = 3 if is_outermost else widths[level - 1]
    bias = has_bias or is_outermost
    layers: list[nn.Module] = [
        nn.ReLU(),
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias),
    ]
    if is_outermost:
        return nn.Sequential(*layers)
    layers.append(make_norm(outputs))
    first_dropped = len(widths) - 1 - DROPOUT_LEVELS
    if dropout > 0 and not is_innermost and level >= max(first_dropped, 1):
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)
