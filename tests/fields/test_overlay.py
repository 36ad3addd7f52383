"""Pictures of fields with the class of each cell."""

from __future__ import annotations

import numpy as np

from buffycoat.fields.overlay import MarkedCell, draw_classes

SQUARE = np.array([[40, 40], [80, 40], [80, 80], [40, 80]], dtype=float)
RED = (255, 0, 0)


def _drawn(is_doubtful: bool, outline: np.ndarray = SQUARE) -> np.ndarray:
    ground = np.full((120, 160, 3), 200, np.uint8)
    cell = MarkedCell(outline, "LY", RED, is_doubtful)
    return draw_classes(ground, [cell], "a.png: 1 cell")


def _red(image: np.ndarray) -> int:
    return int(((image[..., 0] > 200) & (image[..., 1] < 60)).sum())


def test_a_cell_has_an_outline_and_the_field_a_footer() -> None:
    drawn = _drawn(is_doubtful=False)
    assert drawn.shape[0] > 120
    assert drawn.shape[1] == 160
    assert _red(drawn[60:62, 38:43]) > 0  # the left side
    assert (drawn[60, 60] == 200).all()  # not filled
    assert (drawn[122:] < 100).any()  # letters


def test_a_doubtful_cell_is_dashed() -> None:
    assert 0.3 < _red(_drawn(is_doubtful=True)) / _red(_drawn(is_doubtful=False)) < 0.9


def test_the_name_stays_inside_the_field() -> None:
    for shift in ((-40, -40), (70, 30)):
        drawn = _drawn(is_doubtful=False, outline=SQUARE + shift)
        dark = (drawn[:120, :, 0] > 150) & (drawn[:120, :, 0] < 190) & (drawn[:120, :, 1] < 20)
        assert dark.sum() > 100  # the ground of the letters


def test_a_field_without_a_cell_has_its_footer() -> None:
    drawn = draw_classes(np.full((120, 160, 3), 200, np.uint8), [], "a.png: 0 cells")
    assert (drawn[:120] == 200).all()
    assert (drawn[122:] < 100).any()


def test_small_cells_have_small_letters() -> None:
    ground = np.full((1200, 1600, 3), 200, np.uint8)
    small, large = (
        draw_classes(ground, [MarkedCell(SQUARE * by, "LY", RED, False)], "") for by in (0.5, 6)
    )
    assert small.shape[0] < large.shape[0]  # the footer too
