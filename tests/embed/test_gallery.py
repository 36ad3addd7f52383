from __future__ import annotations

import numpy as np
import pytest

from buffycoat.embed.gallery import COMPONENTS, Gallery
from buffycoat.errors import ShapeError


def _rows(n: int, d: int, seed: int) -> np.ndarray:
    """Rows of length 1 that, as embeddings do, lie near a space of fewer dimensions."""
    rng = np.random.default_rng(seed)
    inner = rng.normal(size=(n, 20)) @ np.random.default_rng(9).normal(size=(20, d))
    rows = inner + 0.3 * rng.normal(size=(n, d)) + 1.0
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_it_finds_the_cells_of_highest_cosine_and_says_how_high():
    stored, asked = _rows(60, 300, 0), _rows(5, 300, 1)
    gallery = Gallery.fit(stored, [f"cell-{i}" for i in range(60)], np.arange(60) % 3)
    assert gallery.rows.shape == (60, COMPONENTS)
    cosine = asked @ stored.T
    for matches, row in zip(gallery.search(asked, 4), cosine, strict=True):
        assert [m.similarity for m in matches] == pytest.approx(-np.sort(-row)[:4], abs=0.01)
        best = int(row.argmax())
        assert (matches[0].cell_id, matches[0].column) == (f"cell-{best}", best % 3)


def test_a_cell_finds_itself_first():
    stored = _rows(30, 40, 0)
    gallery = Gallery.fit(stored, [str(i) for i in range(30)], np.zeros(30, int))
    found = gallery.search(stored, 1)
    assert [matches[0].cell_id for matches in found] == [str(i) for i in range(30)]
    assert [m[0].similarity for m in found] == pytest.approx([1.0] * 30, abs=1e-5)


def test_it_comes_back_from_its_arrays_and_gives_no_more_cells_than_it_has():
    stored = _rows(3, 8, 0)
    gallery = Gallery.fit(stored, ["a", "b", "c"], np.array([0, 1, 1]))
    again = Gallery.from_tensors(gallery.to_tensors(), gallery.cell_ids)
    assert again.search(stored, 9) == gallery.search(stored, 9)
    assert [len(matches) for matches in again.search(stored, 9)] == [3, 3, 3]


def test_what_does_not_match_is_refused():
    with pytest.raises(ShapeError, match="got 3, 1 and 3"):
        Gallery.fit(_rows(3, 8, 0), ["a"], np.zeros(3, int))
