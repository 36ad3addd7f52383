"""How often do 95 % intervals hold the true score?

    python -m benchmarks.interval_coverage --simulations 100 --out interval-coverage.json

A classifier is set, with every probability of a confusion known, so that its scores on endless
cells are known too. Splits are drawn from it and scored by the package itself; four studies:

scores       each score that the package prints, image-level
differences  two methods on the same cells
patients     cells of few patients, who differ (intraclass correlation 0, 0.1 and 0.3)
methods      other ways of making the interval of a macro score, with the package's beside them

Classifiers find 0.99, 0.85 or 0.6 of each class, or from 0.97 of the most frequent to 0.5 of the
rarest ("falling"). Splits hold 7, 20 or 80 cells of each of 2, 5, 10 or 13 classes, or a long tail
down to 1 or 2 cells. Errors go to the neighbours, or by training share, 95:1. No real cells are
used.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.evaluate import metrics
from buffycoat.evaluate.bootstrap import UNSEEN, resample
from buffycoat.evaluate.class_table import class_rows
from buffycoat.evaluate.draws import draw_images, pair_up, with_unseen
from buffycoat.evaluate.interval import Interval, percentile_ends
from buffycoat.evaluate.paired import paired_resample
from buffycoat.taxonomy import CellClass, Taxonomy

Array = np.ndarray[Any, Any]
Row = dict[str, Any]

CLASSIFIERS = ("0.99", "0.85", "0.6", "falling")
SUPPORTS = ("7", "20", "80", "long tail")
LONG_TAILS = {
    2: (200, 5),
    5: (200, 20, 10, 5, 2),
    10: (200, 100, 50, 20, 10, 10, 5, 5, 2, 1),
    13: (300, 200, 100, 50, 20, 20, 10, 10, 5, 5, 2, 2, 1),
}
ERRORS = ("neighbours", "training share")
CHANGES = {
    "none": (0.0, 0.0),
    "few": (0.05, 0.005),
    "some": (0.1, 0.02),
    "many": (0.3, 0.1),
}
"""How many of A's errors B calls right, and how many right calls of A it spoils."""
N_DRAWS = 500


@dataclass(frozen=True)
class Scenario:
    """A classifier and the split that it is scored on.

    Attributes:
        k: Number of classes.
        classifier: A name of `CLASSIFIERS`.
        errors: Where errors go.
        cells: A name of `SUPPORTS`.
    """

    k: int
    classifier: str
    errors: str
    cells: str

    @property
    def support(self) -> Array:
        """Cells of each class, shape (k,)."""
        if self.cells == "long tail":
            return np.array(LONG_TAILS[self.k])
        return np.full(self.k, int(self.cells))

    @property
    def train_counts(self) -> Array:
        """Training cells of each class, 95:1, shape (k,)."""
        return np.geomspace(950, 10, self.k)

    @property
    def rows(self) -> Array:
        """Probability of each call, shape (k, k), rows the truth."""
        k = self.k
        found = np.linspace(0.97, 0.5, k)
        if self.classifier != "falling":
            found = np.full(k, float(self.classifier))
        weights = np.tile(self.train_counts, (k, 1))
        if self.errors == "neighbours":
            weights = np.eye(k, k=1) + np.eye(k, k=-1)
        off = weights * (1 - np.eye(k))
        return off / off.sum(axis=1, keepdims=True) * (1 - found)[:, None] + np.diag(found)


def scenarios() -> Iterator[Scenario]:
    """The grid; two classes have only one place for errors."""
    for k in LONG_TAILS:
        for classifier in CLASSIFIERS:
            for errors in ERRORS[: 1 if k == 2 else 2]:
                for cells in SUPPORTS:
                    yield Scenario(k, classifier, errors, cells)


def cells_of(table: Array) -> tuple[Array, Array]:
    """Truth and call of each cell of a confusion."""
    truth, calls = (np.repeat(part.ravel(), table.ravel()) for part in np.indices(table.shape))
    return truth, calls


def macro_scores(train_counts: Array) -> dict[str, Callable[[Array], Array]]:
    """Scores that are no share of counted cells."""
    return {
        "macro-F1": lambda c: metrics.macro_f1(c, over="truth"),
        "balanced macro-F1": metrics.class_weighted_macro_f1,
        "balanced accuracy": metrics.balanced_accuracy,
        "macro-precision": lambda c: metrics.macro_precision(c, over="truth"),
        "prior-weighted macro-F1": lambda c: metrics.prior_weighted_macro_f1(c, train_counts),
    }


