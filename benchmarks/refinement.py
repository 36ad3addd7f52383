"""What rescue rules do to macro-F1: published constants, and rules fitted on out-of-fold scores.

    python -m benchmarks.refinement PBC-LT runs/pbc-lt runs/paper-style --out refinement.json

Reads finished runs of `buffycoat train`. PBC-LT has neither prolymphocytes nor plasma cells, so the
published constants are transferred (`TRANSFER`), which is called paper-style; what was never
published of them is refitted on all training cells, also where a fold is scored, which favours
them. Ours are cross-fitted: those that a fold's cells are scored by, and whether they are on at
all, come from the other folds. A scale fitted for one class mix does not hold at another, so both
are tried on scores at the uniform prior and at that of the training. All is image-level.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import stored
from buffycoat.config import Config, RefineConfig
from buffycoat.embed.panel import HEAD
from buffycoat.evaluate.metrics import per_class, reweighted
from buffycoat.evaluate.paired import paired_resample
from buffycoat.fuse.prior import apply_prior, shares, uniform
from buffycoat.learn import prepare, train
from buffycoat.learn.train import Learned
from buffycoat.predict import bracket, stages
from buffycoat.predict.stages import ENSEMBLE
from buffycoat.progress import Silent
from buffycoat.refine.rescue import (
    OutOfFold,
    RescueRules,
    Scores,
    apply,
    fit_rules,
    published_rules,
)
from buffycoat.taxonomy import Taxonomy

TRANSFER = {"PLY": ("PMY", "MY"), "PC": ("ERB", "LY")}
PRIORS = ("uniform", "train")


@dataclass(frozen=True, eq=False)
class Split:
    """Cells that rules are asked of.

    Attributes:
        scores: At a uniform prior, or as the run leaves them.
        targets: Shape (n,).
        folds: Shape (n,), for cross-fitting; None where nothing was fitted on the cells.
        groups: Shape (n,): rows of one cell; None where each row is a cell of its own.
    """

    scores: Scores
    targets: np.ndarray
    folds: np.ndarray | None
    groups: np.ndarray | None

    def at(self, prior: np.ndarray) -> Split:
        """The same at another class mix."""
        even = uniform(self.scores.probs.shape[1])
        probs = apply_prior(self.scores.probs, even, prior)
        scores = Scores(probs, self.scores.head_probs, self.scores.features)
        return Split(scores, self.targets, self.folds, self.groups)


def out_of_fold(learned: Learned) -> Split:
    """Training cells, as they are and degraded, scored by what has not seen them."""
    members = {ENSEMBLE: learned.scores.log_probs, **learned.opinion.log_probs}
    head = learned.opinion.log_probs.get(HEAD)
    features = np.concatenate([learned.cleaned.cells.features, learned.cleaned.twins.features])
    scores = Scores(
        learned.fitted.stack.apply(members), None if head is None else np.exp(head), features
    )
    return Split(scores, learned.scores.targets, learned.scores.folds, learned.training.groups)


def evaluation(learned: Learned, folder: Path) -> Split:
    """The evaluation split, which nothing has learned from."""
    fitted = learned.fitted
    cells = prepare.load_cells(learned.held_out, fitted.config, folder / "cache", Silent(), 0)
    parts = []
    for rows in stages.batches(len(cells.images)):
        ids = cells.manifest.frame["cell_id"].iloc[rows].tolist()
        parts.append(bracket.run_stages(cells.images[rows], ids, fitted))
    head = [np.exp(part.members[HEAD]) for part in parts if HEAD in part.members]
    scores = Scores(
        np.concatenate([part.fused for part in parts]),
        np.concatenate(head) if head else None,
        np.concatenate([part.cleaned.features for part in parts]),
    )
    return Split(scores, cells.manifest.targets(fitted.taxonomy), None, None)


def asked(rules: RescueRules, scores: Scores) -> np.ndarray:
    """Labels after the rules, shape (n,)."""
    return apply(rules, scores.probs, scores.head_probs, scores.features).labels


def ours(
    learned: Split, scored: Split, taxonomy: Taxonomy, tail: Sequence[str], config: RefineConfig
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Labels after fitted rules, and the rules as they are fitted on all out-of-fold cells."""
    assert learned.folds is not None
    groups = learned.groups
    known = OutOfFold(learned.scores, learned.targets, learned.folds, groups, cells=groups)
    rules = fit_rules(known, taxonomy, tail, config)
    if scored.folds is None:
        return asked(rules, scored.scores), rules.table()
    labels = scored.scores.probs.argmax(axis=1)
    for fold in np.unique(scored.folds):
        rows = np.flatnonzero(scored.folds == fold)
        fitted = fit_rules(known.take(np.flatnonzero(scored.folds != fold)), taxonomy, tail, config)
        labels[rows] = asked(fitted, scored.scores.take(rows))
    return labels, rules.table()


