"""What every kind of second opinion promises."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.config import EmbedConfig
from buffycoat.embed.head_training import train_head
from buffycoat.embed.neighbours import NeighbourVote
from buffycoat.embed.panel import KINDS, LABELS, MODELS, EmbeddingModel, Panel
from buffycoat.embed.prototypes import Prototypes
from buffycoat.errors import ConfigError

K, WIDTH = 3, 8
COUNTS = (40, 12, 4)


def _cells(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(K), COUNTS)
    rows = np.eye(WIDTH)[targets] + 0.35 * rng.normal(size=(len(targets), WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), targets


def _fit(kind: str) -> EmbeddingModel:
    rows, targets = _cells()
    if kind == "head":
        # Two steps do not move a prior far: the published recipe leaves the class mix in.
        config = EmbedConfig(head="paper", hidden=(8,), projection=4, epochs=2, batch_size=8)
        return train_head(rows, targets, ("A", "B", "C"), config, 0)
    if kind == "neighbours":
        return NeighbourVote.fit(rows, targets, K)
    return Prototypes.fit(rows, targets, K)


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_from_its_arrays_and_values(kind):
    model = _fit(kind)
    panel = Panel((model, model), (1.0, 0.5))
    again = Panel.from_tensors(kind, panel.to_tensors(), panel.to_dict())
    fresh, _ = _cells(1)
    assert again.temperatures == panel.temperatures
    for one in again.models:
        assert np.array_equal(one.logits(fresh), model.logits(fresh))


@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_left_in_is_that_of_the_training_cells(kind):
    model = _fit(kind)
    fresh, _ = _cells(1)
    added = model.logits(fresh, uniform_prior=False) - model.logits(fresh)
    added -= added[:, :1]
    expected = np.log(np.array(COUNTS) / COUNTS[0])
    np.testing.assert_allclose(added, np.tile(expected, (len(fresh), 1)), atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_scored_without_regard_to_the_cells_beside_it(kind):
    model = _fit(kind)
    fresh, _ = _cells(1)
    np.testing.assert_allclose(
        model.logits(fresh)[5:6], model.logits(fresh[5:6]), rtol=1e-5, atol=1e-5
    )


def test_an_unknown_kind_is_named():
    with pytest.raises(ConfigError, match="neighbours"):
        Panel.from_tensors("neighbors", [], {MODELS: [], "temperatures": []})


def test_every_kind_has_a_name_for_tables():
    assert LABELS.keys() == KINDS.keys()
