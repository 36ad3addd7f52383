"""Parts of a backbone that keep their pretrained weights.

The parts next to the image see the largest maps, so that they take much of a training step, and
what they know (edges, blobs, colours) is what a few thousand cells teach least: features grow more
specific from part to part (Yosinski et al., arXiv 1411.1792).
"""

from __future__ import annotations

from typing import Any

from timm.models import group_parameters
from torch import nn

from buffycoat.errors import ConfigError


def freeze(model: Any, n_parts: int) -> None:
    """Let the first parts of a network learn nothing.

    Args:
        model: Any timm model; changed in place.
        n_parts: How many, as timm counts them: 1 is the stem, 2 the stem and the first stage.

    Raises:
        ConfigError: It has no more parts than that.
    """
    if not n_parts:
        return
    part: Any = group_parameters(model, model.group_matcher(coarse=True), reverse=True)
    n_known = 1 + max(part.values())
    if n_parts >= n_known:
        raise ConfigError(
            f"frozen_parts={n_parts}: this backbone has {n_known} parts with the classifier, and "
            f"something must learn; freeze at most {n_known - 1}"
        )
    for name, parameter in model.named_parameters():
        if part[name] < n_parts:
            parameter.requires_grad_(False)


def frozen_modules(model: nn.Module) -> list[nn.Module]:
    """Modules that learn nothing: they belong in evaluation mode.

    A batch norm would change its statistics otherwise, and a dropout would disturb features that
    cannot answer to it.
    """
    found = []
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            found.append(module)
    return found
