"""The average of weights, against its definition."""

from __future__ import annotations

import torch

from buffycoat.training.ema import follow


def test_the_average_follows_slowly_and_its_decay_warms_up() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    average = follow(model, 0.6)
    expected = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(1, 20):
        with torch.no_grad():
            for value in model.parameters():
                value.copy_(torch.randn(value.shape))
        model(torch.randn(4, 3))  # moves the statistics, and counts the batch
        average.update(model, step)
        decay = min(0.6, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            kept = expected[name]
            is_count = not value.is_floating_point()
            expected[name] = value.clone() if is_count else decay * kept + (1 - decay) * value
        for name, value in average.module.state_dict().items():
            torch.testing.assert_close(value, expected[name])
    assert not average.module.training
    assert not any(value.requires_grad for value in average.module.parameters())
