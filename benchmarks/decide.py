"""Which class should become the label where macro-F1 on a natural stream is scored?

    python -m benchmarks.decide RUN PBC-LT --out benchmarks/results/decide/NAME.json

Reads the out-of-fold and held-out predictions of a finished run (`buffycoat train`) and gives every
cell a label by each rule at the class mix of PBC-LT's training cells. Out of fold each fold is
labelled by what the other folds fit; the evaluation split by what all folds fit. Nothing is fitted
or chosen on the evaluation split. Its cells are also drawn anew at the training mix, many times.
Where a run has more cells than PBC-LT, as many as PBC-LT has are drawn from its out-of-fold rows to
fit on, and the others are labelled.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.metrics import (
    accuracy,
    class_weighted_macro_f1,
    confusion,
    macro_f1,
    reweighted,
)
from buffycoat.fuse.label_rule import PLAIN_POWER
from buffycoat.learn.fit_labels import (
    POWERS,
    OutOfFoldScores,
    fit_offsets,
    fit_power,
)
from buffycoat.sources.read import read
from buffycoat.taxonomy import PBC, Taxonomy

DRAWS, DRAWN_CELLS = 1000, 800
TRAININGS = 20
Rule = Callable[[OutOfFoldScores, OutOfFoldScores], tuple[np.ndarray, dict[str, Any]]]
"""What to fit on and what to label -> labels, and what was fitted."""


def _fixed(power: float) -> Rule:
    return lambda fitted, cells: (cells.labels(power), {"power": power})


def best_power(fitted: OutOfFoldScores, cells: OutOfFoldScores) -> tuple[np.ndarray, dict]:
    """The power of the highest score, without any restraint."""
    power = max(POWERS, key=lambda power: fitted.score(fitted.labels(power)))
    return cells.labels(power), {"power": float(power)}


def held_power(fitted: OutOfFoldScores, cells: OutOfFoldScores) -> tuple[np.ndarray, dict]:
    """The power that a bundle gets: held near a quarter."""
    power = fit_power(fitted)
    return cells.labels(power), {"power": power}


def with_offsets(fitted: OutOfFoldScores, cells: OutOfFoldScores) -> tuple[np.ndarray, dict]:
    """The same, and an offset for each class whether it wins or not."""
    power = fit_power(fitted)
    offsets = fit_offsets(fitted, power)
    return cells.labels(power, offsets), {"power": power, "offsets": offsets.round(3).tolist()}


RULES: dict[str, Rule] = {
    "uniform prior": _fixed(0.0),
    "a quarter of the prior": _fixed(PLAIN_POWER),
    "half of the prior": _fixed(0.5),
    "training prior": _fixed(1.0),
    "best power": best_power,
    "power held near a quarter": held_power,
    "with class offsets": with_offsets,
}


def cross_fitted(rule: Rule, cells: OutOfFoldScores) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Labels of each fold by what the other folds fit."""
    labels, fits = np.empty_like(cells.targets), []
    for fold in np.unique(cells.folds):
        inside = cells.folds == fold
        labels[inside], fit = rule(cells.take(~inside), cells.take(inside))
        fits.append(fit)
    return labels, fits


def figures(cells: OutOfFoldScores, labels: np.ndarray, plain: np.ndarray) -> dict[str, Any]:
    """Scores of labels, and their paired gains over the most probable classes."""
    drawn = resample(cells.targets, labels, len(cells.counts), cells.groups)
    gain, balanced = cells.gains(plain, labels)
    mix = cells.counts / cells.counts.sum()
    table = confusion(cells.targets, labels, len(cells.counts))
    return {
        "prior_weighted_macro_f1": drawn.interval(cells.macro_f1).to_dict(),
        "gain": gain.to_dict(),
        "balanced_macro_f1": drawn.interval(class_weighted_macro_f1).to_dict(),
        "balanced_gain": balanced.to_dict(),
        "accuracy_at_the_mix": float(accuracy(reweighted(table, mix))),
        "moved": float((labels != plain).mean()),
    }


