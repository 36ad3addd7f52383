"""The benchmark of heads: twins stay together, and every method gives a score for each class."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import heads
from buffycoat.config import load


@pytest.fixture
def cells() -> heads.Cells:
    rng = np.random.default_rng(0)
    targets = np.tile(np.repeat([0, 1, 2], [20, 10, 6]), 2)
    embeddings = np.eye(6)[targets] + 0.2 * rng.standard_normal((72, 6))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return heads.Cells(embeddings.astype(np.float32), targets, np.tile(np.arange(36), 2))


def test_a_cut_class_keeps_so_many_cells_with_their_twins(cells: heads.Cells) -> None:
    part = heads.cut(cells, 2, 2, np.random.default_rng(0))
    assert np.bincount(part.targets).tolist() == [40, 20, 4]
    assert len(np.unique(part.groups[part.targets == 2])) == 2


def test_every_method_tells_the_classes_apart(cells: heads.Cells) -> None:
    config = load("cpu", ["embed.epochs=60", "embed.feature_noise=0.1"])
    short = load(
        "cpu",
        [*heads.PAPER_SETTINGS, "embed.epochs=60", "embed.oversample={B=2}", "embed.batch_size=8"],
    )
    found = heads.methods(config) | {heads.REFERENCE: heads.head(short.embed)}
    for name, fit in found.items():
        logits = fit(cells, ("A", "B", "C"), 0)(cells.embeddings)
        assert logits.shape == (72, 3), name
        assert (logits.argmax(axis=1) == cells.targets).mean() > 0.5, name
