"""The light that fell on an image, found by a network that knows background when it sees it.

A fault of light is one smooth factor over the whole image and one bend of its levels, so a few
numbers undo it. A small network says which places of the image are free background; a quadratic
surface goes through their levels, by weighted least squares; and everything is divided by it. It
is the flat field of `restore.classical` with the choice of background, the white and the trust in
the result learned, since those are where the rule fails.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = 28
"""The image is seen as so many squares each way, whatever its size."""
CHANNELS = 24
LAYERS = 4
DARKEST = 0.02
"""Added to levels of 0 to 1 before their logarithm is taken."""
MAX_LOG_GAIN = 2.0
"""No light is corrected by more than a factor of e^2 = 7.4."""
MAX_LOG_BEND = 0.7
"""No level is raised to a power outside 0.5 to 2."""
RIDGE = 1e-3
"""Keeps the surface flat where too little background is seen to bend it."""


class LightCorrection(nn.Module):
    """Brings an image under even, white light. Untrained, it changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(9, CHANNELS, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Conv2d(2 * CHANNELS, CHANNELS, 3, padding=1) for _ in range(LAYERS)
        )
        self.is_background = nn.Conv2d(CHANNELS, 1, 1)
        self.summary = nn.Sequential(nn.Linear(2 * CHANNELS + 6, 2 * CHANNELS), nn.ReLU())
        self.white = nn.Linear(2 * CHANNELS, 3)
        self.trust = nn.Linear(2 * CHANNELS, 3)
        self.bend = nn.Linear(2 * CHANNELS, 3)
        for layer in (self.trust, self.bend):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor) -> Tensor:
        """The image under even light.

        Args:
            image: Shape (n, 3, h, w), values about -1 to 1, of any size.

        Returns:
            Same shape, float32; values may lie outside -1 to 1.
        """
        # A surface solved for in half precision would be off by more than the eye forgives.
        with torch.autocast(image.device.type, enabled=False):
            return self._correct(image.float())

    def _correct(self, image: Tensor) -> Tensor:
        given = (image + 1) / 2
        level = given.clamp(min=0)
        mean = functional.adaptive_avg_pool2d(level, GRID)
        square = functional.adaptive_avg_pool2d(level * level, GRID)
        seen = torch.log(mean + DARKEST)
        relative = seen - seen.mean(dim=(2, 3), keepdim=True)
        # The floor keeps the gradient of the root finite where a square is of one level.
        rough = torch.log(torch.sqrt((square - mean * mean).clamp(min=1e-5)) + DARKEST)
        x = functional.relu(self.enter(torch.cat([seen, relative, rough], dim=1)))
        for layer in self.layers:
            around = x.mean(dim=(2, 3), keepdim=True).expand_as(x)
            x = x + functional.relu(layer(torch.cat([x, around], dim=1)))
        weights = torch.softmax(self.is_background(x).flatten(1), dim=1)

        flat = x.flatten(2)
        surface = _fit_surface(weights, seen.flatten(2))
        whole = torch.stack([(flat * weights[:, None]).sum(dim=2), flat.mean(dim=2)], dim=1)
        summary = self.summary(
            torch.cat([whole.flatten(1), surface[:, 0], seen.mean(dim=(2, 3))], dim=1)
        )
        white, trust = self.white(summary), self.trust(summary)
        bend = torch.expm1(MAX_LOG_BEND * torch.tanh(self.bend(summary)))
        terms = _terms(image.shape[2], image.shape[3], image)
        light = torch.einsum("nkc,khw->nchw", surface, terms)
        log_gain = trust[..., None, None] * (white[..., None, None] - light)
        log_level = torch.log(level + DARKEST)
        log_gain = log_gain + bend[..., None, None] * (log_level - light)
        gain = torch.exp(MAX_LOG_GAIN * torch.tanh(log_gain / MAX_LOG_GAIN))
        # Not the clamped level: where all is black, nothing could be learned from it any more.
        return 2 * given * gain - 1


def _fit_surface(weights: Tensor, levels: Tensor) -> Tensor:
    """Coefficients of the surface through levels (n, channels, places), shape (n, 6, channels)."""
    terms = _terms(GRID, GRID, levels).flatten(1)
    weighted = terms * weights[:, None]
    slack = RIDGE * torch.eye(len(terms), device=levels.device)
    slack[0, 0] = 0  # the mean level is free
    return _solve(weighted @ terms.T + slack, weighted @ levels.transpose(1, 2))


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Solution of positive definite systems (n, 6, 6) for right sides (n, 6, channels).

    Graphs have no operation for that, so that there it is Gauss and Jordan's elimination, which
    needs no pivots here.
    """
    is_traced = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    if not (is_traced or torch.compiler.is_exporting()):
        return torch.linalg.solve(matrix, right)
    both = torch.cat([matrix, right], dim=2)
    unit = torch.eye(matrix.shape[1], device=matrix.device)
    for row in range(matrix.shape[1]):
        pivot = both[:, row : row + 1] / both[:, row : row + 1, row : row + 1]
        both = both - (both[:, :, row : row + 1] - unit[:, row : row + 1]) * pivot
    return both[:, :, matrix.shape[1] :]


def _terms(height: int, width: int, like: Tensor) -> Tensor:
    """1, x, y, x^2, xy, y^2 at each place, shape (6, height, width); -1 < x, y < 1."""
    y, x = (
        (2 * torch.arange(side, device=like.device, dtype=like.dtype) + 1) / side - 1
        for side in (height, width)
    )
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y])
