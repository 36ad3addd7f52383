"""What a generator minimises, besides the discriminator's verdict.

L1 for the colours, MS-SSIM for the structure (Zhao et al., arXiv 1511.08861, who found the two
together better than either), and the distance in the features of a frozen network for what a
classifier looks at (Johnson et al., arXiv 1603.08155).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from pytorch_msssim import MS_SSIM
from torch import Tensor
from torch.nn import functional

from buffycoat.config import RestoreConfig
from buffycoat.errors import ConfigError

Features = Callable[[Tensor], Sequence[Tensor]]
"""Images (n, 3, h, w), values -1 to 1 -> feature maps (n, c, h', w') of a frozen network."""

SSIM_WINDOW_PX = 7
"""Side of the Gaussian window; the 11 px of Wang et al. need crops of 161 px at five scales."""
MIN_SSIM_PX = (SSIM_WINDOW_PX - 1) * 2**4 + 1
"""At five scales, the image is halved four times, and the window must still fit in."""


class Objective:
    """Losses of restored against clean images, each with its weight.

    Args:
        config: The weights.
        side_px: Of the training crops.
        features: Of a frozen network; needed where `feature_weight` > 0.

    Raises:
        ConfigError: Crops are too small for MS-SSIM, or features are missing.
    """

    def __init__(self, config: RestoreConfig, side_px: int, features: Features | None) -> None:
        if config.ssim_weight and side_px < MIN_SSIM_PX:
            raise ConfigError(
                f"restore.ssim_weight > 0 needs crops of {MIN_SSIM_PX} px, got {side_px}: raise "
                "restore.train_px and images.work_px, or set restore.ssim_weight=0"
            )
        if config.feature_weight and features is None:
            raise ConfigError("restore.feature_weight > 0 needs the features of a frozen network")
        self.config = config
        self.features = features
        self.similarity = MS_SSIM(
            data_range=1.0, win_size=SSIM_WINDOW_PX, channel=3, size_average=True
        )

    def __call__(self, restored: Tensor, clean: Tensor) -> dict[str, tuple[float, Tensor]]:
        """Weight and value of each loss that has a weight.

        Args:
            restored: Shape (n, 3, h, w), float32, values near -1 to 1.
            clean: Same shape, values -1 to 1.
        """
        losses = {"l1": (self.config.l1_weight, functional.l1_loss(restored, clean))}
        if self.config.ssim_weight:
            losses["ssim"] = self.config.ssim_weight, self._dissimilarity(restored, clean)
        if self.config.feature_weight:
            losses["features"] = self.config.feature_weight, self._feature_distance(restored, clean)
        return losses

    def _dissimilarity(self, restored: Tensor, clean: Tensor) -> Tensor:
        return 1 - self.similarity(restored.clamp(-1, 1) / 2 + 0.5, clean / 2 + 0.5)

    def _feature_distance(self, restored: Tensor, clean: Tensor) -> Tensor:
        assert self.features is not None
        with torch.no_grad():
            wanted = self.features(clean)
        found = self.features(restored)
        # Each layer counts alike, whatever the size of its features.
        parts = [
            functional.l1_loss(f.float(), w.float()) / w.float().abs().mean().clamp_min(1e-6)
            for f, w in zip(found, wanted, strict=True)
        ]
        return torch.stack(parts).mean()


def binary_cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Of logits of any shape against one target, 0 or 1."""
    logits = logits.float()
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
