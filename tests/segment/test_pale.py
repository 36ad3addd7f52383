"""Pale pictures with casts: the cell is found as in strong ones, and red cells are no cell."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.segment.test_stain import dice

from buffycoat import images
from buffycoat.segment import pale
from buffycoat.segment.contrast import nucleus_threshold, optical_density, purple_index
from buffycoat.segment.nucleus import MIN_PURPLE
from buffycoat.segment.stain import segment
from buffycoat.simulate.faults import FAULTS
from buffycoat.simulate.fields import render_field
from buffycoat.simulate.render import render_cell

SIDE_PX = 224
CASTS = {"purple": (0.75, 0.5, 0.8), "orange": (1.0, 0.7, 0.45), "dim": (0.45, 0.45, 0.5)}


def faded(image: np.ndarray, strength: float, cast: str, seed: int = 0) -> np.ndarray:
    """A picture with a share of its optical density, in uneven light of another colour."""
    white = np.percentile(image.reshape(-1, 3), 90, axis=0)
    density = np.log(white / np.maximum(image, 1))
    shown = 250 * np.array(CASTS[cast]) * np.exp(-strength * density)
    rng = np.random.default_rng(seed)
    shown += rng.normal(0, 1.5, shown.shape)
    return FAULTS["uneven_light"](np.clip(np.rint(shown), 0, 255).astype(np.uint8), 0.5, rng)


def is_pale(image: np.ndarray) -> bool:
    small = cv2.resize(image, (160, 160), interpolation=cv2.INTER_AREA)
    return nucleus_threshold(purple_index(optical_density(small))) < MIN_PURPLE


@pytest.mark.parametrize("cast", CASTS)
@pytest.mark.parametrize("code", ["LY", "SNE", "MO", "EO"])
def test_a_pale_cell_is_outlined_as_it_was_drawn(code: str, cast: str) -> None:
    drawn = render_cell(code, np.random.default_rng(3), SIDE_PX)
    image = faded(drawn.image, 0.2, cast)
    assert is_pale(image)
    masks = segment(image)
    assert dice(masks.nucleus, drawn.nucleus_mask) > 0.85
    assert dice(masks.cell, drawn.cell_mask) > 0.75
    assert masks.quality >= pale.LEAST_PLAUSIBLE


@pytest.mark.parametrize("strength", [1.0, 0.3, 0.15])
@pytest.mark.parametrize("cast", CASTS)
def test_red_cells_alone_are_no_cell_however_pale(cast: str, strength: float) -> None:
    for seed in range(4):
        field = render_field([], np.random.default_rng(seed), 3 * SIDE_PX)
        image = faded(field.image[:SIDE_PX, :SIDE_PX], strength, cast, seed)
        assert not segment(image).cell.any()


def test_one_red_cell_with_nothing_beside_it_is_no_cell() -> None:
    image = np.full((SIDE_PX, SIDE_PX, 3), (250, 228, 205), np.uint8)
    cv2.circle(image, (112, 112), 40, (215, 165, 160), -1)
    assert not segment(image).cell.any()


def test_noise_and_a_smooth_patch_of_dim_light_are_no_cell() -> None:
    rng = np.random.default_rng(0)
    away = np.hypot(*(np.mgrid[-1:1:224j, -1:1:224j] + 0.2))
    light = 1 - 0.15 * np.exp(-4 * away**2)
    image = light[..., None] * (200, 150, 190) + rng.normal(0, 3, (SIDE_PX, SIDE_PX, 3))
    assert not segment(np.clip(image, 0, 255).astype(np.uint8)).cell.any()


def test_a_strong_picture_is_left_alone() -> None:
    density = optical_density(render_cell("MO", np.random.default_rng(0), 160).image)
    purple = purple_index(density)
    threshold = nucleus_threshold(purple)
    assert threshold > MIN_PURPLE
    assert pale.gain(density, purple, threshold) == 1


def test_a_blank_has_nothing_to_strengthen() -> None:
    nothing = np.zeros((160, 160, 3), np.float32)
    for threshold in (0.0, 0.2):
        assert pale.gain(nothing, nothing[..., 0], threshold) == 1


@pytest.mark.real
def test_expert_masks_of_pale_cells(seg_wbc) -> None:
    scores = []
    for number, path in enumerate(sorted(seg_wbc.glob("*_mask.png"))):
        image = images.read(path.with_name(path.name.replace("_mask", "")))
        truth = images.read(path)[..., 0]
        cast = list(CASTS)[number % len(CASTS)]
        masks = segment(faded(image, 0.2, cast, number))
        scores.append((dice(masks.nucleus, truth == 2), dice(masks.cell, truth > 0)))
    assert np.mean([nucleus > 0.5 for nucleus, _ in scores]) >= 0.9
    nucleus, cell = np.mean(scores, axis=0)
    assert nucleus >= 0.83
    assert cell >= 0.7
