"""`similar` through the command line: order, labels, copies, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from buffycoat import images
from buffycoat.cli.main import app
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read


def _similar(*arguments: object):
    result = CliRunner().invoke(app, ["similar", *map(str, arguments)])
    return result, " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    path = tmp_path / "asked.png"
    Image.fromarray(render_cell("LY", np.random.default_rng(7), 100).image).save(path)
    return path


@pytest.fixture
def archive(tmp_path: Path, cell: Path) -> Path:
    """Eight cells, a copy of the one that is asked for, and one that differs by a few pixels."""
    folder = tmp_path / "archive"
    (folder / "deep").mkdir(parents=True)
    for number in range(8):
        rng = np.random.default_rng(number)
        code = ("EO", "SNE", "BA", "MO")[number % 4]
        Image.fromarray(render_cell(code, rng, 100).image).save(folder / f"{code}_{number}.png")
    shutil.copy(cell, folder / "deep" / "copy.png")
    nearly = images.read(cell).copy()
    nearly[:2, :2] += 1
    Image.fromarray(nearly).save(folder / "nearly.png")
    return folder


def test_the_nearest_come_first_and_copies_are_left_out(
    tiny_bundle: Path, cell: Path, archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sheet.png"
    options = ("--in", archive, "--out", out, "--count", 4, "--cache", tmp_path / "cache")
    result, said = _similar(tiny_bundle, cell, *options)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(f"{out}.csv", keep_default_na=False)
    assert table["cell_id"].tolist()[0] == "nearly.png"
    assert not any("copy" in name for name in table["cell_id"])
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["similarity"].is_monotonic_decreasing
    assert all(Path(path).is_file() for path in table["path"])
    assert "copies of the cell's file: 1" in said
    assert "of 9 cells" in said
    assert images.read(out).shape[1] > 500
    again, _ = _similar(tiny_bundle, cell, *options)
    assert again.exit_code == 0
    assert pd.read_csv(f"{out}.csv", keep_default_na=False).equals(table)


def test_labels_come_from_the_folder_or_from_a_table(
    tiny_bundle: Path, cell: Path, archive: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("ID,labels\nnearly.png,LY\nEO_0.png,EO\nelsewhere,BA\n")
    options = ("--in", archive, "--out", tmp_path / "a.png", "--cache", tmp_path / "cache")
    result, said = _similar(tiny_bundle, cell, *options, "--labels", labels)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "a.png.csv", keep_default_na=False).set_index("cell_id")
    assert len(table) == 9
    assert table["label"].to_dict() == {name: "" for name in table.index} | {
        "nearly.png": "LY",
        "EO_0.png": "EO",
    }
    assert "Labels among them: 1 LY, 1 EO" in said

    by_name, said = _similar(tiny_bundle, cell, "--layout", "folders", *options)
    assert by_name.exit_code == 2  # two of the names do not begin with a class
    assert "names begin with a class code, but not" in said

    labels.write_text("ID,labels\nelsewhere,BA\n")
    result, said = _similar(tiny_bundle, cell, *options, "--labels", labels)
    assert result.exit_code == 2
    assert "none of its IDs is in the cells that are searched" in said


def test_what_cannot_be_read_is_listed_and_the_others_are_searched(
    tiny_bundle: Path, cell: Path, archive: Path, tmp_path: Path
) -> None:
    (archive / "torn.png").write_bytes((archive / "EO_0.png").read_bytes()[:200])
    options = ("--in", archive, "--out", tmp_path / "a.png", "--cache", tmp_path / "cache")
    result, said = _similar(tiny_bundle, cell, *options)
    assert result.exit_code == 0, result.output
    assert "torn" in said
    assert len(pd.read_csv(tmp_path / "a.png.csv")) == 9


def test_a_folder_of_copies_has_nothing_to_compare_with(
    tiny_bundle: Path, cell: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copy(cell, folder)
    result, said = _similar(
        tiny_bundle, cell, "--in", folder, "--out", tmp_path / "a.png", "--cache", tmp_path / "c"
    )
    assert result.exit_code == 2
    assert "no cell to compare with" in said
    assert not (tmp_path / "a.png").exists()


def test_without_a_folder_the_training_cells_are_searched(
    tiny_bundle: Path, rendered_cells: Path, tmp_path: Path
) -> None:
    known = read(rendered_cells).of_split("train").frame
    row = known.iloc[3]
    out = tmp_path / "near.csv"
    result, said = _similar(tiny_bundle, row["path"], "--count", 3, "--out", out)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out)
    assert table["cell_id"][0] == row["cell_id"]
    assert table["label"][0] == row["label"]
    assert table["similarity"][0] == pytest.approx(1, abs=0.01)
    assert len(table) == 3
    assert f"nearest of {len(known)} training cells" in said

    result, said = _similar(tiny_bundle, row["path"], "--in", rendered_cells)
    assert result.exit_code == 2
    assert "--out sheet.png" in said


@pytest.mark.parametrize("home", ["/dev/null/home", "file", "/proc"])
def test_a_home_that_cannot_be_written_stops_nothing(
    tiny_bundle: Path,
    cell: Path,
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    home: str,
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if home == "file":
        home = str(tmp_path / "home")
        Path(home).mkdir()
        (Path(home) / ".cache").write_text("in the way")
    monkeypatch.setenv("HOME", home)
    result, said = _similar(tiny_bundle, cell, "--in", archive, "--out", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert said.count("not kept") == 1
    assert f"{home}/.cache/buffycoat/embeddings cannot be written" in said
    assert "--cache" in said
    assert (tmp_path / "a.png").exists()


def test_a_user_without_a_home_is_told(
    tiny_bundle: Path, cell: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", none)
    result, said = _similar(tiny_bundle, cell, "--in", archive, "--out", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert "there is no home folder" in said
