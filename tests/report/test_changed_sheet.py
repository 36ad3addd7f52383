from __future__ import annotations

import numpy as np
import pytest

from buffycoat.report.changed_sheet import COLUMNS, RED, ChangedCell, draw_changed_sheet
from buffycoat.report.sheet import GREEN, TILE_PX


def cells(n_won: int, n_lost: int) -> list[ChangedCell]:
    image = np.full((40, 30, 3), 200, dtype=np.uint8)
    return [
        ChangedCell(f"{n}.png", image, "MY", "MMY", "MY", n < n_won) for n in range(n_won + n_lost)
    ]


def shows(sheet: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows in which a tile has a frame of that colour."""
    return np.flatnonzero((sheet == colour).all(axis=2).sum(axis=1) > TILE_PX // 2)


def test_won_cells_stand_above_lost_ones() -> None:
    sheet = draw_changed_sheet(("a", "b"), cells(2, 3), 2, 3)
    assert shows(sheet, GREEN).max() < shows(sheet, RED).min()
    assert sheet.dtype == np.uint8


def test_a_kind_without_cells_takes_no_room() -> None:
    both = draw_changed_sheet(("a", "b"), cells(COLUMNS + 1, 1), COLUMNS + 1, 1)
    won = draw_changed_sheet(("a", "b"), cells(COLUMNS + 1, 0), COLUMNS + 1, 0)
    assert not len(shows(won, RED))
    assert both.shape[0] - won.shape[0] == pytest.approx(TILE_PX + 65, abs=10)
    nothing = draw_changed_sheet(("a", "b"), [], 0, 0)
    assert nothing.shape[1] == won.shape[1]
