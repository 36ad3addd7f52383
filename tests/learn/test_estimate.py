"""Estimates follow what they are made of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from buffycoat.backbones.cost import cost_of, flops_a_second
from buffycoat.config import PRESETS, load
from buffycoat.learn.estimate import estimate


def test_a_network_is_counted_on_shapes() -> None:
    found = cost_of(lambda: nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10)), (100,))
    assert found.parameters == 100 * 50 + 50 + 50 * 10 + 10
    assert found.flops == 2 * (100 * 50 + 50 * 10)
    assert found.kept_bytes == 4 * (100 + 50)  # the input, and what the ReLU gives
    assert found.kept_once_bytes == 0


def test_a_machine_has_a_speed() -> None:
    assert flops_a_second("fp32") > 1e8


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_an_estimate(preset: str) -> None:
    found = estimate(load(preset), 1000)
    assert found.unknown == ()
    assert found.device in ("cpu", "cuda")
    assert found.memory_bytes > found.held_bytes > 0
    assert found.seconds > 0
    assert found.disk_bytes > 4 * 1000 * 3 * load(preset).images.work_px ** 2


def test_smaller_parts_of_a_batch_need_less_memory() -> None:
    whole, parts = (
        estimate(load("default", changes), 10_000) for changes in ([], ["classify.micro_batch=4"])
    )
    assert parts.memory_bytes < whole.memory_bytes
    assert parts.seconds == pytest.approx(whole.seconds)


def test_an_encoder_of_which_nothing_is_known_is_named() -> None:
    config = load("paper", ["embed.weights=someone/unknown"])
    assert estimate(config, 100).unknown == ("embed",)


def test_no_weights_are_made() -> None:
    network = cost_of(lambda: nn.Linear(100_000, 100_000), (100_000,))  # 40 GB
    assert network.parameters > 1e10
    assert torch.zeros(1).device.type == "cpu"
