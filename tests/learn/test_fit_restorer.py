"""A restorer that was kept restores as the one that was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from buffycoat.config import Config, load
from buffycoat.learn import fit_restorer
from buffycoat.restore import apply as restorers
from buffycoat.restore.train import fit_restorer as train_without_file


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """Twelve pictures, smooth enough for their light to be measured."""
    rows, columns = np.mgrid[:64, :64]
    shades = (np.stack([rows + columns, 2 * rows, 127 + columns], axis=-1)).astype(np.uint8)
    return np.stack([np.roll(shades, 5 * number, axis=1) for number in range(12)])


def _settings(method: str) -> Config:
    small = ("restore.steps=6", "restore.train_px=32", "restore.batch_size=2")
    return load("demo", (f"restore.method={method}", "restore.ssim_weight=0", *small))


@pytest.mark.parametrize("method", restorers.TRAINED)
def test_what_was_kept_restores_as_what_was_trained(
    method: str, clean: np.ndarray, tmp_path: Path
) -> None:
    config = _settings(method)
    _, values = fit_restorer.train_restorer(clean, config, tmp_path)
    tensors = load_file(tmp_path / fit_restorer.MODEL_FILE)
    kept = restorers.from_tensors(values["restorer"], tensors)
    trained = train_without_file(clean, config.restore, config.seed)
    for name, weights in trained.to_tensors().items():
        assert np.array_equal(weights, tensors[name]), name
    assert np.array_equal(kept.restore(clean[:3]), trained.restore(clean[:3]))


class _Black:
    """Makes every picture black."""

    def restore(self, images: np.ndarray) -> np.ndarray:
        return np.zeros_like(images)


def test_errors_are_those_of_the_file(
    clean: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _settings("residual")
    _, values = fit_restorer.train_restorer(clean, config, tmp_path)
    assert not fit_restorer.is_harmful(values["errors"])
    assert "restored ones by" in fit_restorer.in_words(values["errors"])
    monkeypatch.setattr(fit_restorer.restorers, "from_tensors", lambda *_: _Black())
    _, values = fit_restorer.train_restorer(clean, config, tmp_path)
    assert values["errors"][1] == pytest.approx(clean.mean(), rel=0.01)
    assert fit_restorer.is_harmful(values["errors"])


def test_without_training_there_are_no_errors(clean: np.ndarray, tmp_path: Path) -> None:
    _, values = fit_restorer.train_restorer(clean, _settings("identity"), tmp_path)
    assert values["errors"] == []
    assert not fit_restorer.is_harmful(values["errors"])
