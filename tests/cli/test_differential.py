"""`differential` through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.taxonomy import PBC

CODES = list(PBC.codes)


def _differential(*arguments: object):
    result = CliRunner().invoke(app, ["differential", *map(str, arguments)])
    return result, " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """Two slides: 100 leukocytes and 4 erythroblasts with 8 % myelocytes; 50 cells with none."""
    calls = ["SNE"] * 60 + ["LY"] * 30 + ["MY"] * 8 + ["MMY"] * 2 + ["ERB"] * 4 + ["LY"] * 50
    frame = pd.DataFrame({"cell_id": [f"{n}.png" for n in range(154)], "label": calls})
    frame["slide_id"] = ["one"] * 104 + ["two"] * 50
    path = tmp_path / "cells.parquet"
    frame.to_parquet(path)
    return path


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path]:
    """Twenty cells a class; a fifth of the MY are called MMY."""
    truth = np.repeat(CODES, 20)
    calls = truth.copy()
    calls[np.flatnonzero(truth == "MY")[:4]] = "MMY"
    ids = [f"c{n}" for n in range(len(truth))]
    for name, column in (("calls", calls), ("truth", truth)):
        pd.DataFrame({"ID": ids, "labels": column}).to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path / "calls.csv", tmp_path / "truth.csv"


def test_each_slide_is_counted_with_limits(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    picture = tmp_path / "bars.svg"
    result, said = _differential(
        slides, "--by", "slide_id", "--taxonomy", "pbc", "--out", out, "--picture", picture
    )
    assert result.exit_code == 0, result.output
    assert "two: 50 leukocytes" in picture.read_text("utf-8")
    table = pd.read_csv(out).set_index(["group", "name"])
    assert table.loc[("one", "SNE"), "raw_value"] == 60
    assert table.loc[("one", "ERB"), "raw_value"] == 4
    assert not table.loc[("one", "ERB"), "is_leukocyte"]
    assert table.loc[("two", "LY"), "raw_value"] == 100
    assert table["adjusted_value"].isna().all()
    assert "one: 100 leukocytes" in said
    assert "60.0 (49.7 - 69.7)" in said
    assert "per 100 leukocytes" in said
    flags = said[said.index("flagged from 2 %") :]
    assert "flagged │ │ two" in flags
    assert "not excluded" in flags  # none of 50 cells: the limit of so few is above 2 %
    assert "Not a medical device" in said


def test_slides_are_counted_unless_another_column_is_named(slides: Path, tmp_path: Path) -> None:
    result, said = _differential(slides)
    assert result.exit_code == 0, result.output
    assert "Counted by slide_id: 2 slides, 154 cells." in said
    frame = pd.read_parquet(slides).rename(columns={"slide_id": "smear"})
    frame.to_parquet(tmp_path / "no-slides.parquet")
    result, said = _differential(tmp_path / "no-slides.parquet")
    assert result.exit_code == 0, result.output
    assert "no slide_id and no patient_id: all cells are counted together." in said
    assert "Counted by slide: 1 slide, 154 cells." in said
    result, said = _differential(tmp_path / "no-slides.parquet", "--by", "slide_id")
    assert result.exit_code == 2
    assert "'slide_id' is missing" in said
    assert "name another column with --by, or give a table of ID and slide_id with --groups" in said
    said = _differential(tmp_path / "no-slides.parquet", "--by", "smear")[1]
    assert "Counted by smear: 2 smears" in said


def test_labelled_cells_adjust_the_figures(slides: Path, labelled, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    calls, truth = labelled
    result, said = _differential(
        slides, "--by", "slide_id", "--calibration", calls, "--calibration-labels", truth,
        "--out", out, "--threshold", 20,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    row = pd.read_csv(out).set_index(["group", "name"]).loc[("one", "MY")]
    assert row["raw_value"] == 8
    assert 8.3 < row["adjusted_value"] < 11  # one in five is lost to MMY
    assert row["adjusted_low"] < 8 < row["adjusted_high"]
    assert "flagged from 20 %" in said
    assert "below" in said


@pytest.fixture
def out_of_fold(tmp_path: Path) -> Path:
    """As a run writes it: the truth under `label`, each cell and its twin, whose scores are bad."""
    truth = np.tile(np.repeat(CODES, 20), 2)
    calls = truth.copy()
    calls[np.flatnonzero(truth == "MY")[:4]] = "MMY"
    calls[200:] = "LY"
    frame = pd.DataFrame({"cell_id": [f"c{n}" for n in range(200)] * 2, "label": truth})
    frame["is_twin"] = np.repeat([False, True], 200)
    frame["fold"] = 0
    for code in CODES:
        frame[f"prob_{code}"] = np.where(calls == code, 0.91, 0.01)
    path = tmp_path / "out_of_fold.parquet"
    frame.to_parquet(path)
    return path


def test_a_runs_out_of_fold_table_calibrates_by_itself(
    slides: Path, labelled, out_of_fold: Path, tmp_path: Path
) -> None:
    calls, truth = labelled
    given = {
        "labels": ("--calibration", calls, "--calibration-labels", truth),
        "fold": ("--calibration", out_of_fold),
    }
    tables = {}
    for name, options in given.items():
        out = tmp_path / f"{name}-out.csv"
        result, said = _differential(slides, "--by", "slide_id", *options, "--out", out)
        assert result.exit_code == 0, result.output
        tables[name] = pd.read_csv(out)
    assert "do not cover the" in said
    pd.testing.assert_frame_equal(tables["fold"], tables["labels"])


def test_the_truth_of_an_out_of_fold_table_is_never_taken_for_calls(
    slides: Path, labelled, out_of_fold: Path
) -> None:
    calls, truth = labelled
    result, said = _differential(
        slides, "--by", "slide_id", "--calibration", out_of_fold, "--calibration-labels", truth
    )
    assert result.exit_code == 2
    assert "its column 'label' is the truth" in said
    result, said = _differential(slides, "--by", "slide_id", "--calibration", calls)
    assert result.exit_code == 2
    assert "--calibration-labels" in said


def test_blasts_are_flagged_at_their_own_threshold(tmp_path: Path) -> None:
    path, frame = tmp_path / "b.csv", pd.DataFrame({"ID": [f"{n}.png" for n in range(300)]})
    frame["labels"] = ["BL"] * 3 + ["LY"] * 97 + ["SNE"] * 200
    frame["slide_id"] = ["one"] * 100 + ["two"] * 200
    frame.to_csv(path, index=False)
    result, said = _differential(path, "--by", "slide_id")
    assert result.exit_code == 0, result.output
    flags = said[said.index("BL, flagged from 1 %") :]
    assert "3.0 (0.6 - 8.5)" in flags
    assert "flagged │ │ two" in flags
    assert "not excluded" in flags  # none of 200 cells leaves room for 1.8 %
    said = _differential(path, "--by", "slide_id", "--blast-threshold", 5)[1]
    assert "BL, flagged from 5 %" in said
    assert "below" in said[said.index("BL, flagged") :]


def test_groups_may_stand_in_their_own_table(slides: Path, tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    ids = [f"{n}.png" for n in range(154)]
    pd.DataFrame({"ID": ids, "patient_id": [f"p{n % 5}" for n in range(154)]}).to_csv(table)
    result, said = _differential(slides, "--by", "patient_id", "--groups", table)
    assert result.exit_code == 0, result.output
    assert "p4" in said
    assert "31 leukocytes" not in said  # of more than three, only a line each
    result, said = _differential(slides, "--by", "patient_id")
    assert result.exit_code == 2
    assert "'patient_id' is missing" in said


def test_faults_are_named(slides: Path, labelled) -> None:
    calls, truth = labelled
    result, said = _differential(slides, "--by", "slide_id", "--calibration-labels", truth)
    assert result.exit_code == 2
    assert "give the predictions too" in said
    result, said = _differential(
        calls, "--by", "ID", "--calibration", calls, "--calibration-labels", truth
    )
    assert "200 of the 200 counted cells are calibration cells too" in said
