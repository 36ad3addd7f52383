"""Batch-norm statistics estimated anew on the cells of a site, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from buffycoat.backbones.devices import device
from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.network import PixelClassifier, make_network
from buffycoat.classify.views import VIEWS, centre, views_of
from buffycoat.errors import ConfigError, NotEstimableError
from buffycoat.plurals import counted

SHARE = 0.3
"""Weight of the site's statistics beside the training's: after the colour step better than 0.5 or
0.6 (docs/adr/0022)."""
AT_ONCE = 64
"""Cells whose statistics are taken together."""
MOST = 512
"""Cells that are looked at, drawn by chance; bounds the time."""
LEAST = 2


@dataclass
class _Sums:
    """Sums over batches: of the mean and of the mean square of each channel."""

    n: int
    mean: Tensor
    square: Tensor


def reestimate(
    model: FoldModel, images: np.ndarray, share: float = SHARE, seed: int = 0
) -> FoldModel:
    """A copy of a model whose batch norms expect what a site's cells give.

    Each batch norm keeps `1 - share` of the training's mean and variance and takes the rest from
    the cells (Schneider et al., NeurIPS 2020, arXiv 2006.16971). A layer sees what the layers
    before it make of the cells with their statistics mixed already. Cells are looked at from a
    random side.

    Args:
        model: The classifier of one fold.
        images: Working images, shape (n, w, w, 3), uint8.
        share: 0 leaves the model as it is, 1 takes the site's statistics alone.
        seed: Of the order and sides of the cells.

    Raises:
        ConfigError: The share is outside 0 to 1.
        NotEstimableError: Fewer than `LEAST` cells, or the network has no batch norm.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share of the site's statistics: expected 0 to 1, got {share}")
    if len(images) < LEAST:
        raise NotEstimableError(
            f"{counted(len(images), 'cell')}: batch statistics need at least {LEAST}"
        )
    network = make_network(model.state, model.config, model.log_prior, is_plain=True)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not norms:
        raise NotEstimableError(f"{model.config.backbone!r} has no batch norms to estimate anew")
    with torch.inference_mode(), _mixing(norms, share):
        _run(network, _inputs(images, model, seed))
    return FoldModel.assemble(
        network.network.state_dict(), model.config, len(model.log_prior), model.log_prior
    )


def _inputs(images: np.ndarray, model: FoldModel, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(images))[:MOST]
    for part in np.array_split(rows, max(1, round(len(rows) / AT_ONCE))):
        sides = rng.integers(len(VIEWS["d4"]), size=len(part))
        crops = (centre(images[r], model.config.crop_fraction, model.config.input_px) for r in part)
        yield np.concatenate(
            [views_of(c, "d4", [int(s)]) for c, s in zip(crops, sides, strict=True)]
        )


def _run(network: PixelClassifier, batches: Iterator[np.ndarray]) -> None:
    network.to(device())
    for batch in batches:
        network(torch.from_numpy(batch).to(device()))
    network.cpu()


@contextmanager
def _mixing(norms: list[nn.BatchNorm2d], share: float) -> Iterator[None]:
    """Within, each batch is normalised by its own share; afterwards, by that of all batches."""
    old = {norm: _statistics(norm) for norm in norms}
    sums: dict[nn.Module, _Sums] = {}

    def set_mixed(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
        for buffer, was, now in zip(_buffers(norm), old[norm], (mean, variance), strict=True):
            buffer.copy_((1 - share) * was.to(now.device) + share * now)

    def look(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        variance, mean = torch.var_mean(given[0].float(), dim=(0, 2, 3), unbiased=False)
        so_far = sums.get(norm)
        square = variance + mean**2
        sums[norm] = (
            _Sums(1, mean, square)
            if so_far is None
            else _Sums(so_far.n + 1, so_far.mean + mean, so_far.square + square)
        )
        set_mixed(norm, mean, variance)

    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    for norm in norms:
        found = sums[norm]
        mean = (found.mean / found.n).cpu()
        set_mixed(norm, mean, (found.square.cpu() / found.n - mean**2).clamp(min=0))


def _buffers(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


def _statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    mean, variance = _buffers(norm)
    return mean.clone(), variance.clone()
