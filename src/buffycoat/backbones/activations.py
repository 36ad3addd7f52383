"""Activations that write their result anew where bf16 is slow in place."""

from __future__ import annotations

from torch import nn

IN_PLACE = (nn.Hardtanh, nn.ReLU, nn.SiLU, nn.Hardswish)
"""ReLU6 is a Hardtanh."""


def write_anew(model: nn.Module) -> int:
    """Let a network's activations write to other memory than they read from.

    On a CPU, torch takes two to ten times as long to change large bf16 arrays in place as to write
    the same numbers elsewhere (docs/adr/0009). Nothing that is computed changes; training holds
    a second copy of each activation. In fp32, and on a GPU, in place is the better way.

    Args:
        model: Changed in place.

    Returns:
        How many layers were changed.
    """
    found = [m for m in model.modules() if isinstance(m, IN_PLACE) and m.inplace]
    for layer in found:
        layer.inplace = False
    return len(found)
