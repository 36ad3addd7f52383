"""Mixing two cells: the share says how much of the image is each row's own."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.classify.mix import MIXES, mix
from buffycoat.errors import ConfigError


def _flat(n: int = 200) -> np.ndarray:
    """Images of one level each, none like another."""
    return np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 16, 16, 3)).copy()


@pytest.mark.parametrize("kind", sorted(MIXES))
def test_the_share_is_that_of_the_own_pixels(kind: str) -> None:
    images = _flat()
    before = images.copy()
    shares = []
    for seed in range(20):
        mixed = mix(images, kind, 1.0, 1.0, np.random.default_rng(seed))
        level, partner = np.arange(200.0), mixed.partner.astype(float)
        expected = mixed.share * level + (1 - mixed.share) * partner
        assert mixed.pixels.mean(axis=(1, 2, 3)) == pytest.approx(expected, abs=0.51)
        shares.append(mixed.share)
    assert np.array_equal(images, before)
    assert max(shares) - min(shares) > 0.3


def test_a_batch_is_mixed_with_its_probability() -> None:
    images = _flat(8)
    rng = np.random.default_rng(0)
    mixed = [mix(images, "mixup", 0.3, 1.0, rng) for _ in range(400)]
    alone = [m for m in mixed if m.share == 1]
    assert 0.64 < len(alone) / 400 < 0.76
    assert all(np.array_equal(m.pixels, images) for m in alone)
    assert all(m.partner.tolist() == list(range(8)) for m in alone)


def test_none_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    assert np.array_equal(mix(_flat(4), "none", 1.0, 1.0, rng).pixels, _flat(4))


def test_an_unknown_way_to_mix_says_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'cutmix'"):
        mix(_flat(4), "cutmx", 1.0, 1.0, np.random.default_rng(0))
