"""Padding: mirrored, by any amount, and free where nothing is missing."""

from __future__ import annotations

import torch

from buffycoat.restore.padding import pad_to_multiple


def test_padding_mirrors_the_image() -> None:
    image = torch.arange(5.0).expand(1, 1, 4, 5)
    assert pad_to_multiple(image, 4)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert pad_to_multiple(image[..., :4], 4).shape == (1, 1, 4, 4)


def test_a_side_of_one_pixel_is_repeated() -> None:
    assert torch.equal(pad_to_multiple(torch.ones(1, 3, 1, 2), 4), torch.ones(1, 3, 4, 4))
