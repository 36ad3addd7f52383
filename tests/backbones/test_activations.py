"""Activations in place or anew: the same numbers."""

from __future__ import annotations

import pytest
import torch

from buffycoat.backbones.activations import write_anew
from buffycoat.backbones.build import build


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_small_050"])
def test_outputs_and_gradients_stay_to_the_last_bit(name: str) -> None:
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    found = []
    for is_anew in (False, True):
        torch.manual_seed(0)
        model = build(name, "random", 3, 64).model.train()
        if is_anew:
            assert write_anew(model) > 10
            assert write_anew(model) == 0
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(images).float()
        logits.square().sum().backward()
        found.append([logits.detach(), *(p.grad for p in model.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
