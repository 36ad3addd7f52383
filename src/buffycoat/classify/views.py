"""The symmetries of the square: eight views of one cell."""

from __future__ import annotations

import torch

from buffycoat.optional import choose

# Each is (transpose first, mirror rows, mirror columns).
D4 = tuple((bool(t), bool(r), bool(c)) for t in (0, 1) for r in (0, 1) for c in (0, 1))

PAPER7 = (*D4[:7], D4[3])
"""What the published code calls eight views: seven, with the rotation by 180 degrees twice and
the anti-transpose missing."""

VIEWS = {"one": D4[:1], "paper7": PAPER7, "d4": D4}


def views_of(images: torch.Tensor, name: str) -> torch.Tensor:
    """Every view of every image.

    Args:
        images: Shape (n, c, s, s).
        name: "one", "d4" (eight distinct views) or "paper7".

    Returns:
        Shape (n, v, c, s, s).
    """
    turned = []
    for transpose, rows, columns in choose(VIEWS, name, "set of views"):
        view = images.transpose(-1, -2) if transpose else images
        dims = [d for d, mirror in ((-2, rows), (-1, columns)) if mirror]
        turned.append(view.flip(dims) if dims else view)
    return torch.stack(turned, dim=1)
