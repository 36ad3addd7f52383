"""`suspects` through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.evaluate.scored import read_predictions
from buffycoat.taxonomy import PBC

pytest.importorskip("cleanlab", reason="needs the extra 'labels'")


def _suspects(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["suspects", *map(str, arguments)])
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Out-of-fold scores of 100 cells, of which c7 has a wrong label; and a degraded twin."""
    k = len(PBC)
    truth = np.arange(100) % k
    probs = np.full((100, k), 0.02)
    probs[np.arange(100), truth] = 1 - 0.02 * (k - 1)
    labels = [PBC.codes[column] for column in truth]
    labels[7] = "SNE"
    frame = pd.DataFrame({"cell_id": [f"c{n}" for n in range(100)], "label": labels})
    frame["is_twin"], frame["fold"] = False, 0
    frame[[f"prob_{code}" for code in PBC.codes]] = probs
    path = tmp_path / "out_of_fold.parquet"
    pd.concat([frame, frame.iloc[:1].assign(is_twin=True)]).to_parquet(path)
    return path


@pytest.mark.parametrize("name", ["suspects.csv", "suspects.parquet"])
def test_the_wrong_label_is_listed_as_a_prediction(scores: Path, tmp_path: Path, name: str) -> None:
    code, said = _suspects(scores, "--out", tmp_path / name)
    assert code == 0, said
    assert "1 of 100 labels may be wrong" in said
    assert f"1 labelled SNE, more like {PBC.codes[7]}" in said
    stated, frame = read_predictions(tmp_path / name)
    assert stated == {"c7": "SNE"}
    assert frame is not None
    assert frame.loc["c7", f"prob_{PBC.codes[7]}"] == pytest.approx(0.82)


def test_predictions_with_labels_do_as_well(scores: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(scores).query("not is_twin")
    labels = frame[["cell_id", "label"]].rename(columns={"cell_id": "ID", "label": "labels"})
    labels.to_csv(tmp_path / "labels.csv", index=False)
    predicted = frame.drop(columns=["is_twin", "fold"])
    predicted.to_parquet(tmp_path / "cells.parquet")
    out = tmp_path / "found.csv"
    code, said = _suspects(
        tmp_path / "cells.parquet", "--labels", tmp_path / "labels.csv", "--out", out,
        "--count", 3,
    )  # fmt: skip
    assert code == 0, said
    assert len(pd.read_csv(out)) == 3


def test_a_table_without_probabilities_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("ID,labels\na,SNE\n")
    code, said = _suspects(
        tmp_path / "p.csv", "--labels", tmp_path / "p.csv", "--out", tmp_path / "o.csv"
    )
    assert code == 2
    assert "no probabilities" in said


def test_what_is_no_run_s_table_names_the_option_of_this_command(tmp_path: Path) -> None:
    pd.DataFrame({"cell_id": ["a"], "label": ["LY"]}).to_parquet(tmp_path / "p.parquet")
    code, said = _suspects(tmp_path / "p.parquet", "--out", tmp_path / "o.csv")
    assert code == 2
    assert "give the true labels of its cells with --labels" in said
    code, said = _suspects(tmp_path / "gone", "--out", tmp_path / "o.csv")
    assert code == 2
    assert "gone: no such file. Check the path" in said