def scorer(mass: np.ndarray, tail: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Macro-F1, and mean F1 of the tail, with each class weighing its mass; shape (..., 2)."""

    def metric(confusion: np.ndarray) -> np.ndarray:
        f1 = per_class(reweighted(confusion, mass)).f1
        return np.stack([f1.mean(axis=-1), f1[..., tail].mean(axis=-1)], axis=-1)

    return metric


def row(
    scored: Split, before: np.ndarray, after: np.ndarray, metric: Callable[[np.ndarray], np.ndarray]
) -> dict[str, Any]:
    """Scores before and after, the paired gain, and what became of the cells."""
    k = scored.scores.probs.shape[1]
    pair = paired_resample(scored.targets, before, after, k, scored.groups)
    record: dict[str, Any] = {"n": len(before)}
    for name, resampled in (("before", pair.a), ("after", pair.b), ("gain", pair)):
        macro, tail = resampled.intervals(metric)
        record[name] = {
            "macro_f1": [macro.estimate, macro.low, macro.high],
            "tail_f1": [tail.estimate, tail.low, tail.high],
        }
    changed = before != after
    return record | {
        "changed": int(changed.sum()),
        "corrected": int((changed & (after == scored.targets)).sum()),
        "spoiled": int((changed & (before == scored.targets)).sum()),
    }


def tried(name: str, data: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """One row for each split, class mix and kind of rules of a run."""
    settings = json.loads((folder / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    config = Config.model_validate(settings["config"])
    learned = train.learn(data, folder, config, Silent(), "auto", 0)
    taxonomy, counts = learned.fitted.taxonomy, learned.fitted.counts
    bands = taxonomy.bands(dict(zip(taxonomy.codes, counts.tolist(), strict=True)))
    tail = [code for code in taxonomy.codes if bands[code] == "tail"]
    columns = np.array([taxonomy.codes.index(code) for code in tail])
    known = out_of_fold(learned)
    splits = {"out of fold": known, "eval": evaluation(learned, folder)}
    paper = published_rules(
        taxonomy, learned.cleaned.cells.features, learned.training.targets, TRANSFER
    )
    for prior in PRIORS:
        mix = shares(counts) if prior == "train" else uniform(len(counts))
        metric = scorer(mix, columns)
        for split, cells in splits.items():
            scored = cells.at(mix)
            before = scored.scores.probs.argmax(axis=1)
            fitted, rules = ours(known.at(mix), scored, taxonomy, tail, config.refine)
            arms = {
                "paper-style": (asked(paper, scored.scores), paper.table()),
                "ours": (fitted, rules),
            }
            for arm, (after, table) in arms.items():
                yield {
                    "run": name, "split": split, "prior": prior, "rules": arm, "tail": tail,
                    **row(scored, before, after, metric),
                    "on": {one["code"]: one["reason"] for one in table},
                }  # fmt: skip


def _words(values: Sequence[float], sign: str = "") -> str:
    if values[1] is None:
        return f"{values[0]:{sign}.3f} (no interval)"
    middle, low, high = (format(value, f"{sign}.3f") for value in values)
    return f"{middle} ({low} to {high})"


def main() -> None:
    """Try all, print a table."""
    parser = argparse.ArgumentParser(description="Rescue rules before and after.")
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for folder in options.runs:
        for found in tried(folder.name, options.data, folder):
            rows.append(found)
            gains = ", ".join(
                f"{name} {_words(found['gain'][name], '+')}" for name in ("macro_f1", "tail_f1")
            )
            print(
                f"{found['run']:<12} {found['split']:<12} {found['prior']:<8} {found['rules']:<12} "
                f"{_words(found['before']['macro_f1'])}; {gains}; {found['changed']} changed, "
                f"{found['corrected']} corrected, {found['spoiled']} spoiled",
                flush=True,
            )
    if options.out:
        stored.write_json(options.out, {"level": "image-level", "rows": rows})


if __name__ == "__main__":
    main()
