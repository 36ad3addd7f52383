"""The comparison measures what it says, and its page holds what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.comparison import classify, earlier, masks, sets
from benchmarks.comparison.rows import (
    RESULTS,
    Place,
    Row,
    better_of,
    in_markdown,
    once,
    read_table,
)

from buffycoat.simulate.render import render_cell

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_holds_the_table_that_was_measured() -> None:
    page = (ROOT / "docs" / "comparison.md").read_text()
    rows = read_table(RESULTS / "comparison" / "comparison.csv")
    assert in_markdown(rows) in page
    assert {line.count(" | ") for line in page.splitlines() if line.startswith("|")} <= {0, 1, 2}
    assert {row.better for row in rows} <= {"buffycoat", "other", "neither"}
    assert all(row.source == "run" or (ROOT / row.source).is_file() for row in rows)


def test_a_task_has_a_small_table_and_what_it_leaves_out_below() -> None:
    page = in_markdown(
        [
            Row("find", "F1", "tool 1", "0.9", "0.8", "buffycoat", "run", "one seed"),
            Row("find", "F1", "tool 2", "0.9", "0.9", "neither", "run", "one seed"),
            Row("find", "time", "tool 2", "4 s", "2 s", "other", "times.csv"),
            Row("cut", "Dice", "tool 3", "0.9", "0.9", "neither", "run"),
        ]
    )
    assert page == (
        "### Find\n\n| measure | buffycoat | other tool |\n|-|-|-|\n"
        "| 1. F1 | **0.9** | tool 1: 0.8 |\n| 2. the same | 0.9 | tool 2: 0.9 |\n"
        "| 3. time | 4 s | the same tool: **2 s** |\n\n"
        "- Left out (rows 1, 2): one seed\n- Stored figures (row 3): `times.csv`\n\n"
        "### Cut\n\n| measure | buffycoat | tool 3 |\n|-|-|-|\n| 1. Dice | 0.9 | 0.9 |\n"
    )


def test_figures_within_the_margin_are_no_win() -> None:
    assert better_of(0.90, 0.89, 0.02, is_higher_better=True) == "neither"
    assert better_of(0.90, 0.80, 0.02, is_higher_better=True) == "buffycoat"
    assert better_of(12.0, 3.0, 1.0, is_higher_better=False) == "other"


def test_what_is_finished_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "part.json"
    assert once(path, lambda: {"f1": 0.5}) == once(path, pytest.fail) == {"f1": 0.5}


def test_lines_that_a_user_writes_are_code_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text('"""What\nit does."""\n\n# why\nx = 1\nkept = x  # resume\nprint(x)\n')
    assert classify.written_lines(script) == 2


def test_calibration_cells_are_never_tested_and_their_tail_is_long() -> None:
    targets = np.repeat(np.arange(3), 50)
    found = sets.calibrations(targets, np.array([100, 10, 1]))
    tested = sets._tested(targets)
    for rows in found.values():
        assert not (rows & tested).any()
    tail = found["a long tail"]
    assert [int(tail[0, targets == column].sum()) for column in range(3)] == [40, 4, 1]
    assert (tested.sum(axis=0) == sets.DEALS).all()


def test_sets_are_scored_by_the_class_that_is_covered_least() -> None:
    targets = np.array([0, 0, 1, 1])
    held = np.zeros((1, 4, 2), dtype=bool)
    held[0, [0, 1, 2], [0, 0, 1]] = True
    held[0, 0, 1] = True
    found = sets.figures(held, np.ones((1, 4), dtype=bool), targets)
    assert found == {"coverage": 0.75, "least": 0.5, "size": 1.0, "empty": 0.25}
    all_in = {"least": 1.0, "size": 9.0}
    assert sets.better(all_in, found) == "buffycoat"
    assert sets.better({"least": 0.9, "size": 1.5}, all_in) == "buffycoat"


@pytest.mark.parametrize("channel", masks.CHANNELS)
def test_the_other_masks_find_a_rendered_cell(channel: str) -> None:
    drawn = render_cell("LY", np.random.default_rng(3), 160)
    nucleus, cell = masks.by_skimage(drawn.image, channel)
    assert nucleus[80, 80]
    assert not (nucleus & ~cell).any()
    assert 0 < nucleus.mean() < cell.mean() < 0.5


def test_stored_rows_are_read(tmp_path: Path) -> None:
    rows = earlier.rows(Place(tmp_path, tmp_path, tmp_path))
    exact = next(row for row in rows if "exact limits" in row.measure)
    assert float(exact.ours) < 1e-9
    assert {row.task for row in rows} == {
        "loss for a long tail", "wrong labels", "review", "intervals",
    }  # fmt: skip
    found = [row for row in earlier.copies() if row.other == "cleanvision 0.3.7"]
    assert (found[0].ours, found[0].theirs) == ("2020", "281")
