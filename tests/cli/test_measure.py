from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import buffycoat
from buffycoat import images
from buffycoat.cli.main import app
from buffycoat.refine.features import NAMES
from buffycoat.simulate.render import render_cell

SAID = ("cell_id", "cell_area_px", "nucleus_area_px", "nc_ratio", "spikiness", "mask_quality")


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    rng = np.random.default_rng(1)
    for code in ("SNE", "LY"):
        images.write_png(folder / "deep" / f"{code}.png", render_cell(code, rng, 160).image)
    return folder


def call(*arguments: object):
    return CliRunner().invoke(app, ["measure", *map(str, arguments)])


def test_a_folder_gives_a_row_a_cell(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    done = call(cells, "--out", out)
    assert done.exit_code == 0, done.output
    assert "Features of 2 cells" in done.output
    frame = pd.read_parquet(out)
    assert {*SAID, *NAMES} <= set(frame.columns)
    assert "um_per_px" not in frame
    assert not [name for name in frame if "um" in name.split("_")]
    assert frame["nc_ratio"].between(0, 1).all()
    assert (frame["nucleus_area_px"] < frame["cell_area_px"]).all()
    assert sorted(frame["cell_id"]) == ["deep/LY.png", "deep/SNE.png"]


def test_csv_and_a_table_and_micrometres(cells: Path, tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    pd.DataFrame({"path": [str(cells / "deep" / "LY.png")]}).to_csv(table, index=False)
    out = tmp_path / "features.csv"
    done = call(table, "--out", out, "--um-per-px", "0.2")
    assert done.exit_code == 0, done.output
    (row,) = pd.read_csv(out).to_dict("records")
    assert row["cell_area_um2"] == pytest.approx(0.04 * row["cell_area_px"])


def test_each_cell_is_measured_by_the_scale_that_its_table_states(
    cells: Path, tmp_path: Path
) -> None:
    names = ["LY", "SNE", "SNE"]
    paths = [str(cells / "deep" / f"{name}.png") for name in names]
    cell_ids, scales = ["a", "b", "c"], [0.1, 0.2, None]
    table = pd.DataFrame({"cell_id": cell_ids, "path": paths, "um_per_px": scales})
    table.to_csv(tmp_path / "cells.csv", index=False)
    assert call(tmp_path / "cells.csv", "--out", tmp_path / "a.csv").exit_code == 0
    rows = pd.read_csv(tmp_path / "a.csv")
    assert rows["um_per_px"].tolist()[:2] == scales[:2]
    for um2, px, um in zip(rows["cell_area_um2"], rows["cell_area_px"], scales, strict=True):
        assert np.isnan(um2) if um is None else um2 == pytest.approx(um**2 * px)
    assert rows["nucleus_diameter_um"].isna().tolist() == [False, False, True]
    pd.testing.assert_frame_equal(
        buffycoat.measure(table).reset_index(drop=True), rows, check_dtype=False
    )
    # what is stated for all holds for all, as in `find`
    stated = buffycoat.measure(table, um_per_px=0.5)
    assert stated["um_per_px"].tolist() == [0.5] * 3
    assert not buffycoat.measure(table["path"].tolist()[:2]).filter(like="um_per_px").size


def test_a_table_s_split_counts_only_where_a_split_is_asked_for(
    cells: Path, tmp_path: Path
) -> None:
    table = tmp_path / "cells.csv"
    paths = [str(cells / "deep" / f"{name}.png") for name in ("LY", "SNE")]
    pd.DataFrame({"path": paths, "split": ["left", "right"]}).to_csv(table, index=False)
    assert call(table, "--out", tmp_path / "f.csv").exit_code == 0
    refused = call(table, "--out", tmp_path / "f.csv", "--split", "train")
    assert refused.exit_code == 2
    assert "split 'left', expected train, val" in " ".join(refused.output.split())


def test_bad_files_are_listed_and_the_others_kept(cells: Path, tmp_path: Path) -> None:
    (cells / "broken.jpg").write_bytes(b"no image")
    images.write_png(cells / "blank.png", np.full((64, 64, 3), 240, np.uint8))
    out = tmp_path / "features.csv"
    listed = tmp_path / "features.csv.bad.csv"
    done = call(cells, "--out", out)
    assert done.exit_code == 3
    assert len(pd.read_csv(out)) == 3
    assert pd.read_csv(listed)["ID"].tolist() == ["broken.jpg"]
    assert "No cell was found in 1 of 3" in done.output
    assert call(cells, "--out", out, "--allow-bad", 1).exit_code == 0
    (cells / "broken.jpg").unlink()
    assert call(cells, "--out", out).exit_code == 0
    assert not listed.exists()


def test_faults_are_told_before_any_work(cells: Path, tmp_path: Path) -> None:
    wrong = call(cells, "--out", tmp_path / "features.xlsx")
    assert wrong.exit_code == 2
    assert "ends in .csv or .parquet" in " ".join(wrong.output.split())
    scale = call(cells, "--out", tmp_path / "f.csv", "--um-per-px", "-1")
    assert scale.exit_code == 2
    assert "um_per_px" in scale.output
    assert not (tmp_path / "f.csv").exists()


def test_help_says_how_it_is_measured() -> None:
    text = " ".join(call("--help").output.split())
    for name in SAID:
        assert name in text
    assert "nucleus included" in text
