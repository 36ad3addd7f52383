"""Simulated coverage: the truth is the truth, what is counted is counted, and intervals hold it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from benchmarks import interval_coverage as benchmark
from buffycoat.evaluate.metrics import macro_f1

SCENARIO = benchmark.Scenario(5, "falling", "training share", "20")


@pytest.mark.parametrize("scenario", list(benchmark.scenarios()), ids=str)
def test_rows_are_probabilities_and_supports_have_a_class_each(scenario) -> None:
    np.testing.assert_allclose(scenario.rows.sum(axis=1), 1)
    assert (scenario.rows >= 0).all()
    assert scenario.support.shape == (scenario.k,)
    assert (np.diag(scenario.rows) >= 0.5).all()


def test_true_score_is_that_of_endless_cells() -> None:
    endless = SCENARIO.rows * SCENARIO.support[:, None]
    rng = np.random.default_rng(0)
    counts = rng.multinomial(400_000, (endless / endless.sum()).ravel())
    truth, calls = np.indices(endless.shape).reshape(2, -1)
    cells = {"y_true": truth, "y_pred": calls, "sample_weight": counts}
    assert float(macro_f1(endless)) == pytest.approx(f1_score(**cells, average="macro"), abs=0.005)


def test_the_summary_counts_what_holds_and_what_lies() -> None:
    rows = [
        {"low": 0.4, "high": 0.6, "estimate": 0.5, "truth": 0.5},
        {"low": 0.4, "high": 0.6, "estimate": 0.7, "truth": 0.7},
        {"low": 0.8, "high": 0.9, "estimate": 0.8, "truth": 0.7},
        {"low": None, "high": None, "estimate": 1.0, "truth": 0.7},
    ]
    frame = pd.DataFrame(rows).assign(score="s", method="m", cells=["7", "7", "20", "20"])
    [row] = benchmark.summarise(frame, ("score", "method"), ("cells",)).to_dict("records")
    assert (row["intervals"], row["given"]) == (3, 0.75)
    assert row["held"] == row["too_low"] == row["too_high"] == pytest.approx(1 / 3)
    assert (row["least"], row["excluded"]) == (0, pytest.approx(1 / 3))


def test_every_study_gives_the_same_for_the_same_seed(monkeypatch) -> None:
    monkeypatch.setattr(benchmark, "scenarios", lambda: iter([SCENARIO]))
    monkeypatch.setattr(benchmark, "N_DRAWS", 50)
    for study in ("scores", "differences", "methods"):
        first, again = (benchmark.run(study, 2, seed=1) for _ in range(2))
        pd.testing.assert_frame_equal(first, again)
        assert {"low", "high", "estimate", "truth", "score", "method", "k"} <= {*first.columns}


@pytest.mark.slow
def test_the_packages_intervals_hold_the_truth_and_the_old_posterior_does_not(monkeypatch) -> None:
    good = [benchmark.Scenario(10, "0.99", "neighbours", cells) for cells in ("7", "80")]
    monkeypatch.setattr(benchmark, "scenarios", lambda: iter(good))
    table = benchmark.summarise(benchmark.run("methods", 60), ("score", "method"), ("cells",))
    table = table.loc[table["score"] == "prior-weighted macro-F1"].set_index("method")
    assert table.loc["0.5 cells more a class", "held"] > 0.9
    assert table.loc["0.5 cells more a class", "excluded"] == 0
    assert table.loc["Jeffreys, 1/2 a field", "too_low"] > 0.9
    assert table.loc["percentile bootstrap", "held"] < 0.85
