"""`buffycoat crop`: annotated fields become a folder of cells that the other commands take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.exchange.boxes import Box, LabelledField
from buffycoat.exchange.coco import write_coco
from buffycoat.images import read, write_png
from buffycoat.sources.read import read as read_cells


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    fields = []
    for name, marked in (("a.png", (Box(60, 50, 20, 24, "LY"), Box(0, 0, 20, 20, "EO"))),
                         ("b.png", (Box(10, 12, 6, 6, "RBC"),))):  # fmt: skip
        image = tmp_path / "fields" / name
        image.parent.mkdir(exist_ok=True)
        write_png(image, rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
        fields.append(LabelledField(image, 160, 120, marked))
    path = tmp_path / "fields" / "cells.json"
    write_coco(path, [(field, [None] * len(field.boxes)) for field in fields])
    return path


def _run(*arguments: object):
    return CliRunner().invoke(app, ["crop", *map(str, arguments)])


def test_crops_are_squares_around_the_boxes_with_their_labels(boxes: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells"
    done = _run(boxes, "--leave-out", "RBC", "--out", out)
    assert done.exit_code == 0, done.output
    assert "2 cells of 58 x 58 px in 2 fields: LY 1, EO 1" in done.output  # 2.65 times 22
    cells = read_cells(out)
    assert sorted(cells.frame["label"]) == ["EO", "LY"]
    field = read(boxes.parent / "a.png")
    of_label = dict(zip(cells.frame["label"], cells.frame["path"], strict=True))
    assert np.array_equal(read(of_label["LY"]), field[33:91, 41:99])
    corner = read(of_label["EO"])  # mirrored above and to the left
    assert np.array_equal(corner[19:, 19:], field[:39, :39])
    assert np.array_equal(corner[18, 19:], field[1, :39])


def test_a_stated_side_is_kept(boxes: Path, tmp_path: Path) -> None:
    done = _run(boxes, "--out", tmp_path / "cells", "--side-px", 40)
    assert done.exit_code == 0, done.output
    assert "3 cells of 40 x 40 px" in done.output
    assert "under a quarter" not in done.output


def test_boxes_that_are_no_cells_by_their_size_are_named(boxes: Path, tmp_path: Path) -> None:
    field = LabelledField(boxes.parent / "a.png", 160, 120, (
        Box(60, 50, 20, 24, "LY"), Box(10, 10, 22, 20, "EO"), Box(90, 90, 3, 2, "LY"),
    ))  # fmt: skip
    write_coco(boxes, [(field, [None] * 3)])
    done = _run(boxes, "--out", tmp_path / "cells")
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert "1 box under a quarter of the typical size: a.png: box of 3 x 2 px" in words


def test_what_is_no_annotation_is_refused_with_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = _run(tmp_path / "empty", "--out", tmp_path / "cells")
    assert done.exit_code != 0
    assert "no boxes that can be read" in done.output


def test_crops_do_not_go_among_the_fields(boxes: Path) -> None:
    done = _run(boxes, "--out", boxes.parent / "cells")
    assert done.exit_code != 0
    assert "lies among the fields" in " ".join(done.output.split())


def test_a_field_that_cannot_be_read_is_named_and_the_others_are_cut(
    boxes: Path, tmp_path: Path
) -> None:
    (boxes.parent / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    done = _run(boxes, "--out", tmp_path / "cells")
    assert done.exit_code != 0
    assert "b.png" in done.output
    assert (tmp_path / "cells" / "cells.csv").exists()
