"""Networks as torch runs them, on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from buffycoat.backbones.devices import autocast, device
from buffycoat.backbones.engine import Engine
from buffycoat.backbones.memory import keep_freed_memory
from buffycoat.backbones.threads import cpus

GPU_CELLS_AT_ONCE = 64


class TorchEngine(Engine):
    """A network as it is.

    Args:
        network: In evaluation mode; takes and gives one tensor.
        precision: "fp32", or "bf16" for autocast.
        gpu_cells: Cells in a batch on a GPU.
    """

    def __init__(
        self, network: nn.Module, precision: str = "fp32", gpu_cells: int = GPU_CELLS_AT_ONCE
    ) -> None:
        self.network = network
        self._precision, self._gpu_cells = precision, gpu_cells
        keep_freed_memory()
        if torch.get_num_threads() > cpus():  # torch does not read a container's quota
            torch.set_num_threads(cpus())

    @property
    def cells_at_once(self) -> int:
        """One on a CPU: the numbers of a cell then do not depend on the cells beside it."""
        return self._gpu_cells if device().type == "cuda" else 1

    def settings(self) -> dict[str, Any]:
        """The precision, unless it is fp32."""
        return {} if self._precision == "fp32" else {"precision": self._precision}

    def run(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Outputs of each batch, in order; the network then leaves the GPU."""
        self.network.to(device())
        try:
            for batch in batches:
                yield self._compute(batch)
        finally:
            self.network.cpu()

    @torch.inference_mode()
    def _compute(self, batch: np.ndarray) -> np.ndarray:
        # torch takes no array that is read-only, as one from a file can be.
        given = torch.from_numpy(np.require(batch, requirements=["C", "W"])).to(device())
        with autocast(self._precision):
            found = self.network(given)
        return (found.float() if found.is_floating_point() else found).cpu().numpy()
