"""The discriminator of Pix2Pix, which scores patches and not the whole image.

Isola et al., arXiv 1611.07004, appendix 6.1.2. Spectral normalisation (Miyato et al., arXiv
1802.05957) bounds each layer's slope instead of normalising by batch: training is steadier, and a
patch is scored without regard to the others in the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from buffycoat.optional import choose
from buffycoat.restore.unet import WIDEST, start_weights


class PatchGAN(nn.Module):
    """Says of each patch whether it is a true clean image of the degraded one.

    Three layers give the paper's 70x70 px patches: C64-C128-C256-C512, then one map of logits.

    Args:
        base_channels: Channels of the first layer.
        n_layers: Layers that halve the image; each doubles the patch.
        norm: "batch" (the paper) or "spectral".

    Raises:
        ConfigError: No such `norm`.
    """

    def __init__(self, base_channels: int = 64, n_layers: int = 3, norm: str = "batch") -> None:
        super().__init__()
        is_batch = choose({"batch": True, "spectral": False}, norm, "norm")
        widths = [base_channels * min(2**level, WIDEST) for level in range(n_layers + 1)]
        layers: list[nn.Module] = [
            nn.Conv2d(6, widths[0], 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        ]
        for level in range(1, n_layers + 1):
            stride = 2 if level < n_layers else 1
            inputs, outputs = widths[level - 1], widths[level]
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride, padding=1, bias=not is_batch),
                nn.BatchNorm2d(outputs) if is_batch else nn.Identity(),
                nn.LeakyReLU(0.2),
            ]
        layers.append(nn.Conv2d(widths[-1], 1, 4, stride=1, padding=1))
        self.layers = nn.Sequential(*layers)
        self.apply(start_weights)
        if not is_batch:
            for layer in self.layers:
                if isinstance(layer, nn.Conv2d):
                    spectral_norm(layer)

    def forward(self, degraded: Tensor, clean: Tensor) -> Tensor:
        """One logit a patch: above 0, `clean` looks like a true one.

        Args:
            degraded: What the generator saw, shape (n, 3, h, w), values -1 to 1.
            clean: A true clean image or the generator's, same shape.

        Returns:
            Shape (n, 1, h', w'), about an eighth of the image's size at three layers.
        """
        return self.layers(torch.cat([degraded, clean], dim=1))


def receptive_field_px(n_layers: int) -> int:
    """Side of the patch that one logit sees: 70 px for three layers, 16 for one.

    Args:
        n_layers: As in `PatchGAN`.
    """
    side = 1
    for stride in [1, 1] + [2] * n_layers:
        side = (side - 1) * stride + 4
    return side
