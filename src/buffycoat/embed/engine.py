"""What computes a frozen network's features: torch here, and the interface of any other."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn

from buffycoat.backbones.devices import device

GPU_CELLS_AT_ONCE = 32


class Engine(abc.ABC):
    """Runs one network on batches of its inputs."""

    @property
    @abc.abstractmethod
    def cells_at_once(self) -> int:
        """Cells in a batch."""

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """What sets its numbers apart from torch's in fp32, as plain values; else nothing."""

    @abc.abstractmethod
    def run(self, batches: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Features of each batch, in order.

        Args:
            batches: Each of shape (n, 3, px, px), float32, n at most `cells_at_once`; an engine
                may take some ahead.

        Yields:
            Shape (n, d), on the CPU.
        """


class TorchEngine(Engine):
    """A network as it is, on a GPU where there is one.

    Args:
        network: In evaluation mode.
        features: Takes inputs on the network's device; gives their features.
    """

    def __init__(
        self, network: nn.Module, features: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        self._network, self._features = network, features

    @property
    def cells_at_once(self) -> int:
        """One on a CPU: the numbers of a cell then do not depend on the cells beside it."""
        return GPU_CELLS_AT_ONCE if device().type == "cuda" else 1

    def settings(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def run(self, batches: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Features of each batch, in order; the network then leaves the GPU."""
        place = device()
        self._network.to(place)
        try:
            for batch in batches:
                yield self._features(batch.to(place)).cpu()
        finally:
            self._network.cpu()