def study_scores(scenario: Scenario, n: int, rng: np.random.Generator) -> Iterator[Row]:
    """Every score of the package, one row an interval."""
    endless = scenario.rows * scenario.support[:, None]
    taxonomy = Taxonomy(
        "t", tuple(CellClass(f"C{i}", f"class {i}", "other") for i in range(scenario.k))
    )
    mix = metrics.prior_shares(scenario.train_counts, endless)
    prevalence = dict(zip(taxonomy.codes, (mix / mix.sum()).tolist(), strict=True))
    of_class = metrics.per_class(endless, np.nan)
    ppv = metrics.predictive_values(metrics.reweighted(endless, mix), mix, np.nan)[0]
    for seed in range(n):
        table = rng.multinomial(scenario.support, scenario.rows)
        drawn = resample(*cells_of(table), scenario.k, n_resamples=N_DRAWS, seed=seed)
        yield _row("accuracy", drawn.accuracy(), float(metrics.accuracy(endless)))
        for name, metric in macro_scores(scenario.train_counts).items():
            yield _row(name, drawn.interval(metric), float(metric(endless)))
        for i, row in enumerate(class_rows(drawn, taxonomy, prevalence=prevalence)):
            for name in ("precision", "sensitivity", "specificity", "npv", "f1"):
                yield _of_class(name, row, float(getattr(of_class, name)[i]))
            yield _of_class("ppv_at_prevalence", row, float(ppv[i]))


