"""What `predict` refuses before it looks at any cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.images import write_png
from buffycoat.simulate.render import render_cell


def _predict(*arguments: object):
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    return result.exit_code, " ".join(result.stderr.split())


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    write_png(tmp_path / "cells" / "a.png", np.full((32, 32, 3), 200, np.uint8))
    return tmp_path / "cells"


def test_an_output_that_cannot_be_written(cells: Path, tmp_path: Path) -> None:
    code, said = _predict("starter", cells, "--out", cells / "a.png" / "p.csv")
    assert code == 2
    assert "no work was started" in said
    code, said = _predict("starter", cells, "--out", tmp_path / "p.xlsx")
    assert code == 2
    assert ".csv or .parquet" in said


def test_a_prior_that_there_is_not(cells: Path, tmp_path: Path) -> None:
    code, said = _predict("starter", cells, "--out", tmp_path / "p.csv", "--prior", "flat")
    assert code == 2
    assert "uniform, train" in said


def test_no_images_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, said = _predict("starter", tmp_path / "empty", "--out", tmp_path / "p.csv")
    assert code == 2
    assert "no image in it" in said
    code, said = _predict("starter", tmp_path / "gone", "--out", tmp_path / "p.csv")
    assert code == 2
    assert "no such file" in said


def test_a_split_without_cells(cells: Path, tmp_path: Path) -> None:
    code, said = _predict("starter", cells, "--out", tmp_path / "p.csv", "--split", "eval")
    assert code == 2
    assert "no cells of split 'eval'; it has test (1)" in said


def test_a_folder_that_is_no_bundle(cells: Path, tmp_path: Path) -> None:
    code, said = _predict(cells, cells, "--out", tmp_path / "p.csv")
    assert code == 2
    assert "not a bundle" in said
    assert not (tmp_path / "p.csv").exists()


def test_one_file_name_in_two_class_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = tmp_path / "cells"
    for code in ("LY", "SNE"):
        pixels = render_cell(code, np.random.default_rng(0), 96).image
        write_png(cells / code / "1.png", pixels)
    opened = []
    open_image = Image.open
    monkeypatch.setattr(Image, "open", lambda *a, **k: (opened.append(a), open_image(*a, **k))[1])

    code, said = _predict("starter", cells, "--out", tmp_path / "x.csv")
    assert code == 2
    assert "'1.png' for LY/1.png, SNE/1.png" in said
    assert "--columns cell_id" in said
    assert "1 file name stands for several cells" in said
    assert opened == [], "refused before anything is decoded"
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]

    ids = ["LY/1.png", "SNE/1.png"]
    code, said = _predict("starter", cells, "--out", tmp_path / "x.parquet", "--columns", "label")
    assert code == 0, said
    assert pd.read_parquet(tmp_path / "x.parquet")["cell_id"].tolist() == ids
    assert len(opened) >= 2, "what was counted is what decodes"
    code, said = _predict("starter", cells, "--out", tmp_path / "x.csv", "--columns", "cell_id")
    assert code == 0, said
    table = pd.read_csv(tmp_path / "x.csv")
    assert table["ID"].tolist() == ["1.png", "1.png"]
    assert table["cell_id"].tolist() == ids
