"""Frozen parts learn nothing, and the rest does."""

from __future__ import annotations

import pytest
import torch

from buffycoat.backbones.build import build
from buffycoat.backbones.frozen import freeze, frozen_modules
from buffycoat.errors import ConfigError


def test_the_parts_next_to_the_image_are_frozen() -> None:
    model = build("tf_efficientnet_lite0", "random", 3, 32).model
    freeze(model, 3)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    parts = {".".join(name.split(".")[:2]) for name in frozen}
    assert parts == {"conv_stem.weight", "bn1.weight", "bn1.bias", "blocks.0", "blocks.1"}
    assert not any(p.requires_grad for p in model.get_submodule("blocks.1").parameters())


def test_a_step_changes_neither_weights_nor_statistics_of_frozen_parts() -> None:
    model = build("tf_efficientnet_lite0", "random", 3, 32).model
    freeze(model, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    for module in frozen_modules(model):
        module.eval()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-2)
    model(torch.randn(4, 3, 32, 32)).sum().backward()
    optimiser.step()
    after = model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    frozen = ("conv_stem", "bn1", "blocks.0", "blocks.1")
    assert not any(name.startswith(frozen) for name in changed)
    assert {"blocks.2.0.bn1.running_mean", "blocks.2.0.conv_pw.weight"} <= changed


def test_there_must_be_a_part_left_to_learn() -> None:
    model = build("test_resnet", "random", 3, 32).model
    with pytest.raises(ConfigError, match="freeze at most"):
        freeze(model, 99)
    freeze(model, 0)
    assert all(p.requires_grad for p in model.parameters())
