"""Images of any size, for networks that halve them some times."""

from __future__ import annotations

import torch
from torch import Tensor


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Mirror at the right and lower edge; unlike `F.pad`, by more than the image's own size.

    Args:
        image: Shape (n, c, h, w).
        multiple: Of which both sides shall be one.

    Returns:
        Shape (n, c, h', w'), the image itself where nothing is to be done.
    """
    for axis in (-2, -1):
        size = image.shape[axis]
        padded = -(-size // multiple) * multiple
        if padded == size:
            continue
        period = max(2 * (size - 1), 1)
        position = torch.arange(padded, device=image.device) % period
        image = image.index_select(image.ndim + axis, torch.minimum(position, period - position))
    return image
