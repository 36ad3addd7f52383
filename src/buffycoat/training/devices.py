"""Where a model runs, and in which precision."""

from __future__ import annotations

import logging
from typing import Any

from lightning.fabric import Fabric

logging.getLogger("lightning.fabric").setLevel(logging.WARNING)  # else a line for each model
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


def make_fabric(precision: str, devices: int = 1) -> Any:
    """GPUs where they are at hand, else the CPU.

    Args:
        precision: A key of `PRECISIONS`.
        devices: GPUs, or processes on the CPU. With more than one the result must be launched: each
            runs in a process of its own, and gradients are averaged (DDP; gloo on a CPU).
    """
    strategy = "auto" if devices == 1 else "ddp_spawn"
    return Fabric(
        accelerator="auto",
        devices=devices,
        strategy=strategy,
        precision=PRECISIONS[precision],  # type: ignore[arg-type]
    )
