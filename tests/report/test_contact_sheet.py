from __future__ import annotations

import numpy as np
from PIL import ImageDraw, ImageFont

from buffycoat.report.contact_sheet import MAX_PAIRS, Pair, draw_contact_sheet
from buffycoat.report.sheet import FONT_PX, TILE_PX


def _pair(number: int = 0, shape: tuple[int, int] = (60, 80), name: str = "") -> Pair:
    before = np.full((*shape, 3), (200, 10, 10), np.uint8)
    after = np.full((*shape, 3), (10, 10, 200), np.uint8)
    return Pair(name or f"cell-{number}", before, after, 2.0, "noise+light", "restored", True)


def _lines(monkeypatch, pairs, n_cells) -> list[str]:
    written: list[str] = []
    plain = ImageDraw.ImageDraw.text

    def note(self, place, text, *args, **kwargs):
        written.append(text)
        return plain(self, place, text, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    draw_contact_sheet(pairs, n_cells)
    return written


def _share(sheet: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(sheet.astype(int) - colour) < 8).all(axis=2)


def test_before_is_left_of_after_and_both_are_as_large():
    sheet = draw_contact_sheet([_pair()], 1)
    before, after = _share(sheet, (200, 10, 10)), _share(sheet, (10, 10, 200))
    assert before.sum() == after.sum() > 10_000
    assert np.nonzero(before)[1].max() < np.nonzero(after)[1].min()
    assert set(np.nonzero(before)[0]) == set(np.nonzero(after)[0])


def test_a_photograph_keeps_its_proportions():
    before = _share(draw_contact_sheet([_pair(shape=(40, 160))], 1), (200, 10, 10))
    rows, columns = np.nonzero(before)
    ratio = (columns.max() - columns.min() + 1) / (rows.max() - rows.min() + 1)
    assert abs(ratio - 4) < 0.3


def test_each_pair_has_its_name_severity_and_verdict(monkeypatch):
    lines = _lines(monkeypatch, [_pair(3)], 1)
    assert "cell-3" in lines
    assert any("severity 2.0" in line and "noise, light" in line for line in lines)
    assert "restored" in lines
    assert any("human review" in line for line in lines)


def test_the_sheet_says_how_many_it_does_not_show(monkeypatch):
    pairs = [_pair(number) for number in range(MAX_PAIRS + 5)]
    lines = _lines(monkeypatch, pairs, 100)
    assert lines[0] == f"{MAX_PAIRS} of 100 cells; {100 - MAX_PAIRS} not shown"
    assert f"cell-{MAX_PAIRS - 1}" in lines
    assert f"cell-{MAX_PAIRS}" not in lines
    assert "not shown" not in _lines(monkeypatch, pairs[:2], 2)[0]


def test_long_names_stay_within_their_pair(monkeypatch):
    long = "a" * 300 + "\n" + "z" * 300
    font = ImageFont.load_default(FONT_PX)
    lines = _lines(monkeypatch, [_pair(name=long), _pair(1)], 2)
    shown = next(line for line in lines if line.startswith("aaa"))
    assert shown.endswith("zzz")
    assert font.getlength(shown) <= 2 * TILE_PX


def test_more_pairs_make_a_longer_sheet_of_the_same_width():
    small, large = (draw_contact_sheet([_pair()] * n, n) for n in (4, 9))
    assert small.shape[1] == large.shape[1]
    assert small.shape[0] < large.shape[0]
