"""Fields with boxes given where cells are expected: cut out, scored, or refused with the remedy."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.crop import cells_of_boxes
from buffycoat.cli.main import app
from buffycoat.errors import ManifestError
from buffycoat.exchange.boxes import Box, LabelledField
from buffycoat.exchange.coco import write_coco
from buffycoat.exchange.yolo import write_yolo
from buffycoat.images import write_png
from buffycoat.simulate.fields import Placed, render_field
from buffycoat.sources.boxed import is_boxed
from buffycoat.sources.read import read

CODES = ("LY", "SNE", "EO", "MO")


def _run(*arguments: object):
    done = CliRunner().invoke(app, [*map(str, arguments)])
    return done, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    """COCO's file of four fields, each with a white cell and a red one."""
    listed = []
    for number, code in enumerate(CODES):
        image = tmp_path / "fields" / f"{number}.png"
        rng = np.random.default_rng(number)
        write_png(image, render_field([Placed(code, 45, 45)], rng, 240).image)
        boxes = (Box(100, 100, 40, 40, code), Box(20, 20, 16, 16, "RBC"))
        listed.append(LabelledField(image, 240, 240, boxes))
    path = tmp_path / "fields" / "cells.json"
    write_coco(path, [(field, [None, None]) for field in listed])
    return path


def test_a_file_or_folder_of_boxes_is_cut_into_cells(fields: Path, tmp_path: Path) -> None:
    for number, data in enumerate((fields, fields.parent)):
        out = tmp_path / f"cells{number}"
        cells, rest = cells_of_boxes(data, out, ["RBC", "old*"])
        assert (cells, rest) == (out, ["old*"])
        assert sorted(read(out).frame["label"]) == sorted(CODES)


def test_red_cells_are_not_taken_for_white_ones(fields: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"RBC \(4\)\. Leave them out: --leave-out RBC"):
        cells_of_boxes(fields, tmp_path / "cells", None)


def test_a_label_that_no_box_has_is_named(fields: Path, tmp_path: Path) -> None:
    done, said = _run(
        "crop", fields, "--leave-out", "RBC", "--leave-out", "XY", "--out", tmp_path / "cells"
    )
    assert done.exit_code == 2
    assert "--leave-out XY: no box has such a label" in said


def test_train_learns_from_the_crops(
    fields: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from buffycoat.learn import train

    asked = {}

    def remember(
        sites: dict, out: Path, settings: object, *more: object, **named: object
    ) -> SimpleNamespace:
        asked.update(sites=sites, reading=more[-1])
        raise ManifestError("stop here")

    monkeypatch.setattr(train, "train", remember)
    out = tmp_path / "run"
    done, _ = _run("train", fields, "--preset", "demo", "--leave-out", "RBC", "--out", out)
    assert done.exit_code == 2
    assert list(asked["sites"].values()) == [out / "cells"]
    assert asked["reading"].leave_out == ()
    assert len(read(out / "cells")) == 4
    other = tmp_path / "more" / "LY"
    write_png(other / "1.png", np.full((40, 40, 3), 200, np.uint8))
    _run("train", f"a={fields}", f"b={other.parent}", "--preset", "demo", "--leave-out", "RBC",
         "--out", out)  # fmt: skip
    assert asked["sites"] == {"a": out / "cells" / "a", "b": other.parent}


@pytest.mark.parametrize("command", ["measure", "audit"])
def test_other_commands_say_how_to_cut_them_out(fields: Path, tmp_path: Path, command: str) -> None:
    done, said = _run(command, fields, "--out", tmp_path / "out.csv")
    assert done.exit_code == 2
    assert f"buffycoat crop {fields} --out cells" in said


def test_pictures_in_class_folders_are_cells_whatever_boxes_lie_there(tmp_path: Path) -> None:
    for code in CODES:
        write_png(tmp_path / "images" / code / "a.png", np.full((40, 40, 3), 200, np.uint8))
    write_yolo(tmp_path, [LabelledField(Path("LY/a.png"), 40, 40, (Box(5, 5, 20, 20, "LY"),))],
               ["LY"])  # fmt: skip
    assert not is_boxed(tmp_path)


def test_yolo_without_names_of_classes_is_told_so(fields: Path, tmp_path: Path) -> None:
    write_yolo(tmp_path, [LabelledField(Path("0.png"), 240, 240, (Box(5, 5, 20, 20, "LY"),))],
               ["LY"])  # fmt: skip
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.png").write_bytes((fields.parent / "0.png").read_bytes())
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(ManifestError, match="no file names them"):
        cells_of_boxes(tmp_path, tmp_path.parent / "cells", None)


@pytest.mark.slow
def test_boxes_are_predicted_and_scored(fields: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "p.parquet"
    done, said = _run("predict", tiny_bundle, fields, "--leave-out", "RBC", "--out", out)
    assert done.exit_code == 0, done.output
    assert "4 cells of 106 x 106 px" in said
    assert sorted(pd.read_parquet(out)["cell_id"]) == [
        f"{number}.png-x100-y100-40x40.png" for number in range(4)
    ]
    done, said = _run("evaluate", out, fields)
    assert done.exit_code == 0, done.output
    assert "4 cells, image-level figures" in said
