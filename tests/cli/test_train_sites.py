"""`buffycoat train` on the cells of two laboratories, each scored by a model that saw the other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.cli.test_train_tiny import SMALL
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.simulate.render import render_cell

CHANGES = (
    *SMALL,
    "restore.method=identity",
    "classify.hold_out=site",
    "classify.vary.stain=1",
    "classify.vary.background=0.5",
)


def _draw(folder: Path, labels: dict[str, str], first_seed: int, n: int = 5) -> Path:
    """Cells in folders named after a label, drawn as of a class."""
    for label, code in labels.items():
        (folder / label).mkdir(parents=True)
        for number in range(n):
            image = render_cell(code, np.random.default_rng(first_seed + number), 64).image
            Image.fromarray(image).save(folder / label / f"{number}.png")
    return folder


def _train(*arguments: object) -> tuple[int, str]:
    changes = [part for change in CHANGES for part in ("--set", change)]
    called = CliRunner().invoke(app, ["train", *map(str, arguments), "--preset", "demo", *changes])
    return called.exit_code, called.output


def test_two_sites_with_labels_of_different_grain(tmp_path: Path) -> None:
    ours = _draw(tmp_path / "ours", {"SNE": "SNE", "BNE": "BNE", "LY": "LY", "EO": "EO"}, 0)
    theirs = _draw(tmp_path / "theirs", {"NE": "SNE", "LY": "LY", "EO": "EO"}, 100)
    out = tmp_path / "run"
    code, said = _train(ours, f"second={theirs}", "--out", out)
    assert code == 0, said
    table = pd.read_parquet(out / "out_of_fold.parquet")
    assert table.groupby("site")["fold"].unique().map(list).to_dict() == {
        "ours": [0],
        "second": [1],
    }
    assert set(table.loc[table["site"] == "second", "label"]) == {"LY", "EO"}
    scores = json.loads((out / "metrics.json").read_text())["evaluations"]["out of fold"]
    assert [(row["site"], row["n"]) for row in scores["by_site"]] == [("ours", 20), ("second", 10)]
    card = (out / "bundle" / "MODEL_CARD.md").read_text()
    assert "each site is held out as a whole" in card.lower()
    assert "| second | 2 | 10 |" in card


def test_one_site_cannot_be_held_out_from_itself(tmp_path: Path) -> None:
    ours = _draw(tmp_path / "ours", {"SNE": "SNE", "LY": "LY"}, 0)
    code, said = _train(ours, "--out", tmp_path / "run")
    assert code != 0
    assert "all cells are of site 'ours'" in " ".join(said.split())
    assert not (tmp_path / "run" / "stages").exists()


@pytest.mark.parametrize("given", ["none", "x=none"])
def test_a_data_set_that_is_not_there(tmp_path: Path, given: str) -> None:
    code, said = _train(given, "--out", tmp_path / "run")
    assert code != 0
    assert "none: no such file or folder" in " ".join(said.split())
