"""Recipes under one protocol: one table, a row as each recipe ends, nothing trained twice."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from buffycoat.errors import ConfigError
from buffycoat.learn.experiments import grid as grids
from buffycoat.learn.experiments.grid_table import Scored, markdown, to_row
from buffycoat.taxonomy import PBC, Taxonomy

GRIDS = Path(__file__).resolve().parents[2] / "benchmarks" / "grids"
COMMON = """
preset = "cpu"
folds = [0]
seeds = [0, 1]
set = [
    "images.work_px=48", "classify.input_px=32", "classify.backbone=test_resnet",
    "classify.weights=random", "classify.epochs=1", "classify.folds=2", "classify.views=one",
]
"""
TWO = """
[[recipe]]
name = "plain"
set = ["classify.loss=cross_entropy"]
[[recipe]]
name = "focal"
set = ["classify.loss=focal", "classify.sampler=balanced"]
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(text)
    return path


def test_a_grid_ends_in_one_table_and_is_resumed(
    rendered_cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = grids.read_grid(_file(tmp_path, COMMON + TWO))
    assert list(grid.recipes) == ["plain", "focal"]
    fit_fold, trained = grids.fit_fold, []

    def killed_at_the_third(*args: object, **options: object) -> object:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(args)
        return fit_fold(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(grids, "fit_fold", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        grids.run(rendered_cells, grid, tmp_path / "out")
    assert pd.read_csv(tmp_path / "out" / "table.csv")["recipe"].tolist() == ["plain"]

    monkeypatch.setattr(grids, "fit_fold", lambda *a, **o: trained.append(a) or fit_fold(*a, **o))
    rows = grids.run(rendered_cells, grid, tmp_path / "out")
    assert len(trained) == 4
    table: Any = pd.read_csv(tmp_path / "out" / "table.csv").set_index("recipe")
    assert table.index.tolist() == ["plain", "focal"]
    assert (table["seeds"] == 2).all()
    assert (table["n"] % 2 == 0).all()  # each cell and its twin
    assert table["balanced_macro_f1"].between(0, 1).all()
    assert (table["low"] <= table["balanced_macro_f1"]).all()
    assert (table["minutes"] > 0).all()
    difference = table["balanced_macro_f1"]["focal"] - table["balanced_macro_f1"]["plain"]
    assert table["gain"]["focal"] == pytest.approx(difference, abs=1e-4)
    assert pd.isna(table["gain"]["plain"])
    assert markdown(rows) == (tmp_path / "out" / "table.md").read_text()
    together = table["ensemble_macro_f1"]
    assert table["ensemble_gain"]["focal"] == pytest.approx(
        together["focal"] - together["plain"], abs=1e-4
    )
    assert "seeds' models as one" in markdown(rows)


def _scored(probs: list[list[float]]) -> Scored:
    return Scored(np.arange(4), np.array(probs), 1.0)


def test_seeds_are_scored_as_the_mean_of_their_models_too() -> None:
    data: Any = SimpleNamespace(
        taxonomy=Taxonomy("two", PBC.classes[:2]),
        targets=np.array([0, 1]),
        counts=np.array([1, 1]),
        expected_counts=np.array([1.0, 1.0]),
        groups=np.array([0, 1, 0, 1]),
    )
    # each is right and sure of two rows, and wrong but in doubt of the others
    first = _scored([[0.9, 0.1], [0.1, 0.9], [0.4, 0.6], [0.6, 0.4]])
    second = _scored([[0.4, 0.6], [0.6, 0.4], [0.9, 0.1], [0.1, 0.9]])
    scored = {"one kind": [first, first], "two kinds": [first, second]}
    rows = [to_row(name, scored, data, 1, "geometric") for name in scored]
    assert [row["mean_over_seeds"] for row in rows] == pytest.approx([0.5, 0.5])
    assert [row["ensemble_macro_f1"] for row in rows] == pytest.approx([0.5, 1.0])
    assert rows[1]["ensemble_gain"] == pytest.approx(0.5)
    assert rows[1]["ensemble_log_loss"] < rows[0]["ensemble_log_loss"]
    alone = to_row("alone", {"alone": [first]}, data, 1, "geometric")
    assert "ensemble_macro_f1" not in alone
    assert "seeds' models as one" not in markdown([alone])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (COMMON, r"no \[\[recipe\]\]"),
        ('prset = "cpu"\n' + TWO, "unknown keys prset"),
        (COMMON + TWO.replace("focal", "plain", 1), "unlike others"),
        (COMMON + TWO.replace("classify.loss=focal", "images.work_px=64"), "changes more than"),
        (COMMON + TWO.replace("classify.loss=focal", "classify.folds=3"), "changes more than"),
        (COMMON.replace("folds = [0]", "folds = [2]") + TWO, "there are 0 to 1"),
        (COMMON + TWO.replace("=focal", "=focl"), "classify.loss"),
        ("[[recipe]", "not a readable grid"),
    ],
)
def test_a_wrong_grid_is_refused_with_its_file(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        grids.read_grid(_file(tmp_path, text))


@pytest.mark.parametrize("path", sorted(GRIDS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_grids_beside_the_benchmarks_can_be_read(path: Path) -> None:
    assert len(grids.read_grid(path).recipes) > 1
