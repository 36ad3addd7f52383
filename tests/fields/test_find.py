"""Cells of rendered fields: each once, whole, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from buffycoat.errors import ImageError
from buffycoat.evaluate import finding
from buffycoat.fields import find as finder
from buffycoat.fields.field import Field
from buffycoat.fields.find import FoundCells, find, measure_scale
from buffycoat.fields.red_cells import RED_CELL_UM
from buffycoat.simulate.fields import SIDE_UM, Placed, RenderedField, render_field

TYPES = ("SNE", "LY", "EO", "BA", "BNE", "PLY")


def _field(cells: Sequence[Placed], seed: int = 0, size_px: int = 480, red: int = 60):
    return render_field(cells, np.random.default_rng(seed), size_px, red)


def _search(field: RenderedField, image: np.ndarray | None = None) -> FoundCells:
    view = Field("a", field.image if image is None else image)
    scale = measure_scale(view)
    assert scale is not None
    return find(view, scale.diameter_px)


def _boxes(found: FoundCells) -> np.ndarray:
    return np.array([cell.box for cell in found.cells if cell.kind == "cell"]).reshape(-1, 4)


@pytest.mark.parametrize("size_px", [270, 480, 900])
def test_every_cell_is_found_once_with_its_box(size_px: int) -> None:
    places = [(20, 20), (68, 22), (22, 66), (66, 68), (45, 43)]
    matched = found_in_all = 0
    for seed in range(3):
        cells = [Placed(TYPES[(seed + n) % len(TYPES)], x, y) for n, (x, y) in enumerate(places)]
        field = _field(cells, seed, size_px)
        found = _boxes(_search(field))
        found_in_all += len(found)
        assert finding.match(found, field.boxes, 0).n_matched == len(places)
        matched += finding.match(found, field.boxes).n_matched
    assert found_in_all == 3 * len(places)
    assert matched >= 3 * len(places) - 1


def test_a_field_of_red_cells_and_platelets_holds_no_cell() -> None:
    for seed in range(4):
        found = _search(_field([], seed))
        assert found.cells == ()
        assert found.quality.faults == ()


def test_cells_that_touch_are_two() -> None:
    field = _field([Placed("LY", 40, 45), Placed("LY", 49.5, 45)], red=40)
    found = _boxes(_search(field))
    assert finding.match(found, field.boxes).n_matched == len(found) == 2


def test_a_cell_cut_by_the_border_is_marked_and_its_box_ends_there() -> None:
    field = _field([Placed("LY", SIDE_UM - 1.5, 45), Placed("LY", 45, 45)])
    found = _search(field)
    assert sorted(cell.is_cut for cell in found.cells) == [False, True]
    cut = next(cell for cell in found.cells if cell.is_cut)
    assert cut.box[0] + cut.box[2] == field.image.shape[1]


def test_uneven_light_and_a_cast_change_no_count() -> None:
    field = _field([Placed("SNE", 25, 30), Placed("LY", 70, 60)])
    side = field.image.shape[0]
    ramp = np.linspace(0.55, 1.0, side)[None, :, None] * np.array([0.85, 0.6, 0.8])
    image = (field.image * ramp).astype(np.uint8)
    assert finding.match(_boxes(_search(field, image)), field.boxes).n_matched == 2
    assert len(_search(field, image).cells) == 2


def test_the_black_around_a_round_field_is_no_cell() -> None:
    field = _field([Placed("LY", 45, 30), Placed("SNE", 30, 60)])
    side = field.image.shape[0]
    disk = np.zeros((side, side), np.uint8)
    cv2.circle(disk, (side // 2, side // 2), round(0.47 * side), 1, cv2.FILLED)
    image = np.where(disk[..., None] > 0, field.image, np.uint8(6))
    found = _boxes(_search(field, image))
    assert finding.match(found, field.boxes).n_matched == len(found) == 2


def test_small_and_gray_spots_are_no_cells() -> None:
    field = _field([Placed("LY", 45, 45)])
    image, scale = field.image.copy(), 1 / field.um_per_px
    for x, y, radius, colour in (
        (15, 15, 1.3, (120, 60, 150)),  # a platelet
        (75, 15, 4.0, (60, 60, 60)),  # dirt
    ):
        centre = (round(x * scale), round(y * scale))
        cv2.circle(image, centre, round(radius * scale), colour, cv2.FILLED)
    assert len(_boxes(_search(field, image))) == 1


def test_turned_fields_have_the_same_cells() -> None:
    field = _field([Placed("SNE", 25, 30), Placed("LY", 70, 60)])
    turned = np.ascontiguousarray(np.rot90(field.image))
    view = Field("a", turned)
    red_px = RED_CELL_UM / field.um_per_px
    a, b = find(Field("a", field.image), red_px), find(view, red_px)
    assert len(a.cells) == len(b.cells) == 2


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_field_holds_nothing_and_says_why(level: int) -> None:
    found = find(Field("a", np.full((300, 300, 3), level, np.uint8)), 40.0)
    assert found.cells == ()
    assert "no red cells" in found.quality.faults


def test_a_gray_field_is_told() -> None:
    field = _field([Placed("LY", 45, 45)])
    gray = cv2.cvtColor(cv2.cvtColor(field.image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert "without colour" in _search(field, gray).quality.faults


def test_a_blurred_field_is_told() -> None:
    field = _field([Placed("LY", 45, 45)])
    blurred = cv2.GaussianBlur(field.image, (0, 0), 2.2 / field.um_per_px)
    found = find(Field("a", blurred), RED_CELL_UM / field.um_per_px)
    assert "out of focus" in found.quality.faults
    assert "out of focus" not in _search(field).quality.faults


def test_a_field_too_large_for_its_scale_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finder, "MOST_PIXELS", 10_000)
    with pytest.raises(ImageError, match="Cut it into tiles"):
        find(Field("a", np.full((300, 300, 3), 200, np.uint8)), 12.0)
