"""Light is undone by few numbers: a surface through the background, a white and a bend."""

from __future__ import annotations

import math

import torch

from buffycoat.restore.light import MAX_LOG_GAIN, LightCorrection


def test_it_starts_by_changing_nothing() -> None:
    image = torch.rand(2, 3, 40, 33, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.allclose(LightCorrection()(image), image, atol=1e-5)


def test_it_learns_to_see_uneven_light_whatever_is_in_the_middle() -> None:
    torch.manual_seed(0)
    light = LightCorrection()
    optimiser = torch.optim.Adam(light.parameters(), 5e-3)
    for _ in range(200):
        clean, uneven = _scenes(8, 40, 40)
        optimiser.zero_grad()
        (light(uneven) - clean).abs().mean().backward()
        optimiser.step()
    clean, uneven = _scenes(16, 61, 90)
    before, after = ((image - clean).abs().mean() for image in (uneven, light(uneven).detach()))
    assert after < before / 4


def test_no_gain_exceeds_its_limit() -> None:
    light = LightCorrection()
    with torch.no_grad():
        light.trust.bias.fill_(1.0)
        light.white.bias.fill_(50.0)
    image = torch.full((1, 3, 32, 32), -0.9)
    gain = (light(image) + 1) / (image + 1)
    assert 5 < gain.max() <= 1.001 * math.exp(MAX_LOG_GAIN)


def test_autocast_does_not_reach_the_solver() -> None:
    light = LightCorrection()
    with torch.no_grad():
        light.trust.bias.fill_(1.0)
    _, uneven = _scenes(2, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = light(uneven)
    assert torch.equal(found, light(uneven))
    assert not torch.allclose(found, uneven, atol=0.01)


def _scenes(n: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Dark disks on even white, and the same under light that falls off and has a colour."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    radius = 0.4 + 0.3 * torch.rand(n, 1, 1, 1)
    level = torch.where(x * x + y * y < radius * radius, 0.4, 0.85).expand(n, 3, -1, -1)
    slope_x, slope_y, bend = 0.6 * torch.rand(3, n, 1, 1, 1) - 0.3
    fall = torch.exp(slope_x * x + slope_y * y + bend * y * y)
    colour = 0.7 + 0.3 * torch.rand(n, 3, 1, 1)
    return 2 * level - 1, 2 * level * fall * colour - 1
