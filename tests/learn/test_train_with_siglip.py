"""The published kind of second opinion through the whole pipeline, without a network."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import buffycoat
from buffycoat import config
from buffycoat.bundle import files
from buffycoat.cli.main import app
from buffycoat.errors import WeightsNotFoundError
from buffycoat.learn import train
from buffycoat.sources.read import read

PX = 28


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("something asked for a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def checkpoint(tiny_siglip: Path, tmp_path: Path) -> Path:
    """A copy, which may be taken away."""
    return Path(shutil.copytree(tiny_siglip, tmp_path / "siglip"))


def test_a_siglip_is_trained_on_stored_and_asked_again_without_a_network(
    checkpoint, rendered_cells, tiny_overrides, tmp_path, no_network
):
    changes = [
        *tiny_overrides,
        "restore.method=identity",
        "embed.encoder=siglip",
        f"embed.weights={checkpoint}",
        f"embed.input_px={PX}",
        "embed.crop_fraction=1.0",
        "embed.head=paper",
        "embed.oversample={PLY=50, PC=50}",
        "fuse.stack=off",
        "refine.rescue=published",
    ]
    result = train.train(rendered_cells, tmp_path / "run", config.load("demo", changes))
    fitted = files.read(result.bundle)
    assert fitted.encoder.settings()["kind"] == "siglip"
    models = fitted.panels["head"].models  # the published rules ask them
    assert len(models) == fitted.config.classify.folds

    cells = read(rendered_cells).of_split("test")
    pipeline = buffycoat.load(result.bundle)
    again = pipeline.predict_manifest(cells).frame
    assert np.isfinite(again["outlier_score"]).all()
    assert again["outlier_score"].nunique() > 1

    table = tmp_path / "cells.csv"
    images = rendered_cells / "phase2" / "test"
    arguments = ["predict", str(result.bundle), str(images), "--out", str(table)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert len(table.read_text().splitlines()) == len(cells) + 1

    checkpoint.rename(checkpoint.with_name("gone"))
    with pytest.raises(WeightsNotFoundError, match="hf download"):
        files.read(result.bundle)
