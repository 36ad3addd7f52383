"""The scale of photographs, by red cells and white cells together."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from buffycoat.sites.scale import LARGEST, Sizes, compare, diameter, red_cells

HOME = Sizes(red=0.2, white=0.38)


def _frame(side: int = 200, red: int = 18, white: int = 36) -> tuple[np.ndarray, np.ndarray]:
    """A white cell amid six red ones, radii in pixels; and the white cell's mask."""
    image = np.full((side, side, 3), (250, 230, 205), np.uint8)
    middle = side // 2
    mask = np.zeros((side, side), np.uint8)
    cv2.circle(mask, (middle, middle), white, 1, -1)
    for turn in np.arange(6) * np.pi / 3:
        place = (round(middle + 70 * np.cos(turn)), round(middle + 70 * np.sin(turn)))
        cv2.circle(image, place, red, (220, 160, 160), -1)
        cv2.circle(image, place, red // 3, (245, 215, 195), -1)
    image[mask > 0] = (120, 80, 150)
    return image, mask.astype(bool)


def test_whole_red_cells_are_measured_with_their_pale_middle() -> None:
    image, mask = _frame()
    found = red_cells(image, mask)
    assert len(found) == 6
    np.testing.assert_allclose(found, 36 / 200, rtol=0.05)


def test_platelets_cut_cells_and_clumps_are_no_red_cells() -> None:
    image, mask = _frame()
    image[:60] = image[-60:] = (250, 230, 205)
    cv2.circle(image, (20, 20), 6, (150, 60, 160), -1)  # a platelet
    cv2.circle(image, (100, 0), 18, (220, 160, 160), -1)  # cut by the border
    cv2.ellipse(image, (60, 180), (30, 12), 0, 0, 360, (220, 160, 160), -1)  # a clump's shape
    assert len(red_cells(image, mask)) <= 2  # those left and right of the white cell


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_frame_of_one_colour_has_none(level: int) -> None:
    assert red_cells(np.full((64, 64, 3), level, np.uint8), np.zeros((64, 64), bool)) == []


def test_the_scale_follows_from_cells_of_both_kinds() -> None:
    frames = [_frame() for _ in range(10)]
    images = np.stack([image for image, _ in frames])
    sizes = Sizes.of(images, [mask for _, mask in frames], np.ones(10, bool))
    assert sizes.red == pytest.approx(0.18, rel=0.05)
    assert sizes.white == pytest.approx(0.36, rel=0.05)
    assert compare(sizes, sizes).factor == 1


def test_a_mix_of_other_types_is_no_other_scale() -> None:
    assert compare(Sizes(0.2, 0.29), HOME).factor == 1  # lymphocytes alone
    assert compare(Sizes(None, 0.36), HOME).factor == 1


def test_another_scale_is_seen_whichever_cells_there_are() -> None:
    assert compare(Sizes(0.3, 0.57), HOME).factor == pytest.approx(1.5)
    assert compare(Sizes(0.3, 0.44), HOME).factor == pytest.approx(1.42, abs=0.05)
    found = compare(Sizes(None, 0.57), HOME)
    assert found.factor == pytest.approx(1.5)
    assert "white cells 1.50 times as wide" in found.reason


def test_what_cannot_be_told_stays() -> None:
    assert compare(Sizes(None, None), HOME).reason.startswith("too few")
    far = compare(Sizes(0.2 * LARGEST * 1.1, None), HOME)
    assert far.factor == 1
    assert "um_per_px" in far.reason


def test_a_diameter_is_that_of_the_circle() -> None:
    assert diameter(np.pi * 25, 100) == pytest.approx(0.1)
