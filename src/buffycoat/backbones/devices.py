"""Where a network runs, and in which precision."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn


def device() -> torch.device:
    """The device that inference uses."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def place(model: nn.Module) -> nn.Module:
    """A convolutional model on that device, its weights in the order that is fastest there."""
    return model.to(device=device(), memory_format=torch.channels_last)  # pyright: ignore


def is_cpu_bf16(device: torch.device, precision: str) -> bool:
    """Whether a model computes in bf16 on a CPU, where some of torch's kernels are slow."""
    return device.type == "cpu" and precision == "bf16"


def autocast(precision: str) -> contextlib.AbstractContextManager[Any]:
    """bf16 arithmetic for "bf16", nothing for "fp32"."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device().type, dtype=torch.bfloat16)


def to_arrays(state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Weights, arrays or tensors on any device, as arrays."""
    return {
        name: value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        for name, value in state.items()
    }


def to_tensors(state: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Weights as tensors, copied: an array from a file may be read-only."""
    return {name: torch.from_numpy(np.array(value)) for name, value in state.items()}
