"""`differential BUNDLE FIELDS`: from photographs to figures, pictures and a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.images import write_png
from buffycoat.simulate.fields import Placed, render_field


def _run(command: str, *arguments: object):
    done = CliRunner().invoke(app, [command, *map(str, arguments)])
    return done, " ".join((done.stdout + done.stderr).split())


def _write(path: Path, *cells: Placed, seed: int = 0, is_gray: bool = False) -> None:
    image = render_field(cells, np.random.default_rng(seed), 360).image
    write_png(path, np.repeat(image[..., 1:2], 3, axis=2) if is_gray else image)


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two slides: fields with three cells in all, one of which the right border cuts, one gray
    field, and one without a white cell."""
    folder = tmp_path_factory.mktemp("slides") / "fields"
    _write(folder / "s1" / "0.png", Placed("LY", 30, 30), Placed("SNE", 89, 60))
    _write(folder / "s2" / "0.png", Placed("SNE", 45, 45), seed=1)
    _write(folder / "s2" / "1.png", Placed("LY", 45, 45), seed=2, is_gray=True)
    _write(folder / "s2" / "2.png", seed=3)
    return folder


@pytest.fixture(scope="module")
def done(fields: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of one command."""
    out = tmp_path_factory.mktemp("out") / "result"
    result, said = _run("differential", tiny_bundle, fields, "--max-doubtful", 100, "--out", out)
    assert result.exit_code == 0, result.output
    assert "Counted by slide_id (the folder that each field lies in): 2 slides" in said
    assert "Not a medical device" in said
    return out


@pytest.mark.slow
def test_one_command_gives_figures_pictures_and_a_page(done: Path) -> None:
    cells = pd.read_parquet(done / "predictions.parquet")
    assert {"field", "box", "kind", "is_cut", "is_counted", "um_per_px", "slide_id"} <= set(cells)
    assert set(cells["slide_id"]) == {"s1", "s2"}
    table = pd.read_csv(done / "differential.csv")
    counted = table[table["name"] != "immature granulocytes"].groupby("group")["count"].sum()
    assert counted["s1"] == 1  # the cell at the right border is not counted
    assert table.loc[table["group"] == "s1", "n_not_counted"].iloc[0] == 1
    page = (done / "differential.html").read_text()
    assert "<script" not in page
    assert "cut by the right or lower border" in page
    assert "Immature granulocytes, flagged from 2 % on" in page
    assert 'href="overlays/s1/0.png.jpg"' in page
    for name in ("s1/0.png", "s2/0.png", "s2/1.png", "s2/2.png"):
        with Image.open(done / "overlays" / f"{name}.jpg") as drawn:
            assert drawn.size[0] == 360


@pytest.mark.slow
def test_a_field_with_a_fault_is_left_out_and_named(done: Path) -> None:
    fields = pd.read_csv(done / "cells" / "fields.csv", keep_default_na=False)
    faulty = fields.loc[fields["faults"] != "", "field"].tolist()
    assert faulty == ["s2/1.png"]
    page = (done / "differential.html").read_text()
    assert "s2/1.png" in page.partition("Fields left out")[2]


@pytest.mark.slow
def test_the_same_command_again_predicts_nothing_anew(
    done: Path, fields: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from buffycoat.predict import unfamiliar, workers

    def refuse(*_: object) -> None:
        raise AssertionError("predicted again")

    monkeypatch.setattr(workers, "predict_batches", refuse)
    monkeypatch.setattr(unfamiliar, "sentences", lambda *_: ["Colour differs by 7.0 SD: adapt."])
    before = (done / "predictions.parquet").read_bytes()
    result, said = _run(
        "differential", tiny_bundle, fields, "--by", "field", "--max-doubtful", 100, "--out", done
    )
    assert result.exit_code == 0, result.output
    assert (done / "predictions.parquet").read_bytes() == before
    table = pd.read_csv(done / "differential.csv")
    assert "s1/0.png" in set(table["group"])
    for told in (said, (done / "differential.html").read_text()):
        assert "Colour differs by 7.0 SD: adapt." in told


@pytest.mark.slow
def test_predictions_of_found_cells_are_counted_alike(done: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.csv"
    result, said = _run(
        "differential", done / "predictions.parquet", "--by", "slide_id", "--max-doubtful", 100,
        "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "cut by the right or lower border" in said
    table = pd.read_csv(out)
    assert table.loc[table["group"] == "s1", "n_leukocytes"].max() <= 1


@pytest.mark.slow
def test_fields_without_a_white_cell_give_no_differential(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    _write(tmp_path / "fields" / "a.png")
    out = tmp_path / "out"
    result, said = _run(
        "differential", tiny_bundle, tmp_path / "fields", "--by", "slide_id", "--out", out
    )
    assert result.exit_code == 4
    assert "No differential: no white cell was found" in said
    assert not (out / "differential.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("starter",), "Give the folder of fields after it"),
        (("cells.parquet", "fields"), "predictions have their cells already"),
        (("cells.parquet", "--um-per-px", "0.1"), "go with FIELDS"),
        (("starter", "fields", "--out", "d.csv"), "name a folder for all results"),
    ],
)
def test_the_two_forms_are_not_mixed(arguments: tuple[str, ...], words: str) -> None:
    result, said = _run("differential", *arguments, "--by", "slide_id")
    assert result.exit_code == 2
    assert words in said
