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
    return tail.maps(cells, lambda _: None)


def _allowed(columns: list[int], n: int, k: int) -> np.ndarray:
    allowed = np.zeros((n, k), dtype=bool)
    allowed[np.arange(n), [columns[number % 3] for number in range(n)]] = True
    return allowed


def test_it_says_what_the_whole_network_says(model: FoldModel, cells: np.ndarray) -> None:
    tail = Tail(model)
    said = tail.logits(_maps(tail, cells))
    np.testing.assert_allclose(said, model.view_logits(cells), atol=0.02)  # maps are fp16


def test_labels_move_the_last_stage_alone(
    model: FoldModel, cells: np.ndarray, columns: list[int]
) -> None:
    tail = Tail(model)
    maps, allowed = _maps(tail, cells), _allowed(columns, len(cells), len(model.log_prior))
    fit_tail.learn(tail, maps, allowed)
    taught = tail.to_model()
    moved = {n for n, value in model.state.items() if not np.array_equal(value, taught.state[n])}
    assert moved
    assert not any("running_" in name or name.startswith("conv_stem") for name in moved)
    assert len(moved) < len(model.state) / 2
    right = taught.view_logits(cells).mean(axis=1).argmax(axis=1)
    assert (right == allowed.argmax(axis=1)).mean() > 0.9
    again = Tail(model)
    fit_tail.learn(again, maps, allowed)
    assert np.array_equal(again.logits(maps), tail.logits(maps))


def test_a_group_is_learned_without_choosing_among_its_classes(
    model: FoldModel, cells: np.ndarray, columns: list[int]
) -> None:
    tail, k = Tail(model), len(model.log_prior)
    maps, allowed = _maps(tail, cells), _allowed(columns, len(cells), k)
    other = next(column for column in range(k) if column not in columns)
    allowed[allowed[:, columns[0]], other] = True
    fit_tail.learn(tail, maps, allowed)
    probs = torch.from_numpy(tail.logits(maps)).softmax(dim=-1).mean(dim=1).numpy()
    assert ((probs * allowed).sum(axis=1) > 0.5).mean() > 0.9


def test_labels_are_drawn_alike_but_for_those_of_few_cells() -> None:
    allowed = np.zeros((31, 4), dtype=bool)
    allowed[:20, 0] = allowed[20:30, 1] = allowed[30:, 2] = True
    weights = fit_tail.draw_weights(allowed)
    of_first, of_second, of_one = weights[:20].sum(), weights[20:30].sum(), weights[30]
    assert of_first == pytest.approx(of_second)
    assert of_one == pytest.approx(of_first / fit_tail.FEWEST)


def test_a_network_without_stages_is_refused(model: FoldModel) -> None:
    tail = Tail(model)
    tail.network.network.feature_info = []
    with pytest.raises(ConfigError, match="does not say where its stages end"):
        tail._find_split()