def natural_draws(
    cells: OutOfFoldScores, labels: dict[str, np.ndarray], seed: int = 0
) -> dict[str, Any]:
    """Macro-F1, as Kaggle computes it, of cells drawn at the training mix.

    Args:
        cells: The evaluation split.
        labels: Rule -> labels.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    mix = cells.counts / cells.counts.sum()
    weights = (mix / np.bincount(cells.targets, minlength=len(mix)))[cells.targets]
    rows = rng.choice(len(weights), (DRAWS, DRAWN_CELLS), p=weights / weights.sum())
    k = len(mix)
    scores = {
        name: np.array(
            [macro_f1(confusion(cells.targets[r], called[r], k), over="union") for r in rows]
        )
        for name, called in labels.items()
    }
    base = scores["uniform prior"]
    return {
        name: {
            "macro_f1": float(score.mean()),
            "gain": float((score - base).mean()),
            "low": float(np.quantile(score - base, 0.025)),
            "high": float(np.quantile(score - base, 0.975)),
            "share_of_draws_that_gain": float((score > base).mean()),
        }
        for name, score in scores.items()
    }


def drawn_trainings(cells: OutOfFoldScores, seed: int = 0) -> dict[str, Any]:
    """Gains on other cells by rules fitted on as many as PBC-LT has, or half of a class.

    Args:
        cells: More of them.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    of_class = [np.unique(cells.groups[cells.targets == c]) for c in range(len(cells.counts))]
    gains: dict[str, list[tuple[float, float]]] = {name: [] for name in RULES}
    for _ in range(TRAININGS):
        drawn = [
            rng.choice(groups, min(int(count), len(groups) // 2), replace=False)
            for groups, count in zip(of_class, cells.counts, strict=True)
        ]
        is_drawn = np.isin(cells.groups, np.concatenate(drawn))
        fitted, others = cells.take(is_drawn), cells.take(~is_drawn)
        plain = others.labels(0.0)
        for name, rule in RULES.items():
            labels, _ = rule(fitted, others)
            gain, balanced = (
                float(score(confusion(others.targets, labels, len(cells.counts))))
                - float(score(confusion(others.targets, plain, len(cells.counts))))
                for score in (cells.macro_f1, class_weighted_macro_f1)
            )
            gains[name].append((gain, balanced))
    return {
        name: {
            "gain": float(np.mean([gain for gain, _ in pairs])),
            "low": float(np.min([gain for gain, _ in pairs])),
            "high": float(np.max([gain for gain, _ in pairs])),
            "balanced_gain": float(np.mean([balanced for _, balanced in pairs])),
        }
        for name, pairs in gains.items()
    }


def _scores(
    frame: pd.DataFrame, truth: str, taxonomy: Taxonomy, counts: np.ndarray
) -> OutOfFoldScores:
    """Probabilities under a uniform prior and truth of a table of a run."""
    probs = frame[[f"prob_{code}" for code in taxonomy.codes]].to_numpy(dtype=np.float64)
    folds = frame["fold"].to_numpy() if "fold" in frame else np.zeros(len(frame), dtype=int)
    groups = pd.factorize(frame["cell_id"])[0]
    return OutOfFoldScores(probs, taxonomy.encode(frame[truth].tolist()), folds, groups, counts)


def compare(out_of_fold: OutOfFoldScores, held_out: OutOfFoldScores) -> dict[str, Any]:
    """Every rule, out of fold and on the evaluation split."""
    found: dict[str, Any] = {"out_of_fold": {}, "eval": {}}
    labels = {}
    plain, plain_eval = out_of_fold.labels(0.0), held_out.labels(0.0)
    for name, rule in RULES.items():
        crossed, fits = cross_fitted(rule, out_of_fold)
        found["out_of_fold"][name] = figures(out_of_fold, crossed, plain) | {"fits": fits}
        labels[name], fit = rule(out_of_fold, held_out)
        found["eval"][name] = figures(held_out, labels[name], plain_eval) | {"fit": fit}
    found["eval_drawn_at_the_training_mix"] = natural_draws(held_out, labels)
    return found


def print_figures(found: dict[str, Any]) -> None:
    """A line a rule and set of cells."""
    for name, of in found.items():
        for split in ("out_of_fold", "eval"):
            for rule, row in of[split].items():
                print(
                    f"{name}, {split}, {rule}: {row['prior_weighted_macro_f1']['estimate']:.3f} "
                    f"gain {_spread(row['gain'])}, balanced "
                    f"{row['balanced_macro_f1']['estimate']:.3f} {_spread(row['balanced_gain'])}, "
                    f"accuracy {row['accuracy_at_the_mix']:.3f} {row.get('fit', row.get('fits'))}"
                )
        for rule, row in of["eval_drawn_at_the_training_mix"].items():
            print(f"{name}, drawn, {rule}: {row['macro_f1']:.3f} {_spread(row, 'gain')}")
        for rule, row in of.get("fitted_on_as_many_as_pbc_lt", {}).items():
            lost = f"{row['balanced_gain']:+.3f}"
            print(f"{name}, drawn trainings, {rule}: {_spread(row, 'gain')}, balanced {lost}")


def main() -> None:
    """Read the arguments and the run; score, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder that `buffycoat train` was given as --out")
    parser.add_argument("data", type=Path, help="PBC-LT, whose training cells give the class mix")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    trained = read(options.data).of_split("train")
    counts = np.bincount(trained.targets(PBC), minlength=len(PBC))
    table = pd.read_parquet(options.run / "out_of_fold.parquet")
    held_out = _scores(pd.read_parquet(options.run / "held_out.parquet"), "true_label", PBC, counts)
    parts = {"all": table}
    is_home = (table["site"] == "pbc-lt").to_numpy()
    if not is_home.all():
        parts = {"pbc-lt": table.loc[is_home], **parts}
    found = {
        name: {"rows": len(part), **compare(_scores(part, "label", PBC, counts), held_out)}
        for name, part in parts.items()
    }
    if len(parts) > 1:
        cells = _scores(table, "label", PBC, counts)
        found["all"]["fitted_on_as_many_as_pbc_lt"] = drawn_trainings(cells)
    print_figures(found)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"counts": counts.tolist(), **found}, indent=1))


def _spread(row: dict[str, Any], name: str = "estimate") -> str:
    if row["low"] is None:
        return f"{row[name]:+.3f}"
    return f"{row[name]:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"


if __name__ == "__main__":
    main()
