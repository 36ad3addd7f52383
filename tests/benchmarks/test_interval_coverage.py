"""The interval of the prior-weighted macro-F1 holds the truth as often as it says: where its prior
is true. Where it is not, it lies low, and that is asserted too, so that no one forgets it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks import interval_coverage as benchmark


def test_true_score_is_that_of_endless_cells() -> None:
    rows = benchmark.rarely_rare()
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    rng = np.random.default_rng(0)
    shares = benchmark.TRAIN_COUNTS / benchmark.TRAIN_COUNTS.sum()
    counts = rng.multinomial(400_000, (rows * shares[:, None]).ravel())
    truth, calls = np.indices(rows.shape).reshape(2, -1)
    cells = {"y_true": truth, "y_pred": calls, "sample_weight": counts}
    assert benchmark.true_score(rows) == pytest.approx(f1_score(**cells, average="macro"), abs=0.01)


@pytest.mark.parametrize("method", benchmark.METHODS)
def test_every_method_gives_the_same_interval_for_the_same_seed(method: str) -> None:
    make = benchmark.METHODS[method]
    table = np.random.default_rng(1).multinomial(30, benchmark.to_neighbours())
    assert make(table, 3) == make(table, 3)
    assert 0 < make(table, 3).low < make(table, 3).high < 1


@pytest.mark.slow
def test_the_posterior_holds_the_truth_where_its_prior_is_true() -> None:
    of = benchmark.cover(benchmark.from_prior, 80, benchmark.METHODS["Jeffreys, 1/2"], 300)
    assert 0.92 <= of.held <= 0.98  # 0.95 to within three standard errors
    assert abs(of.bias) < 0.005


@pytest.mark.slow
def test_the_posterior_lies_low_where_most_fields_are_truly_empty() -> None:
    posterior, lighter, both = (
        benchmark.cover(benchmark.to_neighbours, 80, benchmark.METHODS[name], 60)
        for name in ("Jeffreys, 1/2", "1/k", "1/k to bootstrap")
    )
    assert posterior.too_low > 0.9
    assert posterior.bias < lighter.bias < 0
    assert both.held > 0.9
