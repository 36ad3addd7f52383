"""Too few cells for a fit: what lacks them is off and says so; what cannot be scored is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from buffycoat.bundle import files
from buffycoat.cli.main import app
from buffycoat.learn import fit_restorer
from buffycoat.simulate.render import render_cell

SMALL = (
    "taxonomy=auto",
    "images.work_px=48",
    "classify.backbone=test_resnet",
    "classify.weights=random",
    "embed.encoder=test_resnet",
    "embed.weights=random",
    "classify.input_px=32",
    "classify.epochs=1",
    "classify.views=one",
    "embed.input_px=32",
    "embed.epochs=1",
    "refit.epochs=0",
)


def _draw(folder: Path, counts: dict[str, int], is_same: bool = False) -> Path:
    for code, n in counts.items():
        (folder / code).mkdir(parents=True)
        for number in range(n):
            image = render_cell(code, np.random.default_rng(0 if is_same else number), 64).image
            # Files of one picture differ in their bytes where copies are wanted.
            Image.fromarray(image).save(folder / code / f"{number}.png", compress_level=number % 10)
    return folder


def _table(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    """Cells as (class, split, patient) in a table."""
    lines = ["path,label,split,patient_id"]
    folder.mkdir()
    for number, (code, split, patient) in enumerate(rows):
        image = render_cell(code, np.random.default_rng(number), 64).image
        Image.fromarray(image).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{code},{split},{patient}")
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    return folder


def _train(data: Path, out: Path, *changes: str) -> tuple[int, str]:
    arguments = ["train", str(data), "--preset", "demo", "--out", str(out)]
    for change in (*SMALL, *changes):
        arguments += ["--set", change]
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def _not_finite(values: Any, place: str = "") -> Iterator[str]:
    if isinstance(values, dict):
        for name, value in values.items():
            yield from _not_finite(value, f"{place}.{name}")
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from _not_finite(value, f"{place}[{number}]")
    elif isinstance(values, float) and not math.isfinite(values):
        yield place


def _notes(run: Path) -> dict[str, str]:
    for name in ("metrics.json", "bundle/bundle.json", "bundle/refine.json"):
        assert not list(_not_finite(json.loads((run / name).read_text()))), name
    return json.loads((run / "bundle" / "bundle.json").read_text())["provenance"]["too_few"]


def test_two_cells_a_class_train_with_the_stages_that_lack_cells_off(tmp_path: Path) -> None:
    data, run = _draw(tmp_path / "data", {"SNE": 2, "LY": 2, "MO": 2}), tmp_path / "run"
    code, said = _train(data, run, "classify.folds=2")
    assert code == 0, said
    assert "off: " in said
    assert said.index("off: ") < said.index("[classify]")
    assert "embedding head (needs 2 classes with 2 cells, has 0 outside fold 1)" in said
    assert "neighbours (needs a class with 2 cells, has none outside fold 1)" in said
    notes = _notes(run)
    assert {"restoration", "head", "neighbours", "class_means", "stack", "calibration"} <= {*notes}
    assert "needs 10 clean cells, has 6" in (run / "report.html").read_text()
    assert "Off: " in (run / "bundle" / "MODEL_CARD.md").read_text()
    found = tmp_path / "found.csv"
    arguments = ["predict", str(run / "bundle"), str(data), "--out", str(found)]
    arguments += ["--columns", "cell_id"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert len(pd.read_csv(found)) == 6

    first = (run / "bundle" / "bundle.json").read_bytes()
    code, said = _train(data, run, "classify.folds=2")
    assert code == 0, said
    assert (run / "bundle" / "bundle.json").read_bytes() == first


def test_a_restorer_that_harms_is_left_out_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_restorer, "WORSE", 0.0)
    data, run = _draw(tmp_path / "data", {"SNE": 6, "LY": 6, "MO": 6}), tmp_path / "run"
    code, said = _train(data, run, "classify.folds=2", "restore.ssim_weight=0")
    assert code == 0, said
    assert "off: its restorer harms: degraded ones are off by" in said
    assert _notes(run)["restoration"].startswith("its restorer harms")
    assert "its restorer harms" in (run / "report.html").read_text()
    assert files.read(run / "bundle").restoration.restorer.name == "identity"
    assert files.read(run / "bundle").use == "original"


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"SNE": 1, "LY": 1, "MO": 1}, "holds SNE 1, LY 1, MO 1.*2 classes need 2 cells each"),
        ({"SNE": 9, "LY": 1}, "holds SNE 9, LY 1.*2 classes need 2 cells each"),
        ({"SNE": 9}, "holds 1 class"),
        ({"SNE": 1, "LY": 1}, "2 cells cannot fill 3 folds"),
    ],
)
@pytest.mark.parametrize("command", ["train", "bench"])
def test_what_no_classifier_can_be_scored_on_is_refused_before_a_picture_is_read(
    tmp_path: Path, counts: dict[str, int], message: str, command: str
) -> None:
    data, run = _draw(tmp_path / "data", counts), tmp_path / "run"
    if command == "train":
        code, said = _train(data, run)
    else:
        code, said = _bench(data, tmp_path, "classify.folds=3")
    assert code == 2
    assert re.search(message, said)
    assert not (run / "cache").exists()
    assert not (run / "stages").exists()


def test_one_class_of_one_beside_larger_ones_is_trained_and_noted(tmp_path: Path) -> None:
    data = _draw(tmp_path / "data", {"SNE": 9, "LY": 9, "BA": 1})
    code, said = _train(data, tmp_path / "run", "classify.folds=3", "restore.method=identity")
    assert code == 0, said
    assert "BA: 1 cell in 1 of 3 folds" in said
    assert "head" not in _notes(tmp_path / "run")


def test_copies_of_one_picture_are_one_cell_to_the_folds(tmp_path: Path) -> None:
    """Whatever their files: they differ in their bytes."""
    data = _draw(tmp_path / "data", {"SNE": 8, "LY": 8}, is_same=True)
    code, said = _train(data, tmp_path / "run", "classify.folds=3", "restore.method=identity")
    assert code == 2
    assert "2 photographs cannot fill 3 folds" in said


def test_too_few_photographs_leave_class_means_and_distances_off(tmp_path: Path) -> None:
    data = _draw(tmp_path / "data", {"SNE": 2, "LY": 2})
    code, said = _train(
        data,
        tmp_path / "run",
        "classify.folds=2",
        "restore.method=identity",
        "embed.outliers=relative_mahalanobis",
    )
    assert code == 0, said
    notes = _notes(tmp_path / "run")
    assert "has 2 outside fold" in notes["class_means"]
    assert "classifier_energy takes its place" in notes["outlier score"]
    index = json.loads((tmp_path / "run" / "bundle" / "bundle.json").read_text())
    assert index["outliers"] == "classifier_energy"


def test_patients_that_are_one_class_each_cannot_be_held_out(tmp_path: Path) -> None:
    rows = [(c, "train", {"SNE": "A", "LY": "B"}[c]) for c in ("SNE", "LY") * 5]
    code, said = _train(_table(tmp_path / "data", rows), tmp_path / "run", "classify.folds=2")
    assert code == 2
    assert "2 classes need 2 cells of different patients each" in said


def test_two_patients_leave_a_vote_nobody_to_vote(tmp_path: Path) -> None:
    rows = [(c, "train", "AB"[i // 2 % 2]) for i, c in enumerate(("SNE", "LY") * 6)]
    data, run = _table(tmp_path / "data", rows), tmp_path / "run"
    code, said = _train(data, run, "classify.folds=2", "restore.method=identity")
    assert code == 0, said
    assert "neighbours" in _notes(run)
    assert "needs a class with 2 patients, has none" in said
    assert "head" not in _notes(run)


def test_a_held_out_cell_of_a_class_that_training_lacks(tmp_path: Path) -> None:
    rows = [(c, "train", "") for c in ("SNE", "LY") * 4] + [("MO", "eval", "")]
    code, said = _train(
        _table(tmp_path / "data", rows), tmp_path / "run", "restore.method=identity"
    )
    assert code == 0, said
    _notes(tmp_path / "run")


def test_too_few_cells_to_pick_an_epoch_on_are_refused_before_training(tmp_path: Path) -> None:
    data = _draw(tmp_path / "data", {"SNE": 3, "LY": 3})
    code, said = _train(data, tmp_path / "run", "classify.keep_epoch=inner")
    assert code == 2
    assert "classify.keep_epoch=last" in said
    assert "[classify]" not in said


def _bench(data: Path, folder: Path, *changes: str) -> tuple[int, str]:
    grid, settings = folder / "grid.toml", json.dumps([*SMALL, *changes])
    grid.write_text(f'preset = "cpu"\nset = {settings}\n[[recipe]]\nname = "plain"\n')
    arguments = ["bench", "classify", str(data), "--grid", str(grid), "--out", str(folder / "run")]
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_a_grid_on_two_cells_a_class_says_that_nothing_is_calibrated(tmp_path: Path) -> None:
    data = _draw(tmp_path / "data", {"SNE": 2, "LY": 2})
    code, said = _bench(data, tmp_path, "classify.folds=2")
    assert code == 0, said
    assert "off: calibration (needs 10 cells a fold, has 2)" in said
