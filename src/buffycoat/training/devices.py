"""Where a model runs, and in which precision."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import nn

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


def make_fabric(precision: str) -> Any:
    """The best single device there is: a GPU where one is at hand, else the CPU."""
    return Fabric(accelerator="auto", devices=1, precision=PRECISIONS[precision])  # type: ignore[arg-type]


def device() -> torch.device:
    """The device that inference uses."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def place(model: nn.Module) -> nn.Module:
    """A convolutional model on that device, its weights in the order that is fastest there."""
    return model.to(device=device(), memory_format=torch.channels_last)  # pyright: ignore


def autocast(precision: str) -> contextlib.AbstractContextManager[Any]:
    """bf16 arithmetic for "bf16", nothing for "fp32"."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device().type, dtype=torch.bfloat16)
