"""`differential` and `evaluate` with doubtful cells, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.evaluate.doubtful_cells import ONLY_DOUBTFUL, REFUSED
from buffycoat.images import write_png
from buffycoat.taxonomy import PBC

# slide: code -> (cells, of them doubtful)
SLIDES = {
    "S1": {"SNE": (60, 4), "LY": (30, 0), "MO": (5, 0), "PMY": (3, 3), "ERB": (4, 0)},
    "S2": {"SNE": (60, 0), "LY": (30, 2), "MY": (4, 0), "MMY": (2, 0)},
    "S3": {"MO": (6, 6), "PMY": (6, 4)},
}


def _run(command: str, *arguments: object):
    result = CliRunner().invoke(app, [command, *map(str, arguments)])
    return result, " ".join(result.stdout.split()), " ".join(result.stderr.split())


def _count(predictions: Path, *options: object):
    return _run("differential", predictions, "--by", "slide_id", "--taxonomy", "pbc", *options)


def _table(slides: dict[str, dict[str, tuple[int, int]]]) -> pd.DataFrame:
    rows = [
        (f"{slide}{code}{n}.png", code, n < doubtful, slide)
        for slide, counts in slides.items()
        for code, (cells, doubtful) in counts.items()
        for n in range(cells)
    ]
    return pd.DataFrame(rows, columns=["ID", "labels", "is_abstained", "slide_id"])


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    _table(SLIDES).to_csv(tmp_path / "cells.csv", index=False)
    return tmp_path / "cells.csv"


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path]:
    """Thirty cells a class; six MY are called MMY, five of them doubtful."""
    truth = np.repeat(PBC.codes, 30)
    calls, doubtful = truth.copy(), np.zeros(len(truth), bool)
    calls[np.flatnonzero(truth == "MY")[:6]] = "MMY"
    doubtful[np.flatnonzero(truth == "MY")[:5]] = True
    frame = pd.DataFrame({"ID": [f"c{n}" for n in range(len(truth))], "labels": calls})
    frame.assign(is_abstained=doubtful).to_csv(tmp_path / "calls.csv", index=False)
    frame.assign(labels=truth).to_csv(tmp_path / "truth.csv", index=False)
    return tmp_path / "calls.csv", tmp_path / "truth.csv"


def test_pictures_without_a_cell_get_no_differential(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder, groups, out = tmp_path / "none", tmp_path / "groups.csv", tmp_path / "out.csv"
    for i in range(2):
        write_png(folder / f"noise{i}.png", rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
        write_png(folder / f"white{i}.png", np.full((200, 200, 3), 255 - i, np.uint8))
    names = [f"{kind}{i}.png" for kind in ("noise", "white") for i in range(2)]
    groups.write_text("ID,slide_id\n" + "".join(f"{name},S1\n" for name in names))
    for predictions in (tmp_path / "p.parquet", tmp_path / "p.csv"):
        options = ["--columns", "doubt"] if predictions.suffix == ".csv" else []
        predicted = _run("predict", "starter", folder, "--out", predictions, *options)[0]
        assert predicted.exit_code == 0, predicted.output
        result, said, warned = _count(predictions, "--groups", groups, "--out", out)
        assert result.exit_code == 4
        assert "slide S1: 4 of 4 cells are doubtful; no differential" in said
        assert "flagged" not in said
        assert "every slide is mostly doubtful cells" in warned
        table = pd.read_csv(out)
        assert set(table["status"]) == {REFUSED}
        assert table[["raw_value", "raw_value_without_doubtful"]].isna().all(axis=None)
        assert table["count"].sum() > 0


def test_figures_with_and_without_doubtful_cells(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    result, said, _ = _count(cells, "--out", out)
    assert result.exit_code == 0, result.output
    assert "S1: 98 leukocytes; 7 of 102 cells are doubtful" in said
    assert "slide S3: 10 of 12 cells are doubtful; no differential" in said
    assert "S3: " not in said.replace("slide S3: ", "")
    assert "are no closer to the truth" in said
    table = pd.read_csv(out).set_index(["group", "name"])
    row = table.loc[("S1", "SNE")]
    assert (row["n_cells"], row["n_doubtful"], row["status"]) == (102, 7, "given")
    assert row["doubtful_share"] == pytest.approx(7 / 102)
    assert row["raw_value"] == pytest.approx(100 * 60 / 98)
    assert row["count_without_doubtful"] == 56
    assert row["n_leukocytes_without_doubtful"] == 91
    assert row["raw_value_without_doubtful"] == pytest.approx(100 * 56 / 91)
    flags = table["flag"].dropna()
    assert flags.to_dict() == {
        ("S1", "immature granulocytes"): ONLY_DOUBTFUL,
        ("S2", "immature granulocytes"): "flagged",
        ("S3", "immature granulocytes"): "no differential",
    }
    assert ONLY_DOUBTFUL in said


def test_parquet_and_csv_say_the_same(cells: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(cells).rename(columns={"ID": "cell_id", "labels": "label"})
    frame.to_parquet(tmp_path / "cells.parquet")
    tables = []
    for path in (cells, tmp_path / "cells.parquet"):
        assert _count(path, "--out", tmp_path / "out.csv")[0].exit_code == 0
        tables.append(pd.read_csv(tmp_path / "out.csv"))
    pd.testing.assert_frame_equal(*tables)


def test_the_limit_is_a_setting_and_half_is_not_most(cells: Path, tmp_path: Path) -> None:
    result, said, _ = _count(cells, "--max-doubtful", 100)
    assert result.exit_code == 0
    assert "S3: 12 leukocytes; 10 of 12 cells are doubtful" in said
    half = tmp_path / "half.csv"
    _table({"S1": {"LY": (6, 3)}}).to_csv(half, index=False)
    assert _count(half)[0].exit_code == 0
    assert _count(half, "--max-doubtful", 49)[0].exit_code == 4
    picture = tmp_path / "bars.svg"
    assert _count(half, "--picture", picture)[0].exit_code == 0
    assert picture.exists()
    result, said, _ = _count(half, "--max-doubtful", 49, "--picture", picture)
    assert result.exit_code == 4
    assert "Picture:" not in said
    assert not picture.exists()  # nothing to draw, and the old one is of other figures


def test_without_the_column_doubt_is_unknown_and_figures_are_as_before(
    cells: Path, tmp_path: Path
) -> None:
    plain, out = tmp_path / "plain.csv", tmp_path / "out.csv"
    pd.read_csv(cells).drop(columns="is_abstained").to_csv(plain, index=False)
    result, said, warned = _count(plain, "--out", out)
    assert result.exit_code == 0, result.output
    assert "Doubt unknown: " in warned
    assert "--columns doubt" in warned
    assert "doubtful" not in said
    table = pd.read_csv(out).set_index(["group", "name"])
    assert set(table["status"]) == {"doubt unknown"}
    assert table.loc[("S3", "PMY"), "raw_value"] == 50
    assert table[["n_doubtful", "raw_value_without_doubtful"]].isna().all(axis=None)
    assert table.loc[("S3", "immature granulocytes"), "flag"] == "flagged"


def test_each_figure_is_adjusted_by_labelled_cells_of_its_kind(
    cells: Path, labelled: tuple[Path, Path], tmp_path: Path
) -> None:
    """Without doubtful cells: as if neither table had held any."""
    out, calls, truth = tmp_path / "out.csv", *labelled
    options = ("--calibration", calls, "--calibration-labels", truth, "--out", out)
    result, said, warned = _count(cells, *options)
    assert result.exit_code == 0, result.output
    assert "adjusted without doubtful" in said.replace("┃ ", "")
    assert not warned
    both = pd.read_csv(out)
    both = both.loc[both["status"] != REFUSED].reset_index(drop=True)

    known, sure = (pd.read_csv(path) for path in (calls, cells))
    kept = known.loc[~known["is_abstained"], "ID"]
    known.loc[~known["is_abstained"]].to_csv(calls, index=False)
    labels = pd.read_csv(truth)
    labels.loc[labels["ID"].isin(kept)].to_csv(truth, index=False)
    sure = sure.loc[~sure["is_abstained"] & (sure["slide_id"] != "S3")]
    sure.to_csv(cells, index=False)
    assert _count(cells, *options)[0].exit_code == 0
    alone = pd.read_csv(out)
    for name in ("count", "raw_high", "adjusted_value", "adjusted_low", "adjusted_high"):
        assert both[f"{name}_without_doubtful"].tolist() == pytest.approx(alone[name].tolist())
    is_my = both["name"] == "MY"  # six in thirty are lost, but one in twenty-five of those kept
    moved = both["adjusted_value"] - both["adjusted_value_without_doubtful"]
    assert (moved[is_my & (both["group"] == "S2")] > 0.4).all()


def test_calibration_that_knows_no_doubt_adjusts_only_the_figures_of_all_cells(
    cells: Path, labelled: tuple[Path, Path], tmp_path: Path
) -> None:
    out, calls, truth = tmp_path / "out.csv", *labelled
    pd.read_csv(calls).drop(columns="is_abstained").to_csv(calls, index=False)
    options = ("--calibration", calls, "--calibration-labels", truth, "--out", out)
    result, _, warned = _count(cells, *options)
    assert result.exit_code == 0, result.output
    assert "Figures without doubtful cells are not adjusted" in warned
    table = pd.read_csv(out)
    table = table.loc[table["status"] != REFUSED]
    assert table["adjusted_value"].notna().all()
    assert table["adjusted_value_without_doubtful"].isna().all()
    assert table["raw_value_without_doubtful"].notna().all()


def test_many_slides_have_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    slides = {f"S{n}": {"LY": (20, 0), "PMY": (1, 1)} for n in range(3)}
    _table(slides | {f"X{n}": {"LY": (2, 2)} for n in range(25)}).to_csv(path, index=False)
    result, said, _ = _count(path)
    assert result.exit_code == 0, result.output
    assert "slide X0: 2 of 2 cells are doubtful; no differential" in said
    assert "... and 5 more" in said
    assert said.count(ONLY_DOUBTFUL) == 3


def test_values_that_are_neither_true_nor_false_are_named(cells: Path) -> None:
    text = cells.read_text().splitlines()
    text[3] = text[3].replace("True", "perhaps")
    cells.write_text("\n".join(text))
    result, _, warned = _count(cells)
    assert result.exit_code == 2
    assert "line 4: is_abstained 'perhaps', expected True or False" in warned


def test_excel_spellings_of_true_are_taken(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    cells.write_text(cells.read_text().replace("True", "TRUE").replace("False", "0"))
    assert _count(cells, "--out", out)[0].exit_code == 0
    assert pd.read_csv(out)["n_doubtful"].tolist()[0] == 7


def test_scores_without_doubtful_cells_stand_beside_those_of_all(tmp_path: Path) -> None:
    predictions, truth, out = (tmp_path / name for name in ("p.csv", "t.csv", "m.json"))
    frame = pd.DataFrame({"ID": [f"{n}.png" for n in range(41)]})
    frame["labels"] = ["SNE"] * 21 + ["LY"] * 20
    labels = frame.assign(labels=["SNE"] * 18 + ["LY"] * 22 + ["BA"])
    labels.to_csv(truth, index=False)
    doubtful = np.isin(np.arange(41), [17, 18, 19, 40])
    frame.assign(is_abstained=doubtful).to_csv(predictions, index=False)
    result, said, _ = _run("evaluate", predictions, truth, "--taxonomy", "pbc", "--out", out)
    assert result.exit_code == 0, result.output
    assert "Without the 4 of 41 cells that need a look (10%)" in said
    assert "Predicted right among the cells that need a look: 1." in said
    assert "Every cell of BA needs a look" in said
    kept = json.loads(out.read_text())["without_doubtful"]
    assert (kept["n"], kept["n_doubtful"], kept["n_doubtful_right"], kept["lost"]) == (
        37, 4, 1, ["BA"],
    )  # fmt: skip
    assert kept["coverage"] == pytest.approx(37 / 41)
    assert kept["accuracy"]["estimate"] == pytest.approx(36 / 37)

    frame.assign(is_abstained=True).to_csv(predictions, index=False)
    result, said, _ = _run("evaluate", predictions, truth, "--taxonomy", "pbc")
    assert result.exit_code == 0, result.output
    assert "Predicted right among the cells that need a look: 37." in said
    frame.assign(is_abstained=False).to_csv(predictions, index=False)
    said = _run("evaluate", predictions, truth, "--taxonomy", "pbc")[1]
    assert "None of 41 cells needs a look" in said
    frame.to_csv(predictions, index=False)
    assert "a look" not in _run("evaluate", predictions, truth, "--taxonomy", "pbc")[1]
