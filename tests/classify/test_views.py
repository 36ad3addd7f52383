from __future__ import annotations

import numpy as np
import pytest

from buffycoat.classify.augment import augment, severity_weights
from buffycoat.classify.views import centre, views_of
from buffycoat.config import ClassifyConfig

ASYMMETRIC = np.arange(9).reshape(3, 3, 1)


def distinct(name):
    views = views_of(ASYMMETRIC, name)
    return {tuple(view.flatten().tolist()) for view in views}


def test_d4_has_eight_distinct_views_and_is_closed_under_rotation():
    views = distinct("d4")
    assert len(views) == 8
    for view in views:
        turned = np.rot90(np.array(view).reshape(3, 3))
        assert tuple(turned.flatten().tolist()) in views


def test_the_published_eight_views_are_seven():
    assert len(views_of(ASYMMETRIC, "paper7")) == 8
    assert len(distinct("paper7")) == 7
    anti_transpose = np.rot90(ASYMMETRIC[..., 0], 2).T
    assert tuple(anti_transpose.flatten().tolist()) not in distinct("paper7")


def test_only_the_wanted_views_are_made():
    both = views_of(ASYMMETRIC, "d4", [5, 0])
    assert np.array_equal(both, views_of(ASYMMETRIC, "d4")[[5, 0]])


def test_centre_keeps_the_middle_of_the_cell():
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 40:60] = 255
    crop = centre(image, 0.5, 50)
    assert crop[15:35, 15:35].min() == 255
    assert crop[:14].max() == 0


@pytest.mark.parametrize("kind", ["full", "paper"])
def test_augment_keeps_the_cell_in_the_middle_and_follows_its_seed(kind):
    image = np.full((100, 100, 3), 230, np.uint8)
    image[35:65, 35:65] = (90, 40, 140)
    recipe = ClassifyConfig(crop_fraction=0.8, input_px=64, augment=kind, degrade_probability=0)
    for seed in range(20):
        a = augment(image, np.random.default_rng(seed), recipe)
        b = augment(image, np.random.default_rng(seed), recipe)
        assert a.shape == (64, 64, 3)
        assert np.array_equal(a, b)
        assert a[28:36, 28:36, 1].mean() < a[:6, :6, 1].mean() - 50


def test_degradation_is_drawn_with_its_probability():
    image = np.full((64, 64, 3), 128, np.uint8)
    image[20:40, 20:40] = 60

    def roughness(probability):
        recipe = ClassifyConfig(crop_fraction=0.8, input_px=64, degrade_probability=probability)
        views = [augment(image, np.random.default_rng(i), recipe) for i in range(30)]
        return np.mean([np.abs(np.diff(v[:10].astype(int), axis=0)).mean() for v in views])

    assert roughness(1.0) > 3 * roughness(0.0) + 0.1


def test_severities_grow_along_the_ramp():
    largest = [max(np.flatnonzero(severity_weights(p, 0.8))) for p in (0, 0.1, 0.3, 0.5, 0.7, 0.9)]
    assert largest == [1, 1, 2, 3, 4, 4]
    assert severity_weights(0.0, 0.0) == severity_weights(0.9, 0.8)


class _Draws:
    """Stands for a generator: turns by nothing, and gains and offsets as they are given."""

    def __init__(self, gain: float, offset: float) -> None:
        self.jitter = np.array([gain, offset])

    def uniform(self, low: float, high: float, size: int | None = None) -> object:
        if size is None:
            return (low + high) / 2
        return self.jitter if (low, high) == (0.8, 1.2) else np.zeros(size)

    def choice(self, options: tuple[int, ...]) -> int:
        return options[-1]


@pytest.mark.parametrize(
    ("level", "gain", "offset", "expected"),
    [(100, 1.0, 1.005, 101), (129, 1.5, 1.0, 130), (131, 1.5, 1.0, 132), (250, 1.2, 1.2, 255),
     (3, 1.2, 0.8, 0), (130, 1.2, 1.0, 130), (127, 1.4, 1.0, 127)],
)  # fmt: skip
def test_jitter_rounds_half_to_even_and_clips(
    level: int, gain: float, offset: float, expected: int
) -> None:
    image = np.full((40, 40, 3), level, np.uint8)
    recipe = ClassifyConfig(crop_fraction=1.0, input_px=40, augment="paper")
    found = augment(image, _Draws(gain, offset), recipe)  # pyright: ignore[reportArgumentType]
    assert (found == expected).all()
