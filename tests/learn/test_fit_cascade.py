"""Stopping after few views: fitted on unseen cells, kept only where labels stay."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from buffycoat.classify.cascade import ROTATIONS_FIRST, Cascade, Step, order_of
from buffycoat.learn.fit_cascade import EQUAL_SHARE, Seen, fit, of_scores
from buffycoat.learn.fit_scores import OutOfFold
from buffycoat.predict.stages import classify_early, of_views, together

K, VIEWS = 4, 8


def _seen(n: int, noise: float, n_models: int = 2, seed: int = 0) -> Seen:
    """Views of cells that lie near or far from a boundary, with noise of their own."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, K, n)
    means = np.eye(K)[targets] * rng.uniform(0, 12, n)[:, None]
    logits = [
        (means[:, None] + rng.normal(0, noise, (n, VIEWS, K))).astype(np.float32)
        for _ in range(n_models)
    ]
    return Seen(logits, [1.0] * n_models, targets, "geometric", np.arange(n) % 5)


def test_sure_cells_stop_early_and_labels_stay() -> None:
    seen = _seen(3000, 0.8)
    cascade, words = fit(seen)
    assert cascade is not None, words
    assert cascade.trial["equal"] >= EQUAL_SHARE
    assert cascade.trial["views"] < VIEWS
    assert [step.views for step in cascade.steps] == sorted(step.views for step in cascade.steps)
    assert Cascade.from_dict(json.loads(json.dumps(cascade.to_dict()))) == cascade


def test_views_that_say_different_things_are_all_looked_at() -> None:
    cascade, words = fit(_seen(3000, 6.0))
    assert cascade is None or cascade.trial["equal"] >= EQUAL_SHARE, words


@pytest.mark.parametrize("n", [0, 50])
def test_too_few_cells(n: int) -> None:
    cascade, words = fit(_seen(n, 1.0))
    assert cascade is None
    assert "too few" in words


def test_only_missing_views_are_asked_for_and_each_once() -> None:
    seen = _seen(40, 1.0)
    asked: list[tuple[int, int, int]] = []

    def look(rows: np.ndarray, model: int, views: Sequence[int]) -> np.ndarray:
        asked.extend((int(row), model, int(view)) for row in rows for view in views)
        return seen.logits[model][rows][:, list(views)]

    order = order_of("d4")
    steps = (Step(1, 1, 1.0, 0.0, 0.9), Step(0, 2, 1.0, 0.0, 0.8))
    found = classify_early(40, look, Cascade(steps, {}), [1.0, 1.0], order, "geometric")
    assert len(set(asked)) == len(asked) == found.views.sum()
    assert {1, 4, 16} >= {*found.views.tolist()}
    once = found.views == 1
    assert {(m, v) for row, m, v in asked if once[row]} == {(0, order[0])}
    whole = together([of_views([part], 1.0) for part in seen.logits], "geometric")
    rest = found.views == 16
    assert rest.any()
    assert once.any()
    # all views in another order: the same mean
    np.testing.assert_allclose(found.log_probs[rest], whole.log_probs[rest], atol=1e-6)


def test_a_cell_does_not_depend_on_the_others() -> None:
    seen = _seen(60, 1.5)
    cascade = Cascade((Step(1, 1, 1.0, 0.1, 0.9), Step(0, 4, 1.0, 0.0, 0.7)), {})

    def run(rows: np.ndarray) -> np.ndarray:
        def look(inner: np.ndarray, model: int, views: Sequence[int]) -> np.ndarray:
            return seen.logits[model][rows[inner]][:, list(views)]

        order = order_of("d4")
        found = classify_early(len(rows), look, cascade, [1.0, 1.2], order, "geometric")
        return np.column_stack([found.log_probs, found.logits, found.views])

    together_ = run(np.arange(60))
    assert np.array_equal(together_[[3, 50]], run(np.array([3, 50])))


def test_nothing_is_lost_without_cells_or_steps() -> None:
    seen = _seen(5, 1.0)

    def look(rows: np.ndarray, model: int, views: Sequence[int]) -> np.ndarray:
        return seen.logits[model][rows][:, list(views)]

    none = classify_early(5, look, Cascade((), {}), [1.0, 1.0], order_of("d4"), "geometric")
    assert (none.views == 16).all()
    assert sorted(ROTATIONS_FIRST) == list(range(8))


def test_a_cell_and_its_twin_are_one_observation() -> None:
    seen = _seen(6000, 0.3, n_models=1)
    cells = np.arange(6000) % 3000  # each twin after the cells, as training has them
    scores = OutOfFold(
        targets=seen.targets,
        folds=cells % 5,
        log_probs=np.zeros((6000, K)),
        logits=np.zeros((6000, K)),
        temperatures=[1.0] * 5,
        use="original",
        choice=[],
        view_logits=seen.logits[0],
    )
    cascade, words = of_scores(scores, "d4", "geometric", cells)
    assert cascade is not None, words
    assert cascade.trial["n"] == 6000
