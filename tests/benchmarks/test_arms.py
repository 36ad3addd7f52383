from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from benchmarks.arms import Arm, Part, Stands

from benchmarks import arms
from buffycoat.errors import ConfigError, WeightsNotFoundError
from buffycoat.learn.fit_scores import USES
from buffycoat.learn.stage_store import StageStore

N, K = 6, 3


@dataclass
class MeanModel:
    """Scores a cell by its mean gray level; counts the cells that it was asked for."""

    config: Any = field(default_factory=lambda: SimpleNamespace(views="one"))
    asked: int = 0

    def view_logits(self, images: np.ndarray) -> np.ndarray:
        self.asked += len(images)
        level = images.reshape(len(images), -1).mean(axis=1)
        return np.repeat(level, K).reshape(-1, 1, K).astype(np.float32)


def _arm(model: Any) -> Arm:
    return Arm({0: model}, ("fold0-abc",))


@pytest.fixture
def part() -> Part:
    images = np.stack([np.full((4, 4, 3), level, dtype=np.uint8) for level in range(N)])
    return Part("trial", images, "key")


@pytest.fixture
def stands() -> Stands:
    is_restored = np.array([False, True, False, True, True, False])
    restored = np.stack([np.full((4, 4, 3), 100 + row, dtype=np.uint8) for row in (1, 3, 4)])
    return Stands(restored, is_restored, "cleaned")


def test_only_accepted_cells_are_scored_restored(part, stands, tmp_path):
    model = MeanModel()
    found = arms.score(part, stands, _arm(model), 0, np.arange(N), StageStore(tmp_path))
    assert found["original"][:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert found["restored"][:, 0, 0].tolist() == [0, 101, 2, 103, 104, 5]
    assert model.asked == N + 3


def test_a_fold_s_own_rows_keep_their_restored_images(part, stands, tmp_path):
    rows = np.array([0, 3, 4])
    found = arms.score(part, stands, _arm(MeanModel()), 0, rows, StageStore(tmp_path))
    assert found["restored"][:, 0, 0].tolist() == [0, 103, 104]


def test_what_was_scored_is_not_scored_again(part, stands, tmp_path):
    model, store = MeanModel(), StageStore(tmp_path)
    arms.score(part, stands, _arm(model), 0, np.arange(N), store)
    arms.score(part, stands, _arm(model), 0, np.arange(N), store)
    assert model.asked == N + 3
    arms.score(part, stands, _arm(model), 0, np.arange(2), store)
    assert model.asked == N + 3 + 3


def test_averaging_lies_between_the_two_images():
    sure, doubtful = np.array([[[9.0, 0.0]]]), np.array([[[0.0, 1.0]]])
    views = {"original": sure, "restored": doubtful}
    probs = {use: np.exp(arms.ensemble({0: views}, {0: 1.0}, use)) for use in USES}
    assert np.allclose(probs["both"], (probs["original"] + probs["restored"]) / 2)


def test_folds_that_one_arm_lacks_are_left_out():
    model: Any = MeanModel()
    found = {"none": Arm({0: model}, ()), "augmentation": Arm({0: model, 1: model}, ())}
    assert arms.common_folds(found) == (0,)


def _finished(folder: Path, data: str, fold: int) -> None:
    folder.mkdir(parents=True)
    record = {"inputs": {"data": data, "fold": fold}}
    (folder / "done.json").write_text(json.dumps(record))


def test_a_model_of_other_cells_is_refused(tmp_path):
    _finished(tmp_path / "fold0-abc", "others", 0)
    data: Any = SimpleNamespace(key="mine", folds=SimpleNamespace(n_folds=2))
    fitted: Any = None
    with pytest.raises(WeightsNotFoundError, match="other cells or folds"):
        arms.load_arm(tmp_path, data, fitted, "one")


def test_a_folder_without_models_is_refused(tmp_path):
    (tmp_path / "fold0-abc").mkdir()
    data: Any = SimpleNamespace(key="mine", folds=SimpleNamespace(n_folds=2))
    fitted: Any = None
    with pytest.raises(WeightsNotFoundError, match="no finished fold model"):
        arms.load_arm(tmp_path, data, fitted, "one")


@pytest.mark.parametrize(("text", "message"), [("none", "NAME=FOLDER"), ("nune=x", "'none'")])
def test_a_mistyped_arm_says_what_is_meant(text, message):
    data: Any = None
    with pytest.raises(ConfigError, match=message):
        arms.load_arms([text], data, data, "one")
