"""`suggest` through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.evaluate.scored import read_predictions
from buffycoat.taxonomy import PBC


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Thirty cells, as `predict --columns all` writes them to CSV."""
    probs = np.random.default_rng(0).dirichlet(np.full(len(PBC), 0.3), 30)
    table = pd.DataFrame({"ID": [f"c{n}.png" for n in range(30)]})
    table["labels"] = [PBC.codes[column] for column in probs.argmax(axis=1)]
    table["reasons"] = ["no_cell" if n < 3 else "" for n in range(30)]
    table[[f"prob_{code}" for code in PBC.codes]] = probs
    table.to_csv(tmp_path / "cells.csv", index=False)
    return tmp_path / "cells.csv"


@pytest.mark.parametrize("name", ["next.csv", "next.parquet"])
def test_what_is_suggested_is_a_table_of_predictions(
    predictions: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "labels.csv").write_text("ID,label\nc3.png,LY\nc4.png,ARTEFACT\n")
    result = CliRunner().invoke(
        app,
        ["suggest", str(predictions), "--out", str(tmp_path / name), "--count", "5",
         "--labels", str(tmp_path / "labels.csv")],
    )  # fmt: skip
    said = " ".join(result.stdout.split())
    assert result.exit_code == 0, result.output
    assert "5 cells to label next, of 25 without a label" in said
    assert "show no white cell: 3" in said
    stated, frame = read_predictions(tmp_path / name)
    assert len(stated) == 5
    assert not {*stated} & {f"c{n}.png" for n in range(5)}
    assert frame is not None


def test_the_table_is_not_overwritten_by_its_own_suggestions(predictions: Path) -> None:
    result = CliRunner().invoke(app, ["suggest", str(predictions), "--out", str(predictions)])
    assert result.exit_code == 2
