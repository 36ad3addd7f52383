"""Which cells to label next: strategies compared on hidden labels, 20 cells at a time.

    python -m benchmarks.active_cells ../shared BUNDLE CELLS.npz --cache runs/embeddings
    python -m benchmarks.active CELLS.npz --out benchmarks/results/active/curves.csv

After each batch the head, logistic regression in which each class weighs the same, learns again
from all labels. Scored is balanced macro-F1 on cells that nobody may choose; `--final` scores
PBC-LT's `phase2_eval` beside them, for the table at the end. No patients are known: image-level.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.active_cells import CODES, Cells, K, read_cells, reduce
from benchmarks.active_strategies import STRATEGIES, Fitted, Pool, distances
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.tables import write_csv

JUNK = 10
BATCH, ROUNDS = 20, 15
TOLERANCE = 3e-3
PENALTY = 0.01
"""`C` of the head: of 0.003 to 3 the best with 300 cells drawn at random, on a draw of its own
(seed 100), in `tail` and in `scratch`."""
TAIL = {"MO": 460, "EO": 320, "BNE": 140, "MY": 80, "BA": 72, "MMY": 64, "ERB": 28, "PMY": 20}
"""Twice PBC-LT's training cells of each class that `pbc-more` has enough of."""
LYMPHOCYTES, HELD = 31, 200
UNKNOWN = 3
START = 40


@dataclass(frozen=True)
class Task:
    """One draw of a scenario.

    Attributes:
        first: Rows of the cells that are labelled to begin with.
        pool: Rows that may be chosen.
        held: Rows that are scored.
        kind: Which embedding.
        unknown: Classes of which no cell is labelled to begin with.
    """

    first: np.ndarray
    pool: np.ndarray
    held: np.ndarray
    kind: str
    unknown: tuple[int, ...] = ()