def study_differences(scenario: Scenario, n: int, rng: np.random.Generator) -> Iterator[Row]:
    """Two methods; B changes some of A's calls."""
    k, rows = scenario.k, scenario.rows
    wrong = rows * (1 - np.eye(k))
    wrong = wrong / wrong.sum(axis=1, keepdims=True)
    scores = macro_scores(scenario.train_counts) | {"accuracy": metrics.accuracy}
    for change, (won, lost) in CHANGES.items():
        both = np.zeros((k, k, k))  # truth, a, b
        for i in range(k):
            both[i] = np.diag(rows[i] * (1 - won))
            both[i, :, i] += rows[i] * won
            both[i, i] = rows[i, i] * lost * wrong[i]
            both[i, i, i] = rows[i, i] * (1 - lost)
        endless = both * scenario.support[:, None, None]
        for seed in range(max(n // len(CHANGES), 1)):
            drawn = rng.multinomial(scenario.support, both.reshape(k, -1)).ravel()
            truth, a, b = (np.repeat(part.ravel(), drawn) for part in np.indices(both.shape))
            pair = paired_resample(truth, a, b, k, n_resamples=N_DRAWS, seed=seed)
            for name, metric in scores.items():
                true = float(metric(endless.sum(axis=1)) - metric(endless.sum(axis=2)))
                row = _row(f"difference in {name}", pair.interval(metric), true)
                yield row | {"changed": change}


def study_patients(n: int, rng: np.random.Generator) -> Iterator[Row]:
    """Patients of 30 cells whose confusions differ."""
    for k, found, correlation, n_patients in (
        (k, found, correlation, n_patients)
        for k in (3, 8)
        for found in ("0.99", "0.85", "0.6")
        for correlation in (0.0, 0.1, 0.3)
        for n_patients in (5, 8, 12, 20, 40)
    ):
        scenario = Scenario(k, found, "neighbours", "7")
        shares = np.sqrt(scenario.train_counts) / np.sqrt(scenario.train_counts).sum()
        endless = scenario.rows * shares[:, None]
        for seed in range(n):
            made = (_of_patient(scenario.rows, shares, correlation, rng) for _ in range(n_patients))
            tables = list(made)
            patient = np.repeat(np.arange(n_patients), 30)
            truth, calls = (np.concatenate(x) for x in zip(*map(cells_of, tables), strict=True))
            drawn = resample(truth, calls, k, patient, n_resamples=N_DRAWS, seed=seed)
            where = {"k": k, "classifier": found, "correlation": correlation}
            where |= {"patients": n_patients}
            yield _row("accuracy", drawn.accuracy(), float(metrics.accuracy(endless))) | where
            for name, metric in list(macro_scores(scenario.train_counts).items())[:3]:
                yield _row(name, drawn.interval(metric), float(metric(endless))) | where


def _of_patient(rows: Array, shares: Array, correlation: float, rng: np.random.Generator) -> Array:
    own = rows
    if correlation:
        alike = (1 - correlation) / correlation
        own = np.stack([rng.dirichlet(np.maximum(alike * row, 1e-9)) for row in rows])
    return rng.multinomial(rng.multinomial(30, shares), own)


def study_methods(scenario: Scenario, n: int, rng: np.random.Generator) -> Iterator[Row]:
    """Other intervals of the macro scores; "+" says that they are moved to hold the estimate."""
    k, support = scenario.k, scenario.support
    for _ in range(n):
        table = rng.multinomial(support, scenario.rows)
        truth, calls = cells_of(table)
        _, fields = pair_up(truth, (calls,), k)
        (drawn,) = draw_images(fields, k, N_DRAWS, rng)
        boot = rng.multinomial(support, table / support[:, None], (N_DRAWS, k)).astype(float)
        ends = {
            "percentile bootstrap": (boot, boot),
            "Jeffreys, 1/2 a field": _flat(drawn, 0.5, support, rng),
            "Perks, 1/k a field": _flat(drawn, 1 / k, support, rng),
        }
        ends["Perks to bootstrap"] = (ends["Perks, 1/k a field"][0], boot)
        for share in (UNSEEN, 1.0):
            moved = with_unseen(drawn, support, rng.standard_gamma(share, (N_DRAWS, k)))
            ends[f"{share:g} cells more a class"] = (moved.lower, moved.upper)
        endless = scenario.rows * support[:, None]
        for name, metric in macro_scores(scenario.train_counts).items():
            estimate, true = float(metric(table)), float(metric(endless))
            for method, (lower, upper) in ends.items():
                low, high = percentile_ends(metric(lower), metric(upper), 0.95)
                row = {"score": name, "method": method, "low": low, "high": high}
                yield row | {"estimate": estimate, "truth": true}


def _flat(
    drawn: Array, share: float, support: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Posterior with so many prior cells in each field of the confusion."""
    rows = drawn + rng.standard_gamma(share, drawn.shape)
    rows = rows / rows.sum(axis=-1, keepdims=True) * support[:, None]
    return rows, rows


def _row(score: str, of: Interval, truth: float) -> Row:
    ends = {"low": of.low, "high": of.high, "estimate": of.estimate}
    return {"score": score, "method": "package", "truth": truth} | ends


def _of_class(name: str, row: Mapping[str, Any], truth: float) -> Row:
    of = row[f"{name}_interval"]
    ends = {key: of[key] for key in ("low", "high", "estimate")} if isinstance(of, dict) else {}
    score = {"f1": "F1 of a class", "ppv_at_prevalence": "PPV at a stated prevalence"}
    empty = {"low": None, "high": None, "estimate": np.nan}
    return {"score": score.get(name, name), "method": "package", "truth": truth} | empty | ends


def run(study: str, n: int, seed: int = 0) -> pd.DataFrame:
    """One row an interval: where, `score`, `method`, `low`, `high`, `estimate`, `truth`.

    Args:
        study: "scores", "differences", "patients" or "methods".
        n: Splits drawn of each scenario.
        seed: Of everything.
    """
    rng = np.random.default_rng(seed)
    if study == "patients":
        return pd.DataFrame(study_patients(n, rng))
    make = {"scores": study_scores, "differences": study_differences, "methods": study_methods}
    rows = []
    for scenario in scenarios():
        rows += [{**vars(scenario), **row} for row in make[study](scenario, n, rng)]
    return pd.DataFrame(rows)


def summarise(found: pd.DataFrame, by: tuple[str, ...], least_by: tuple[str, ...]) -> pd.DataFrame:
    """Coverage of each kind of score.

    Args:
        found: From `run`.
        by: Columns that name a row of the summary.
        least_by: Columns within which the least coverage is looked for.

    Returns:
        `intervals`, `given` (share that is estimable), `held`, `least` (in a group of `least_by`),
        `too_low` and `too_high` (share that ends below, or begins above, the truth), `excluded`
        (share that does not hold its own estimate) and `width`.
    """
    given = found.dropna(subset=["low"]).copy()
    low, high = given["low"] - 1e-9, given["high"] + 1e-9
    given["too_low"], given["too_high"] = high < given["truth"], low > given["truth"]
    given["held"] = ~given["too_low"] & ~given["too_high"]
    given["excluded"] = (low > given["estimate"]) | (high < given["estimate"])
    given["width"] = given["high"] - given["low"]
    figures = ["held", "too_low", "too_high", "excluded", "width"]
    table = given.groupby([*by], sort=False)[figures].mean()
    least = given.groupby([*by, *least_by])["held"].mean().groupby([*by]).min()
    counts = found.groupby([*by], sort=False).size()
    table.insert(0, "intervals", given.groupby([*by], sort=False).size())
    table.insert(1, "given", table["intervals"] / counts)
    table.insert(3, "least", least)
    return table.reset_index()


LEAST_BY = {
    "scores": ("classifier", "cells"),
    "differences": ("changed", "cells"),
    "patients": ("classifier", "patients"),
    "methods": ("classifier", "cells"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=100)
    parser.add_argument("--studies", nargs="+", default=list(LEAST_BY), choices=list(LEAST_BY))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON of the summaries")
    options = parser.parse_args()
    record: dict[str, Any] = {"simulations": options.simulations, "seed": options.seed}
    for study in options.studies:
        table = summarise(
            run(study, options.simulations, options.seed), ("score", "method"), LEAST_BY[study]
        )
        record[study] = table.to_dict("records")
        print(f"\n{study}; least: of any {' and '.join(LEAST_BY[study])}\n")
        print(markdown(table), flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps(record, indent=1) + "\n")


def markdown(table: pd.DataFrame) -> str:
    """A table for people."""
    head = "| " + " | ".join(name.replace("_", " ") for name in table) + " |"
    lines = [head, "|-" * table.shape[1] + "|"]
    for row in table.to_dict("records"):
        cells = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
