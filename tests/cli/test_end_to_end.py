"""From rendered cells to a scored submission, through the commands that people type."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat import config
from buffycoat.cli.main import app
from buffycoat.simulate import render
from buffycoat.taxonomy import WBCBENCH

pytestmark = pytest.mark.slow


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return " ".join(result.stdout.split())


def test_train_predict_and_evaluate_agree(
    rendered_cells: Path, tiny_overrides: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    changes = [part for change in tiny_overrides for part in ("--set", change)]
    said = run("train", rendered_cells, "--preset", "demo", "--out", out, *changes)
    assert str(out / "bundle") in said
    assert "Not a medical device" in (out / "report.html").read_text(encoding="utf-8")

    submission = tmp_path / "eval.csv"
    run("predict", out / "bundle", rendered_cells, "--split", "eval", "--out", submission)
    scores = tmp_path / "scores.json"
    run("evaluate", submission, rendered_cells / "phase2_eval.csv", "--out", scores)

    trained = json.loads((out / "metrics.json").read_text())["evaluations"]["eval"]
    scored = json.loads(scores.read_text())
    columns = [trained["codes"].index(code) for code in scored["codes"]]
    assert scored["n"] == trained["n"]
    assert scored["confusion"] == [
        [trained["confusion"][row][column] for column in columns] for row in columns
    ]


def test_the_demo_leaves_predictions_bundle_and_page(
    tiny_overrides: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = config.load("demo", tiny_overrides)
    monkeypatch.setattr(config, "load", lambda *_: small)
    monkeypatch.setattr(render, "LONG_TAIL_COUNTS", dict.fromkeys(WBCBENCH.codes, 4))
    monkeypatch.setattr("buffycoat.cli.demo.EVAL_PER_CLASS", 1)
    monkeypatch.setattr("buffycoat.cli.demo.TEST_PER_CLASS", 1)
    monkeypatch.setattr("buffycoat.cli.demo.SIZE_PX", 96)
    said = run("demo", "--out", tmp_path)
    assert "macro F1" in said
    assert "report.html" in said
    assert len(pd.read_csv(tmp_path / "test.csv")) == len(WBCBENCH)
    assert "Review page: buffycoat review" in said  # not opened: the output is no terminal
    assert {"is_abstained", "evidence"} <= {*pd.read_parquet(tmp_path / "test.parquet")}
    assert (tmp_path / "run" / "bundle" / "MODEL_CARD.md").exists()
    _check_intervals(tmp_path / "run")


def _check_intervals(run: Path) -> None:
    """No figure of the first reports stands beside an interval that excludes it."""
    card = (run / "bundle" / "MODEL_CARD.md").read_text("utf-8")
    spans = re.findall(r"([01]\.\d+) \(([01]\.\d+) to ([01]\.\d+)\)", card)
    spans += re.findall(r"\| ([01]\.\d+) \| ([01]\.\d+) to ([01]\.\d+) \|", card)
    assert len(spans) > 10
    for file in (run / "tables").glob("*.csv"):
        table = pd.read_csv(file)
        for name in [c for c in table if f"{c}_low" in table]:
            columns = [name, f"{name}_low", f"{name}_high"]
            known = table[columns].apply(pd.to_numeric, errors="coerce")
            spans += known.dropna().to_numpy().tolist()
    assert len(spans) > 50
    for value, low, high in spans:
        assert float(low) < float(high)
        assert float(low) <= float(value) <= float(high)
