"""The last stage of a classifier learns from a few labelled cells, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from buffycoat.bundle import files
from buffycoat.classify.ensemble import FoldModel
from buffycoat.errors import ConfigError
from buffycoat.learn import fit_tail
from buffycoat.learn.fit_tail import Lesson
from buffycoat.learn.tail import Tail
from buffycoat.simulate.render import render_cell


@pytest.fixture(scope="module")
def model(tiny_bundle: Path) -> FoldModel:
    return files.read(tiny_bundle).models[0]


@pytest.fixture(scope="module")
def columns(tiny_bundle: Path) -> list[int]:
    codes = files.read(tiny_bundle).taxonomy.codes
    return [codes.index(code) for code in ("SNE", "LY", "BA")]


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    rng = np.random.default_rng(0)
    codes = [("SNE", "LY", "BA")[number % 3] for number in range(24)]
    return np.stack([render_cell(code, rng, 64).image for code in codes])


def _maps(tail: Tail, cells: np.ndarray) -> torch.Tensor:
    return tail.maps(cells, np.tile(np.arange(8), (len(cells), 1)), lambda _: None)


def _lesson(maps: torch.Tensor, allowed: np.ndarray) -> Lesson:
    return Lesson(maps, allowed, maps[:0], np.zeros((0, allowed.shape[1])))


def _allowed(columns: list[int], n: int, k: int) -> np.ndarray:
    allowed = np.zeros((n, k), dtype=bool)
    allowed[np.arange(n), [columns[number % 3] for number in range(n)]] = True
    return allowed


def test_it_says_what_the_whole_network_says(model: FoldModel, cells: np.ndarray) -> None:
    tail = Tail(model)
    said = tail.logits(_maps(tail, cells)[:, tail.views])
    np.testing.assert_allclose(said, model.view_logits(cells), atol=0.02)  # maps are fp16


def test_labels_move_the_last_stage_alone(
    model: FoldModel, cells: np.ndarray, columns: list[int]
) -> None:
    tail = Tail(model)
    maps, allowed = _maps(tail, cells), _allowed(columns, len(cells), len(model.log_prior))
    fit_tail.learn(tail, _lesson(maps, allowed))
    taught = tail.to_model()
    moved = {n for n, value in model.state.items() if not np.array_equal(value, taught.state[n])}
    assert moved
    assert not any("running_" in name or name.startswith("conv_stem") for name in moved)
    assert len(moved) < len(model.state) / 2
    right = taught.view_logits(cells).mean(axis=1).argmax(axis=1)
    assert (right == allowed.argmax(axis=1)).mean() > 0.9
    again = Tail(model)
    fit_tail.learn(again, _lesson(maps, allowed))
    assert np.array_equal(again.logits(maps), tail.logits(maps))


def test_a_group_is_learned_without_choosing_among_its_classes(
    model: FoldModel, cells: np.ndarray, columns: list[int]
) -> None:
    tail, k = Tail(model), len(model.log_prior)
    maps, allowed = _maps(tail, cells), _allowed(columns, len(cells), k)
    other = next(column for column in range(k) if column not in columns)
    allowed[allowed[:, columns[0]], other] = True
    fit_tail.learn(tail, _lesson(maps, allowed))
    probs = torch.from_numpy(tail.logits(maps)).softmax(dim=-1).mean(dim=1).numpy()
    assert ((probs * allowed).sum(axis=1) > 0.5).mean() > 0.9


def test_a_class_without_labels_is_not_forgotten(
    model: FoldModel, cells: np.ndarray, columns: list[int]
) -> None:
    k, only = len(model.log_prior), np.arange(len(cells)) % 3 != 2
    allowed = _allowed(columns, len(cells), k)
    taught = Tail(model)
    maps = _maps(taught, cells)
    fit_tail.learn(taught, _lesson(maps, allowed))  # knows all three types
    knows = taught.to_model()
    said = torch.from_numpy(Tail(knows).logits(maps)).softmax(dim=-1).mean(dim=1).numpy()
    left = []
    for others in (maps[:0], maps[~only]):
        tail = Tail(knows)
        probs = said[~only] if len(others) else said[:0]
        fit_tail.learn(tail, Lesson(maps[only], allowed[only], others, probs))
        now = torch.from_numpy(tail.logits(maps[~only])).softmax(dim=-1).mean(dim=1)
        left.append(float(now[:, columns[2]].mean()))
    assert left[1] > max(left[0], 0.8)


def test_labels_are_drawn_alike() -> None:
    allowed = np.zeros((31, 4), dtype=bool)
    allowed[:20, 0] = allowed[20:30, 1] = allowed[30:, 2] = True
    weights = fit_tail.draw_weights(allowed)
    assert weights[:20].sum() == pytest.approx(weights[20:30].sum()) == pytest.approx(weights[30])


def test_a_network_without_stages_is_refused(model: FoldModel) -> None:
    tail = Tail(model)
    tail.network.network.feature_info = []
    with pytest.raises(ConfigError, match="does not say where its stages end"):
        tail._find_split()
