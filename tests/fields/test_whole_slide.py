"""Slides part by part: every cell once, whatever is read at once, and after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from buffycoat import images
from buffycoat.evaluate import finding
from buffycoat.fields import parts, whole_slide
from buffycoat.fields.field import Field
from buffycoat.fields.find import find
from buffycoat.fields.journal import Journal
from buffycoat.fields.rows import box_of
from buffycoat.fields.slide_scale import measure_slide
from buffycoat.fields.slides.slide import PixelSlide
from buffycoat.fields.whole_slide import SlideTask
from buffycoat.progress import Silent
from buffycoat.simulate.fields import SIDE_UM, Placed, render_field

SIDE, ACROSS = 240, 4
RED_PX = 7.5 / SIDE_UM * SIDE
"""20 pixels."""


@pytest.fixture(scope="module")
def slide() -> tuple[PixelSlide, np.ndarray]:
    """Sixteen fields of one stain side by side, and the boxes of their 32 cells."""
    places = np.random.default_rng(1)
    canvas = np.empty((ACROSS * SIDE, ACROSS * SIDE, 3), np.uint8)
    boxes = []
    for row in range(ACROSS):
        for column in range(ACROSS):
            x, y = places.uniform(10, 38), places.uniform(10, 80)
            cells = [Placed("LY", x, y), Placed("LY", x + 42, 90 - y)]
            field = render_field(cells, np.random.default_rng(0), SIDE)
            top, left = row * SIDE, column * SIDE
            canvas[top : top + SIDE, left : left + SIDE] = field.image
            boxes.append(field.boxes + np.array([left, top, 0, 0]))
    return PixelSlide("a", canvas), np.concatenate(boxes)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 192 pixels: 25 of the slide."""
    monkeypatch.setattr(parts, "CORE", 10.0)


def _run(slide: PixelSlide, out: Path, tile_px: int = 500, red_px: float = RED_PX) -> Any:
    journal = Journal(out)
    try:
        return SlideTask(slide, red_px, "stated", out, journal, "key", tile_px).run(map, Silent())
    finally:
        journal.close()


@pytest.fixture(scope="module")
def whole(slide: tuple[PixelSlide, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "CORE", 10.0)
        return _run(slide[0], tmp_path_factory.mktemp("whole"))


def test_every_cell_is_found_once(slide: tuple[PixelSlide, np.ndarray], whole: Any) -> None:
    boxes = np.array([box_of(row) for row in whole["cells"]])
    matched = finding.match(boxes, slide[1])
    assert matched.n_matched == matched.n_found == matched.n_true == 32
    assert len(whole["parts"]) == 25
    assert whole["field"]["cells"] == 32
    edges = np.arange(192, 960, 192)
    low, high = boxes[:, :2, None], (boxes[:, :2] + boxes[:, 2:])[:, :, None]
    assert int(((low < edges) & (edges < high)).any(axis=(1, 2)).sum()) >= 5  # lie on borders


@pytest.mark.parametrize("tile_px", [1, 700, 5000])
def test_what_is_read_at_once_changes_nothing(
    slide: tuple[PixelSlide, np.ndarray], whole: Any, tmp_path: Path, tile_px: int
) -> None:
    assert _run(slide[0], tmp_path, tile_px) == whole


def test_cells_are_those_of_a_photograph(slide: tuple[PixelSlide, np.ndarray], whole: Any) -> None:
    alone = find(Field("a", slide[0].read(0, 0, 960, 960)), RED_PX)
    boxes = np.array([cell.box for cell in alone.cells])
    found = np.array([box_of(row) for row in whole["cells"]])
    assert finding.match(found, boxes, 0.8).n_matched == len(boxes) == len(found)


def test_a_killed_run_goes_on_where_it_was(
    slide: tuple[PixelSlide, np.ndarray],
    whole: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched: list[str] = []

    def count(view: Field, *rest: Any) -> Any:
        if len(searched) == 10:
            raise KeyboardInterrupt
        searched.append(view.name)
        return find(view, *rest)

    monkeypatch.setattr(whole_slide, "find", count)
    with pytest.raises(KeyboardInterrupt):
        _run(slide[0], tmp_path)
    monkeypatch.setattr(whole_slide, "find", lambda *a: searched.append("again") or find(*a))
    assert _run(slide[0], tmp_path) == whole
    assert searched.count("again") == 15
    assert _run(slide[0], tmp_path) == whole
    assert searched.count("again") == 15


def test_a_crop_that_was_removed_is_made_again(
    slide: tuple[PixelSlide, np.ndarray], whole: Any, tmp_path: Path
) -> None:
    _run(slide[0], tmp_path)
    lost = tmp_path / whole["cells"][7]["path"]
    before = lost.read_bytes()
    lost.unlink()
    assert _run(slide[0], tmp_path) == whole
    assert lost.read_bytes() == before
    assert images.read(lost).shape[0] == whole["cells"][7]["crop_px"]


def test_photographs_on_a_ground_are_searched_one_by_one(tmp_path: Path) -> None:
    canvas = np.full((900, 900, 3), 236, np.uint8)
    boxes, cells = [], [Placed("SNE", 30, 30), Placed("LY", 66, 60)]
    for seed, (left, top) in enumerate([(13, 21), (300, 40), (580, 330), (60, 500)]):
        field = render_field(cells, np.random.default_rng(seed), SIDE)
        dim = (field.image * (0.6 + 0.12 * seed)).astype(np.uint8)
        canvas[top : top + SIDE, left : left + SIDE] = dim
        boxes.append(field.boxes + np.array([left, top, 0, 0]))
    found = _run(PixelSlide("a", canvas), tmp_path)
    matched = finding.match(
        np.array([box_of(row) for row in found["cells"]]), np.concatenate(boxes)
    )
    assert matched.n_matched == matched.n_found == 8


@pytest.mark.parametrize("level", [0, 255])
def test_what_was_never_scanned_is_not_searched(
    tmp_path: Path, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_slide, "find", lambda *_: pytest.fail("searched"))
    done = _run(PixelSlide("a", np.full((900, 1300, 3), level, np.uint8)), tmp_path)
    assert done["cells"] == done["parts"] == []
    assert done["field"]["faults"] == "blank"


def test_the_scale_is_measured_where_there_are_red_cells(
    slide: tuple[PixelSlide, np.ndarray],
) -> None:
    canvas = np.full((4000, 5000, 3), 250, np.uint8)
    canvas[1500:2460, 2100:3060] = slide[0].read(0, 0, 960, 960)
    red = measure_slide(PixelSlide("a", canvas))
    assert red is not None
    assert red.diameter_px == pytest.approx(RED_PX, rel=0.2)
    assert measure_slide(PixelSlide("a", canvas[:1000])) is None
