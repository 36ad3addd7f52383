from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.config import EmbedConfig
from buffycoat.embed.head import Head
from buffycoat.embed.head_training import train_head
from buffycoat.errors import ConfigError, ShapeError

CODES = ("AA", "BB", "CC", "DD")
WIDTH = 24


def _cells(counts: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes around directions of their own; the rest is noise."""
    centres = np.random.default_rng(7).normal(size=(len(CODES), WIDTH))
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(counts)), counts)
    rows = centres[targets] + 0.7 * rng.normal(size=(len(targets), WIDTH))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), targets


def _config(**changes: object) -> EmbedConfig:
    settings: dict[str, object] = {
        "hidden": (16,),
        "projection": 8,
        "dropout": 0.05,
        "epochs": 15,
        "batch_size": 16,
        "learning_rate": 5e-3,
    }
    return EmbedConfig(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", ["balanced", "paper"])
def test_it_learns_to_tell_new_cells_apart(recipe: str) -> None:
    head = train_head(*_cells((60, 30, 8, 4)), CODES, _config(head=recipe), seed=1)
    rows, targets = _cells((20, 20, 20, 20), seed=5)
    recall = [(head.logits(rows)[targets == c].argmax(1) == c).mean() for c in range(4)]
    assert np.mean(recall) > 0.85


def test_the_same_seed_gives_the_same_head() -> None:
    cells = _cells((20, 10, 4, 2))
    first, second = (train_head(*cells, CODES, _config(epochs=2), seed=3) for _ in range(2))
    assert np.array_equal(first.logits(cells[0]), second.logits(cells[0]))


@pytest.mark.parametrize("recipe", ["balanced", "paper"])
def test_what_is_stored_scores_bit_for_bit_as_what_was_trained(recipe: str) -> None:
    rows, targets = _cells((20, 10, 4, 2))
    head = train_head(rows, targets, CODES, _config(head=recipe, epochs=2), seed=3)
    again = Head.from_tensors(head.to_tensors(), json.loads(json.dumps(head.to_dict())))
    assert np.array_equal(again.logits(rows), head.logits(rows))
    assert np.array_equal(again.train_prior, head.train_prior)


def test_a_cell_does_not_depend_on_the_cells_beside_it() -> None:
    rows, targets = _cells((20, 10, 4, 2))
    head = train_head(rows, targets, CODES, _config(epochs=2), seed=3)
    alone = np.concatenate([head.logits(row[None]) for row in rows])
    np.testing.assert_allclose(alone, head.logits(rows), rtol=1e-6, atol=1e-6)


def test_the_prior_of_the_paper_is_that_of_its_oversampling() -> None:
    config = _config(head="paper", epochs=1, oversample={"AA": 0.5, "DD": 50})
    rows, targets = _cells((40, 20, 10, 1))
    head = train_head(rows, targets, CODES, config, seed=0)
    np.testing.assert_allclose(head.train_prior, np.array([20, 20, 10, 50]) / 100)
    gap = head.logits(rows, uniform_prior=False) - head.logits(rows)
    np.testing.assert_allclose(
        gap, np.log(head.train_prior * 4)[None].repeat(len(rows), 0), atol=1e-5
    )


def test_balanced_logits_have_no_prior_to_take_out() -> None:
    rows, targets = _cells((20, 10, 4, 2))
    head = train_head(rows, targets, CODES, _config(epochs=1), seed=0)
    assert np.array_equal(head.logits(rows), head.logits(rows, uniform_prior=False))


@pytest.mark.parametrize("recipe", ["balanced", "paper"])
@pytest.mark.parametrize("counts", [(12, 6, 1, 0), (5, 0, 0, 0), (1, 1, 1, 1)])
def test_classes_of_one_and_absent_ones_leave_it_finite(
    recipe: str, counts: tuple[int, ...]
) -> None:
    rows, targets = _cells(counts)
    head = train_head(rows, targets, CODES, _config(head=recipe, epochs=2), seed=0)
    assert np.isfinite(head.logits(rows)).all()
    assert 0 <= head.report["anchors_without_positive"] <= 1


def test_balanced_batches_always_hold_positives() -> None:
    head = train_head(*_cells((12, 6, 1, 0)), CODES, _config(epochs=1, batch_size=4), seed=0)
    assert head.report["anchors_without_positive"] == 0


def test_batches_without_positives_are_counted() -> None:
    config = _config(head="paper", epochs=1)
    head = train_head(*_cells((1, 1, 1, 1)), CODES, config, seed=0)
    assert head.report["anchors_without_positive"] == 1


def test_progress_runs_to_the_end() -> None:
    steps: list[tuple[int, int]] = []
    config = _config(epochs=3)
    train_head(*_cells((20, 10, 4, 2)), CODES, config, 0, lambda d, t: steps.append((d, t)))
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_wrong_settings_and_shapes_are_refused() -> None:
    rows, targets = _cells((4, 4, 4, 4))
    with pytest.raises(ConfigError, match="oversample"):
        train_head(rows, targets, CODES, _config(head="paper", oversample={"ZZ": 2}), seed=0)
    with pytest.raises(ConfigError, match="head"):
        train_head(rows, targets, CODES, _config(head="off"), seed=0)
    with pytest.raises(ShapeError, match="targets"):
        train_head(rows, targets[:-1], CODES, _config(), seed=0)
    head = train_head(rows, targets, CODES, _config(epochs=1), seed=0)
    with pytest.raises(ShapeError, match=f"{WIDTH}"):
        head.logits(rows[:, :-1])
