"""What `predict` says of doubt, and how a CSV file carries it; by the bundle that ships."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from buffycoat.bundle import files
from buffycoat.cells import DOUBTS
from buffycoat.cli.doubtful import summary
from buffycoat.cli.main import app
from buffycoat.errors import ConfigError
from buffycoat.images import write_png
from buffycoat.predict import cleaning
from buffycoat.predict.columns import DOUBT, choose_columns
from buffycoat.predict.results import Counts
from buffycoat.predict.rows import prediction_columns
from buffycoat.restore.severity import SeverityEstimator
from buffycoat.simulate.render import render_cell
from buffycoat.taxonomy import PBC

CELLS = ("SNE", "LY", "EO", "MO")
HAS = prediction_columns(PBC)


def _predict(*arguments: object):
    result = CliRunner().invoke(app, ["predict", "starter", *map(str, arguments)])
    return result, " ".join(result.stdout.split()), " ".join(result.stderr.split())


def _no_cells(folder: Path, n: int) -> Path:
    rng = np.random.default_rng(0)
    for i in range(n):
        write_png(folder / f"noise{i}.png", rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
        write_png(folder / f"white{i}.png", np.full((200, 200, 3), 255 - i, np.uint8))
    return folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures without a cell, eight rendered cells, and one file that is no image."""
    folder = _no_cells(tmp_path_factory.mktemp("mixed"), 2)
    for code in CELLS:
        for i in range(2):
            rng = np.random.default_rng([i, *map(ord, code)])
            write_png(folder / f"{code}{i}.png", render_cell(code, rng, 160).image)
    (folder / "text.png").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def table(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    out = tmp_path_factory.mktemp("out") / "p.parquet"
    result = _predict(mixed, "--out", out, "--allow-bad", 1)[0]
    assert result.exit_code == 0, result.output
    return pd.read_parquet(out)


def test_pictures_without_a_cell_all_need_a_look(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    cells = _no_cells(tmp_path / "cells", 3)
    result, said, warned = _predict(cells, "--out", out, "--columns", "doubt")
    assert result.exit_code == 0, result.output
    assert "6 of 6 cells (100%) need a look: " in said
    assert "6 no cell found" in said
    assert "(a cell can have several reasons)" in said
    assert "need a look ┃" in said  # a column of the table of classes
    assert "do not use these labels as they are" in warned
    assert "fields of view" in warned
    quick = tmp_path / "quick.csv"
    said = _predict(cells, "--out", quick)[1]
    assert "--columns doubt adds it" in said
    assert "Outlines were not looked at" in said
    labels = pd.read_csv(quick)
    assert list(labels) == ["ID", "labels"]
    pd.testing.assert_frame_equal(labels, pd.read_csv(out)[["ID", "labels"]])


def test_a_mix_is_counted_by_reason_and_csv_carries_it(
    mixed: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "p.csv"
    result, said, warned = _predict(mixed, "--out", out, "--columns", "doubt", "--allow-bad", 1)
    assert result.exit_code == 0, result.output
    n = int(table["is_abstained"].sum())
    assert f"{n} of 12 cells ({n / 12:.0%}) need a look: " in said
    assert "1 image could not be read and got no label" in said
    assert "as they are" not in warned
    found = pd.read_csv(out, keep_default_na=False)
    assert list(found) == ["ID", "labels", *DOUBT]
    for name in ("probability", "conformal_set", "is_abstained", "reasons"):
        assert found[name].tolist() == table[name].tolist()
    is_cell = found["ID"].str.startswith(CELLS)
    assert found.loc[~is_cell, "is_abstained"].all()
    assert found.loc[~is_cell, "reasons"].str.contains("no_cell").all()
    assert (found["reasons"] != "").tolist() == found["is_abstained"].tolist()
    assert {code for codes in found["reasons"] for code in codes.split()} <= set(DOUBTS)


def test_all_columns_of_a_csv_are_those_of_parquet(
    mixed: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "p.csv"
    assert _predict(mixed, "--out", out, "--columns", "all")[0].exit_code == 3  # the bad file
    found = pd.read_csv(out, keep_default_na=False, na_values={"site_shift": ""})
    found = found.drop(columns="ID").rename(columns={"labels": "label"})[list(table)]
    pd.testing.assert_frame_equal(found, table, check_dtype=False, check_exact=True)


def test_named_columns_and_those_of_the_table_of_cells(mixed: Path, tmp_path: Path) -> None:
    cells, out = tmp_path / "cells.csv", tmp_path / "p.csv"
    cells.write_text(f"path,slide_id\n{mixed / 'LY0.png'},S1\n{mixed / 'LY1.png'},S2\n")
    result = _predict(cells, "--out", out, "--columns", "slide_id, prob_LY,doubt,labels")[0]
    assert result.exit_code == 0, result.output
    found = pd.read_csv(out)
    assert list(found) == ["ID", "labels", "slide_id", "prob_LY", *DOUBT]
    assert found["slide_id"].tolist() == ["S1", "S2"]


def test_unknown_columns_are_named_before_any_work(mixed: Path, tmp_path: Path) -> None:
    for asked, hint in (
        ("probabilty", "Did you mean 'probability'?"),
        ("slide_id", "unknown column 'slide_id'"),  # no cell has one
        (" ,", "names no column"),
    ):
        result, said, warned = _predict(mixed, "--out", tmp_path / "p.csv", "--columns", asked)
        assert result.exit_code == 2
        assert hint in warned
        assert "Options:" in warned
        assert "[predict]" not in warned
        assert not said
    assert not list(tmp_path.iterdir())


def test_what_no_column_asks_for_is_not_computed(
    mixed: Path, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("computed, though no column asks for it")

    monkeypatch.setattr(SeverityEstimator, "estimate", refuse)
    monkeypatch.setattr(cleaning, "measure_all", refuse)
    out = tmp_path / "p.parquet"
    _predict(mixed, "--out", out, "--columns", "label,probability,image_sha256", "--allow-bad", 1)
    found = pd.read_parquet(out)
    assert set(found) == {"cell_id", "label", "probability", "image_sha256"}
    pd.testing.assert_frame_equal(found, table[list(found)])


def test_rows_say_which_bundle_and_which_image(mixed: Path, table: pd.DataFrame) -> None:
    row = table.iloc[0]
    assert row["image_sha256"] == sha256((mixed / row["cell_id"]).read_bytes()).hexdigest()
    assert set(table["bundle_sha256"]) == {files.checksum("starter")}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.sampled_from([*HAS, "ID", "labels", "doubt", "all", "label"]), min_size=1, max_size=5
    )
)
def test_every_column_that_is_asked_for_comes_once(asked: list[str]) -> None:
    found = choose_columns(",".join(asked), HAS)
    assert len(set(found)) == len(found)
    assert set(found) <= {*HAS} - {"label"}
    assert set(asked) & set(HAS) <= {*found, "label"}


def test_no_column_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no column"):
        choose_columns("", HAS)


def _counts(*reasons: str, n_bad: int = 0, sets: str = "LY", is_restored: bool = False) -> Counts:
    counts = Counts(n_bad=n_bad)
    frame = pd.DataFrame({"reasons": reasons}).assign(
        label="LY",
        is_abstained=[bool(codes) for codes in reasons],
        conformal_set=sets,
        is_restored=is_restored,
        is_moved=False,
    )
    counts.add(frame)
    return counts


def test_the_summary_in_words() -> None:
    assert summary(_counts("", "")) == ["None of 2 cells needs a look (column is_abstained)."]
    assert summary(_counts("")) == ["None of 1 cell needs a look (column is_abstained)."]
    assert summary(_counts("outlier", "")) == [
        "1 of 2 cells (50%) needs a look: 1 unlike the training cells."
    ]
    found = summary(_counts("outlier", "low_probability outlier", "", sets="LY MO", n_bad=2))
    assert found == [
        "2 of 3 cells (67%) need a look: 2 unlike the training cells, 1 low probability (a cell "
        "can have several reasons).",
        "Of the other 1, 1 has more than one possible class (conformal_set).",
        "2 images could not be read and got no label.",
    ]
    (restored,) = summary(_counts("no_cell", "poor_outline", is_restored=True))
    assert restored.endswith("1 no cell found, 1 outline not reliable. 2 of them were restored.")
    assert summary(_counts(n_bad=1)) == ["1 image could not be read and got no label."]


def test_a_folder_of_parts_holds_nothing_that_was_half_looked_for(tmp_path: Path) -> None:
    cells, out = _no_cells(tmp_path / "cells", 3), tmp_path / "parts"
    result, said, _ = _predict(cells, "--out", out, "--columns", "label")
    assert result.exit_code == 0, result.output
    assert "6 no cell found" in said
    found = pd.read_parquet(out)
    assert found["is_abstained"].all()
    assert found["reasons"].str.contains("no_cell").all()
