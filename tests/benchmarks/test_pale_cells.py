from __future__ import annotations

import numpy as np
import pytest
from benchmarks.site_cells import read_site

from benchmarks import pale_cells
from buffycoat.segment.stain import segment_all
from buffycoat.simulate.render import render_cell


def test_a_faded_picture_keeps_its_size_and_loses_contrast() -> None:
    image = render_cell("LY", np.random.default_rng(0), 120).image
    shown = pale_cells.faded(image, np.random.default_rng(1))
    assert shown.shape == image.shape
    assert shown.dtype == np.uint8
    spread, before = (np.ptp(np.percentile(x[..., 1], (2, 98))) for x in (shown, image))
    assert spread < before


def test_a_corner_leaves_out_the_middle() -> None:
    image = np.zeros((360, 360, 3), np.uint8)
    image[110:250, 110:250] = 255
    for seed in range(4):
        found = pale_cells.corner(image, np.random.default_rng(seed))
        assert found.shape == image.shape
        assert not found.any()


def test_numbers_of_masks() -> None:
    drawn = render_cell("LY", np.random.default_rng(0), 160)
    masks = segment_all([drawn.image, np.full((160, 160, 3), 255, np.uint8)])
    numbers = pale_cells.measure(masks, masks)
    assert numbers == {"no_cell": 1, "good_outline": 1, "dice_nucleus": 1, "dice_cell": 1}


@pytest.mark.real
def test_cells_of_a_pale_site_are_found_and_its_red_cells_are_not(fields_of_sites) -> None:
    shared = fields_of_sites.parent
    cells = pale_cells.measure(segment_all(pale_cells.work(read_site("chula", shared).images)), [])
    assert cells["no_cell"] <= 0.05 * 236
    for name, before in (("chula", 181), ("bccd", 186)):
        red = segment_all(pale_cells.work(pale_cells.squares(name, shared)))
        assert pale_cells.measure(red, [])["no_cell"] >= before - 2
