from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import stored, train_restorer
from buffycoat.config import Config

MINUTES = 0.001


@pytest.fixture
def settings(tiny_settings: Config) -> Config:
    smaller = {"method": "pix2pix", "noise_model": "paper", "steps": 2}
    return tiny_settings.model_copy(
        update={"restore": tiny_settings.restore.model_copy(update=smaller)}
    )


def test_a_restorer_is_trained_stored_and_not_trained_twice(
    rendered_cells: Path, settings: Config, tmp_path: Path
) -> None:
    data = train_restorer.training_set(rendered_cells, settings, tmp_path)
    config = train_restorer.with_steps(settings, 3)
    restorer = train_restorer.train(data, config, tmp_path)
    again = stored.read_restorer(tmp_path)
    assert again.name == "pix2pix"
    images = np.array(data.cells.images[:2])
    assert np.array_equal(again.restore(images), restorer.restore(images))
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["steps"] == 3
    assert record["settings"]["noise_model"] == "paper"
    assert record["minutes"] > 0
    before = (tmp_path / stored.WEIGHTS).read_bytes()
    train_restorer.train(data, config, tmp_path)
    assert (tmp_path / stored.WEIGHTS).read_bytes() == before


def test_minutes_become_steps_once_and_stay(
    rendered_cells: Path, settings: Config, tmp_path: Path
) -> None:
    data = train_restorer.training_set(rendered_cells, settings, tmp_path)
    steps = train_restorer.steps_in(MINUTES, data, settings, tmp_path)
    record = json.loads((tmp_path / "steps.json").read_text())
    assert steps == max(int(60 * MINUTES / record["seconds_per_step_in_trial"]), 1)
    assert train_restorer.steps_in(100 * MINUTES, data, settings, tmp_path) == steps
