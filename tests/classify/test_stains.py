"""Stain space, and the change of each stain's density."""

from __future__ import annotations

import numpy as np

from buffycoat.classify.stains import RGB_FROM_HED, jitter_stains


def test_stain_jitter_scales_each_stain_s_density_on_its_own() -> None:
    rng = np.random.default_rng(0)
    stains = rng.uniform(0.1, 0.6, (8, 8, 3))
    image = np.rint(255 * np.exp(-stains @ RGB_FROM_HED)).astype(np.uint8)
    changed = jitter_stains(image, np.random.default_rng(1), 0.2)
    found = -np.log(changed / 255) @ np.linalg.inv(RGB_FROM_HED)
    slopes = []
    for stain in range(3):
        slope, offset = np.polyfit(stains[..., stain].ravel(), found[..., stain].ravel(), 1)
        slopes.append(slope)
        assert abs(offset) < 0.05
    assert 0.78 < min(slopes) < 0.99
    assert np.ptp(slopes) > 0.02


def test_stain_jitter_of_nothing_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(1, 256, (9, 9, 3), dtype=np.uint8)
    assert np.array_equal(jitter_stains(image, np.random.default_rng(0), 0.0), image)


def test_the_stains_are_those_of_scikit_image() -> None:
    from skimage.color import rgb_from_hed

    assert np.allclose(RGB_FROM_HED, rgb_from_hed)
