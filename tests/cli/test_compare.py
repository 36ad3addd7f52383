"""`compare` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from buffycoat import images
from buffycoat.cli.compared import some_of_each
from buffycoat.cli.main import app
from buffycoat.taxonomy import PBC

CODES = PBC.codes


def _compare(*arguments: object):
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    return result, " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path, Path, pd.DataFrame]:
    """Labels and the calls of two methods for 80 cells; b as Parquet, in another order."""
    rng = np.random.default_rng(0)
    truth = np.repeat(CODES, 8)
    frame = pd.DataFrame({"ID": [f"{n}.png" for n in range(80)], "truth": truth})
    for name, wrong in (("a", 0.4), ("b", 0.2)):
        frame[name] = np.where(rng.random(80) < wrong, rng.choice(CODES, 80), truth)
    paths = [tmp_path / name for name in ("a.csv", "b.parquet", "labels.csv")]
    frame[["ID", "a"]].set_axis(["ID", "labels"], axis=1).to_csv(paths[0], index=False)
    shuffled = frame.sample(frac=1, random_state=1)
    shuffled[["ID", "b"]].set_axis(["cell_id", "label"], axis=1).to_parquet(paths[1])
    frame[["ID", "truth"]].set_axis(["ID", "labels"], axis=1).to_csv(paths[2], index=False)
    return *paths, frame


def test_cells_are_joined_by_id_and_figures_written(tables, tmp_path: Path) -> None:
    a, b, labels, frame = tables
    out = tmp_path / "out"
    result, said = _compare(a, b, labels, "--out", out)
    assert result.exit_code == 0, result.output
    record = json.loads((out / "comparison.json").read_text())
    scores = [f1_score(frame["truth"], frame[name], average="macro") for name in "ab"]
    of = record["overall"]["macro_f1"]
    assert [of["a"]["estimate"], of["b"]["estimate"]] == pytest.approx(scores)
    assert f"{scores[1] - scores[0]:+.3f}" in said
    assert (record["a"], record["left_out"]) == (str(a), 0)
    changed = pd.read_csv(out / "changed.csv")
    assert set(changed["ID"]) == set(frame.loc[frame["a"] != frame["b"], "ID"])
    won = changed.loc[changed["change"] == "won"]
    assert (won["b"] == won["truth"]).all()
    assert (won["a"] != won["truth"]).all()
    assert changed["change"].tolist() == sorted(
        changed["change"], key=["won", "lost", "both wrong"].index
    )
    assert not (out / "changed.png").exists()
    assert f"{record['changed']['won']} won" in said
    assert "By WBCBench's order of merit B is better, by macro F1." in said


def test_other_cells_are_a_fault_that_counts_them(tables, tmp_path: Path) -> None:
    a, b, labels, _ = tables
    short = pd.read_csv(a)
    short.iloc[3:].to_csv(a, index=False)
    pd.concat([pd.read_parquet(b), pd.DataFrame({"cell_id": ["new"], "label": ["LY"]})]).to_parquet(
        b
    )
    result, said = _compare(a, b, labels)
    assert result.exit_code == 2
    assert "hold 81 cells" in said
    assert "a.csv lacks 4 of them, first '0.png'" in said
    assert "labels.csv lacks 1 of them, first 'new'" in said
    assert "the 77 that all three hold with --common" in said
    result, said = _compare(a, b, labels, "--common", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "4 cells left out: not in all three files" in said
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["n"] == 77


def test_a_missing_call_is_a_fault_and_no_class(tables) -> None:
    a, b, labels, _ = tables
    frame = pd.read_parquet(b)
    frame.loc[frame.index[0], "label"] = None
    frame.to_parquet(b)
    result, said = _compare(a, b, labels)
    assert result.exit_code == 2
    assert "is empty" in said


def test_nothing_in_common_is_a_fault_in_any_case(tables) -> None:
    a, b, labels, _ = tables
    a.write_text("ID,labels\nelsewhere,LY\n")
    result, said = _compare(a, b, labels, "--common")
    assert result.exit_code == 2
    assert "--common" not in said
    assert "a.csv lacks 80 of them" in said


def test_the_same_file_twice_is_a_slip(tables) -> None:
    a, _, labels, _ = tables
    result, said = _compare(a, a, labels)
    assert result.exit_code == 2
    assert "both A and B" in said


def test_patients_come_from_a_table_and_must_be_whole(tables, tmp_path: Path) -> None:
    a, b, labels, frame = tables
    table = pd.DataFrame({"ID": frame["ID"], "patient_id": np.arange(80) % 9})
    patients = tmp_path / "patients.csv"
    table.to_csv(patients, index=False)
    result, said = _compare(a, b, labels, "--patients", patients, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "patient-level" in said
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["n_patients"] == 9
    table["cell_id"] = table.pop("ID")
    table.to_parquet(tmp_path / "patients.parquet")
    again, _ = _compare(a, b, labels, "--patients", tmp_path / "patients.parquet")
    assert again.exit_code == 0, again.output
    table.iloc[5:].to_csv(patients, index=False)
    result, said = _compare(a, b, labels, "--patients", patients)
    assert result.exit_code == 2
    assert "5 of 80 cells have no patient_id, first '0.png'" in said
    result, said = _compare(a, b, labels, "--patients", labels)
    assert result.exit_code == 2
    assert "'patient_id' is missing" in said


def test_won_and_lost_cells_are_drawn(tables, tmp_path: Path) -> None:
    a, b, labels, frame = tables
    folder, out = tmp_path / "cells", tmp_path / "out"
    folder.mkdir()
    for cell_id in frame["ID"]:
        Image.new("RGB", (40, 40), (200, 150, 180)).save(folder / cell_id)
    result, said = _compare(a, b, labels, "--out", out, "--images", folder)
    assert result.exit_code == 0, result.output
    sheet = images.read(out / "changed.png")
    assert sheet.shape[1] > 1000
    moved = pd.read_csv(out / "changed.csv")["ID"]
    (folder / moved[0]).unlink()
    (folder / moved[1]).write_bytes(b"torn")
    result, said = _compare(a, b, labels, "--out", out, "--images", folder)
    assert result.exit_code == 0, result.output
    assert "1 of" in said
    assert "have no image" in said
    assert "1 cell could not be used" in said


def test_images_need_a_place_for_the_sheet(tables, tmp_path: Path) -> None:
    a, b, labels, _ = tables
    result, said = _compare(a, b, labels, "--images", tmp_path)
    assert result.exit_code == 2
    assert "--out" in said


def test_cells_shown_are_spread_over_the_classes() -> None:
    cells = pd.DataFrame({"truth": ["SNE"] * 20 + ["PMY"] * 2 + ["MY"] * 3, "row": range(25)})
    shown = some_of_each(cells, 9)
    assert shown["truth"].value_counts().to_dict() == {"SNE": 4, "MY": 3, "PMY": 2}
    assert shown["row"].is_monotonic_increasing
    assert len(some_of_each(cells, 99)) == 25
