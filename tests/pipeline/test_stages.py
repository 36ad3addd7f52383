"""How the probabilities of several models become one."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.config import load
from buffycoat.pipeline.stages import MEANS


def _logs(*rows: tuple[float, ...]) -> list[np.ndarray]:
    return [np.log(np.array([row])) for row in rows]


@pytest.mark.parametrize("name", MEANS)
def test_models_of_one_mind_are_quoted_as_they_are(name):
    same = _logs((0.7, 0.2, 0.1), (0.7, 0.2, 0.1))
    np.testing.assert_allclose(np.exp(MEANS[name](same)), [[0.7, 0.2, 0.1]], atol=1e-9)


def test_the_means_are_what_they_are_called():
    logs = _logs((0.8, 0.2), (0.2, 0.8), (0.9, 0.1))
    arithmetic, geometric = (np.exp(MEANS[name](logs))[0] for name in ("arithmetic", "geometric"))
    np.testing.assert_allclose(arithmetic, [1.9 / 3, 1.1 / 3])
    roots = np.cbrt([0.8 * 0.2 * 0.9, 0.2 * 0.8 * 0.1])
    np.testing.assert_allclose(geometric, roots / roots.sum())


def test_the_published_recipe_keeps_its_mean():
    assert load("paper").fuse.average == "arithmetic"
    assert load("cpu").fuse.average == "geometric"
