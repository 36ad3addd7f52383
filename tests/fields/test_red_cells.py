"""Red cells as the ruler of a field."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.fields import red_cells
from buffycoat.fields.field import Field
from buffycoat.fields.find import measure_scale
from buffycoat.fields.red_cells import RED_CELL_UM, RedCells
from buffycoat.simulate.fields import Placed, render_field


@pytest.mark.parametrize("size_px", [240, 480, 960])
def test_red_cells_tell_the_scale_at_any_magnification(size_px: int) -> None:
    rng = np.random.default_rng(size_px)
    field = render_field([Placed("LY", 45, 45)], rng, size_px, red_cells=70)
    found = measure_scale(Field("a", field.image))
    assert found is not None
    assert found.is_certain
    assert RED_CELL_UM / found.diameter_px == pytest.approx(field.um_per_px, rel=0.15)


def test_a_blank_field_has_no_scale() -> None:
    found = measure_scale(Field("a", np.full((200, 200, 3), 230, np.uint8)))
    assert found is None or not found.is_certain


def test_a_field_without_red_cells_takes_the_scale_of_the_others() -> None:
    fields = [RedCells(d, 40) for d in (78.0, 81.0, 84.0)] + [RedCells(18.0, 2), None]
    chosen = red_cells.agree(fields)
    assert all(d == pytest.approx(81, rel=0.04) for d in chosen)


def test_one_field_of_another_size_is_not_believed_and_two_magnifications_are() -> None:
    odd = [*[RedCells(80.0, 40)] * 9, RedCells(20.0, 30)]
    assert red_cells.agree(odd)[-1] == pytest.approx(80, rel=0.04)
    two = red_cells.agree([*[RedCells(80.0, 40)] * 6, *[RedCells(32.0, 90)] * 4])
    assert two[0] == pytest.approx(80, rel=0.04)
    assert two[-1] == pytest.approx(32, rel=0.04)


def test_without_a_certain_field_there_is_no_scale() -> None:
    assert red_cells.agree([RedCells(80.0, 1), None]) == [None, None]
    assert red_cells.agree([]) == []


def test_a_single_certain_field_keeps_its_own_scale() -> None:
    assert red_cells.agree([RedCells(50.0, 20)])[0] == pytest.approx(50, rel=0.02)
