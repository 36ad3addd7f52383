"""A network that predicts the correction to an image, not the image.

Two corrections, for two kinds of fault. Noise and blur change single pixels, so they are undone by
what a U-Net adds to each. Light fails smoothly and multiplies what is seen, so it is undone by the
few numbers of `restore.light`, and last: the background is easier to measure once it is clean. Both
start at nothing: an untrained network leaves every image as it is.

The U-Net has residual blocks with layer normalisation and skips that are added, not joined, after
Chen et al., "Simple Baselines for Image Restoration", arXiv 2204.04676. Nothing in it depends on
the other images of a batch.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from buffycoat.restore.light import LightCorrection
from buffycoat.restore.padding import pad_to_multiple

FOLD = 2
"""The image enters with each 2x2 px as channels of one: a quarter of the widest level's cost."""
WIDEST = 6
"""No level has more than this many times `base_channels`."""


class ResidualUNet(nn.Module):
    """Predicts a correction of each pixel, then the light to divide by.

    Args:
        base_channels: Channels of the outermost level, at half the image's size.
        depth: Times that this level is halved again.
        blocks: Residual blocks of each level, on the way down and on the way up.
    """

    def __init__(self, base_channels: int = 24, depth: int = 4, blocks: int = 1) -> None:
        super().__init__()
        widths = [base_channels * min(2**level, WIDEST) for level in range(depth + 1)]
        self.multiple = FOLD * 2**depth
        self.light = LightCorrection()
        self.enter = nn.Conv2d(3 * FOLD**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.shrink = nn.ModuleList(
            nn.Conv2d(wide, deep, 2, stride=2) for wide, deep in pairwise(widths)
        )
        self.middle = nn.Sequential(*_blocks(widths[-1], blocks), _Context(widths[-1]))
        self.grow = nn.ModuleList(
            nn.Sequential(nn.Conv2d(deep, 4 * wide, 1, bias=False), nn.PixelShuffle(2))
            for wide, deep in pairwise(widths)
        )
        self.up = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.leave = nn.Conv2d(widths[0], 3 * FOLD**2, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def forward(self, image: Tensor) -> Tensor:
        """The clean image, as far as the network can tell.

        Args:
            image: Shape (n, 3, h, w), values -1 to 1, of any size: it is mirrored at the right
                and lower edge up to a multiple of `multiple`, and cut back.

        Returns:
            Same shape, values -1 to 1 (while training, they may exceed them).
        """
        height, width = image.shape[-2:]
        whole = pad_to_multiple(image, self.multiple)
        x = self.enter(functional.pixel_unshuffle(whole, FOLD))
        skips = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            x = blocks(x)
            skips.append(x)
            x = shrink(x)
        x = self.middle(x)
        for level in reversed(range(len(skips))):
            x = self.up[level](self.grow[level](x) + skips[level])
        out = whole + 2 * functional.pixel_shuffle(self.leave(x), FOLD).float()
        out = self.light(out[..., :height, :width])
        # While training, a clamped value would have no gradient to come back by.
        return out if self.training else out.clamp(-1, 1)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        # A tenth of the usual size, so that a deep stack starts near the identity.
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        # Channels last is how they lie in memory, so this costs no copy.
        standard = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x + self.second(functional.relu(self.first(standard)))


class _Context(nn.Module):
    """Adds what the whole image says, e.g. how dark it is, to each place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x.mean(dim=(2, 3)))[..., None, None]


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(count)))