def split(
    cells: Cells, wanted: Mapping[str, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """So many cells of `pbc-more` a class for the pool, and at most `HELD` others for scoring."""
    pool, held = [], []
    for code, n in wanted.items():
        rows = rng.permutation(
            np.intersect1d(
                cells.rows("pbc-more"), np.flatnonzero(cells.labels == CODES.index(code))
            )
        )
        pool.append(rows[:n])
        held.append(rows[n : n + HELD])
    return np.concatenate(pool), np.concatenate(held)


def tail(cells: Cells, rng: np.random.Generator) -> Task:
    """PBC-LT is labelled; the pool has its mix, as far as there are cells."""
    pool, held = split(cells, {**TAIL, "LY": LYMPHOCYTES}, rng)
    return Task(cells.rows("pbc-lt"), pool, held, "network")


def flat(cells: Cells, rng: np.random.Generator) -> Task:
    """PBC-LT is labelled; the pool is two thirds of `pbc-more` as it is."""
    rows = cells.rows("pbc-more")
    counts = {code: int((cells.labels[rows] == i).sum() * 2 / 3) for i, code in enumerate(CODES)}
    pool, held = split(cells, {code: n for code, n in counts.items() if n}, rng)
    return Task(cells.rows("pbc-lt"), pool, held, "network")


def scratch(cells: Cells, rng: np.random.Generator) -> Task:
    """40 cells are labelled; the pool is PBC-LT as it is (95:1); no network has seen a label."""
    home = cells.rows("pbc-lt")
    kept = [rng.permutation(home[cells.labels[home] == cls])[:100] for cls in (0, 1)]
    rest = rng.permutation(np.setdiff1d(home, np.concatenate(kept)))
    _, held = split(cells, {code: 0 for code in CODES[1:K]}, rng)
    held = np.concatenate([held[cells.labels[held] != 1], *kept])
    return Task(rest[:START], rest[START:], held, "frozen")


def open_set(cells: Cells, rng: np.random.Generator) -> Task:
    """As `tail`, but three of the classes beyond SNE and LY are not among the labelled cells."""
    task = replace(tail(cells, rng), kind="frozen")
    unknown = np.sort(rng.choice(np.arange(2, K), UNKNOWN, replace=False))
    known = task.first[~np.isin(cells.labels[task.first], unknown)]
    return replace(task, first=known, unknown=tuple(int(c) for c in unknown))


def with_junk(cells: Cells, rng: np.random.Generator) -> Task:
    """As `tail`, but three in ten of the pool are no white cells."""
    task = tail(cells, rng)
    junk = rng.permutation(cells.rows("junk"))[: round(len(task.pool) * 3 / 7)]
    return replace(task, pool=np.concatenate([task.pool, junk]))


SCENARIOS: Mapping[str, Callable[[Cells, np.random.Generator], Task]] = {
    "tail": tail,
    "flat": flat,
    "scratch": scratch,
    "open set": open_set,
    "junk": with_junk,
}


def fit(
    rows: np.ndarray, labels: np.ndarray, k: int, penalty: float, before: Fitted | None
) -> Fitted:
    """The head; each class weighs the same. It starts where the one before ended, if it can."""
    model = LogisticRegression(
        C=penalty, class_weight="balanced", max_iter=60, tol=TOLERANCE, warm_start=True
    )
    if before is not None and np.array_equal(before.model.classes_, np.unique(labels)):
        model.coef_, model.intercept_ = before.model.coef_, before.model.intercept_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Fitted(model.fit(rows, labels), k)


@dataclass(frozen=True)
class Bench:
    """A task with its features, as all strategies meet it.

    Attributes:
        task: The draw.
        labels: Of all cells.
        features: Of all cells, shape (n, d).
        k: Columns of probabilities: one more than there are classes where the pool has junk.
        penalty: `C` of the head.
        seed: Of the draw.
        is_stale: Whether the strategy goes on with the first head's probabilities, as a review page
            does that trains nothing.
        evaluated: Rows of `phase2_eval`, or none.
    """

    task: Task
    labels: np.ndarray
    features: np.ndarray
    k: int
    penalty: float
    seed: int
    is_stale: bool
    evaluated: np.ndarray

    @cached_property
    def to_first(self) -> np.ndarray:
        """Distance of each cell of the pool from the nearest that is labelled to begin with."""
        points = self.features[self.task.pool]
        return distances(points, self.features[self.task.first]).min(axis=1)

    @cached_property
    def first_head(self) -> Fitted:
        """Learned from the cells that are labelled to begin with."""
        rows = self.task.first
        return fit(self.features[rows], self.labels[rows], self.k, self.penalty, None)

    def head(self, chosen: np.ndarray, before: Fitted) -> Fitted:
        """Learned from all labels, those of the chosen cells of the pool among them."""
        rows = np.concatenate([self.task.first, self.task.pool[chosen]])
        return fit(self.features[rows], self.labels[rows], self.k, self.penalty, before)

    def score(self, head: Fitted, rows: np.ndarray) -> dict[str, float]:
        """Balanced macro-F1, and mean recall of the five rarest classes of PBC-LT."""
        probs = head.predict_proba(self.features[rows])[:, :K]
        table = confusion(self.labels[rows], probs.argmax(axis=1), K)
        recall = table.diagonal()[5:] / np.maximum(table.sum(axis=1)[5:], 1)
        return {"macro_f1": float(class_weighted_macro_f1(table)), "tail_recall": recall.mean()}

    def run(self, name: str) -> Iterator[dict[str, float | int]]:
        """One row a batch; the first is of no cell chosen."""
        rng = np.random.default_rng(self.seed)
        truth, task = self.labels[self.task.pool], self.task
        given: np.ndarray = np.full(len(truth), -1)
        order: list[int] = []
        head, probs = self.first_head, None
        for batch in range(ROUNDS + 1):
            head = self.head(np.array(order), head) if order else head
            row: dict[str, float | int] = {"labels": len(order), **self.score(head, task.held)}
            if len(self.evaluated):
                found = self.score(head, self.evaluated)
                row |= {f"eval_{what}": value for what, value in found.items()}
            got = truth[order]
            row["rare"], row["junk"] = (
                int(((got >= 5) & (got < JUNK)).sum()),
                int((got == JUNK).sum()),
            )
            row["unknown"] = int(np.isin(got, task.unknown).sum())
            row["unknown_classes"] = len({*got} & {*task.unknown})
            yield row
            if batch == ROUNDS:
                return
            if probs is None or not self.is_stale:
                probs = head.predict_proba(self.features[task.pool])
            pool = Pool(
                probs, self.features[task.pool], given, self.features[task.first],
                self.labels[task.first], self.to_first, head, rng,
            )  # fmt: skip
            chosen = STRATEGIES[name](pool, BATCH)
            assert len({*chosen}) == BATCH, f"{name} chose a cell twice"
            assert (given[chosen] < 0).all(), f"{name} chose a labelled cell"
            given[chosen] = truth[chosen]
            order += chosen.tolist()


def main() -> None:
    """Run what is not in the table yet."""
    parser = argparse.ArgumentParser(description="Which cells to label next, simulated.")
    parser.add_argument("cells", type=Path)
    parser.add_argument(
        "--out", type=Path, required=True, help="table; what it has is not run again"
    )
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument(
        "--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES)
    )
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--penalty", type=float, default=PENALTY)
    parser.add_argument("--stale", action="store_true", help="the head learns for the score alone")
    parser.add_argument("--final", action="store_true", help="score phase2_eval too")
    options = parser.parse_args()
    cells = read_cells(options.cells)
    table = (
        pd.read_csv(options.out)
        if options.out.exists()
        else pd.DataFrame(columns=["scenario", "strategy", "seed"])
    )
    features = {kind: reduce(cells, kind) for kind in cells.features}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for scenario in options.scenarios:
            has = table.loc[(table["scenario"] == scenario) & (table["seed"] == seed), "strategy"]
            left = [name for name in options.strategies if name not in set(has)]
            if not left:
                continue
            task = SCENARIOS[scenario](cells, np.random.default_rng(seed))
            k = K + int((cells.labels[task.pool] == JUNK).any())
            evaluated = cells.rows("eval") if options.final else np.zeros(0, int)
            bench = Bench(
                task,
                cells.labels,
                features[task.kind],
                k,
                options.penalty,
                seed,
                options.stale,
                evaluated,
            )
            for name in left:
                rows = pd.DataFrame(bench.run(name)).assign(
                    scenario=scenario, strategy=name, seed=seed
                )
                table = pd.concat([table, rows], ignore_index=True)
                write_csv(options.out, table)
                last = rows.iloc[-1]
                print(f"{scenario}, seed {seed}, {name}: {last['macro_f1']:.3f}", flush=True)


if __name__ == "__main__":
    main()
