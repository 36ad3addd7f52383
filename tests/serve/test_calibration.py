"""Figures corrected by how the model errs on labelled cells: `--calibration`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.errors import ConfigError
from buffycoat.serve.calibration import read_confusion
from buffycoat.serve.review import Review

CODES = ("SNE", "LY", "MO", "BL", "ERB")
EACH, LOST = 40, 10
"""Labelled cells a class; lymphocytes of them that are called monocytes."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: figures do not depend on the database."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions for labelled cells, and the labels."""
    truth = np.repeat(CODES, EACH)
    calls = truth.copy()
    calls[np.flatnonzero(truth == "LY")[:LOST]] = "MO"
    ids = [f"known-{n}.png" for n in range(len(truth))]
    predictions, labels = tmp_path / "held-out.csv", tmp_path / "labels.csv"
    pd.DataFrame({"ID": ids, "labels": calls}).to_csv(predictions, index=False)
    pd.DataFrame({"ID": ids, "labels": truth}).to_csv(labels, index=False)
    return predictions, labels


def rows_of(client: Any, **asked: Any) -> dict[str, dict[str, Any]]:
    return {row["code"]: row for row in client.get("/slides/1/differential", **asked)["rows"]}


def test_the_models_figures_are_corrected_and_the_readers_are_not(
    serve: Callable[..., Any], labelled: tuple[Path, Path]
) -> None:
    served = serve()
    plain = served.client()
    assert all(row["adjusted"] is None for row in rows_of(plain, role="model").values())
    taxonomy = served.review.project.taxonomy
    confusion = read_confusion(*labelled, taxonomy)
    assert confusion is not None
    lymphocyte, monocyte = (taxonomy.codes.index(code) for code in ("LY", "MO"))
    assert confusion[lymphocyte, monocyte] == LOST
    served.review = Review.open(served.store, served.review.settings, confusion)
    client = served.client()
    by_model = rows_of(client, role="model")
    # Two of eight leukocytes are called each of four classes. A quarter of the lymphocytes is
    # called monocytes: with 2 / 0.75 lymphocytes, 2 - 0.667 monocytes are left.
    for code, percent in {"LY": 100 / 3, "MO": 100 / 6, "SNE": 25, "BL": 25}.items():
        row = by_model[code]
        assert row["percent"] == 25
        assert row["adjusted"] == pytest.approx(percent, abs=1.5), code
        assert row["adjusted_low"] <= row["adjusted"] <= row["adjusted_high"]
    client.take(1)
    n = next(cell["n"] for cell in client.cells(1) if cell["predicted"] == "LY")
    client.decide(("decision-1", n, "MO", None))
    by_reader = rows_of(client, role="first")
    assert (by_reader["MO"]["count"], by_reader["MO"]["percent"]) == (3, 37.5)
    assert by_reader["MO"]["adjusted"] == by_model["MO"]["adjusted"], "of the model's own calls"
    client.finish(1)
    signed = {row["code"]: row for row in client.sign(1)["rows"]}
    assert (signed["MO"]["percent"], signed["MO"]["adjusted"]) == (37.5, None)


def test_labels_without_predictions_are_refused(
    reviewed: Path, labelled: tuple[Path, Path], tmp_path: Path
) -> None:
    words = ["review", str(reviewed / "cells.parquet"), "--images", str(reviewed / "cells")]
    words += ["--database", f"sqlite:///{tmp_path / 'r.sqlite'}", "--no-browser"]
    done = CliRunner().invoke(app, [*words, "--calibration-labels", str(labelled[1])])
    assert isinstance(done.exception, ConfigError) or done.exit_code == 2
    assert "give the predictions too" in done.output + str(done.exception)
    assert not (tmp_path / "r.sqlite").exists()
