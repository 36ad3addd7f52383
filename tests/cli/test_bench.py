"""`buffycoat bench classify`: a table at the end, and a faulty grid refused at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app

GRID = """
preset = "cpu"
folds = [0]
set = [
    "images.work_px=48", "classify.input_px=32", "classify.backbone=test_resnet",
    "classify.weights=random", "classify.epochs=1", "classify.folds=2", "classify.views=one",
]
[[recipe]]
name = "plain"
"""


def _bench(data: Path, grid: Path, out: Path):
    arguments = ["bench", "classify", str(data), "--grid", str(grid), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    return result, " ".join(result.stderr.split())


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    return path


def test_it_prints_the_table_that_it_writes(
    rendered_cells: Path, grid: Path, tmp_path: Path
) -> None:
    result, said = _bench(rendered_cells, grid, tmp_path / "out")
    assert result.exit_code == 0, said
    assert (tmp_path / "out" / "table.md").read_text().splitlines()[2] in result.stdout
    assert pd.read_csv(tmp_path / "out" / "table.csv")["recipe"].tolist() == ["plain"]


def test_a_setting_that_there_is_not_is_refused(
    rendered_cells: Path, grid: Path, tmp_path: Path
) -> None:
    grid.write_text(GRID + 'set = ["classify.mixx=none"]')
    result, said = _bench(rendered_cells, grid, tmp_path / "out")
    assert result.exit_code == 2
    assert "mixx" in said
    assert not (tmp_path / "out" / "stages").exists()


def test_data_that_are_not_there_are_named(grid: Path, tmp_path: Path) -> None:
    result, said = _bench(tmp_path / "nowhere", grid, tmp_path / "out")
    assert result.exit_code == 2
    assert "nowhere: no such file or folder" in said


def test_a_site_that_is_not_there_is_named(tmp_path: Path) -> None:
    place = f"north={tmp_path / 'nowhere'}"
    arguments = ["bench", "sites", "starter", "--site", place, "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
    assert not (tmp_path / "out").exists()
