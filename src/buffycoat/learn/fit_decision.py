"""Fit the last stages on out-of-fold scores: stack, rescue rules, conformal sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from buffycoat.config import Config
from buffycoat.embed.panel import HEAD
from buffycoat.fuse.label_rule import MACRO_F1, NONE, PowerFit
from buffycoat.fuse.prior import apply_prior, prior_of, uniform
from buffycoat.fuse.stack import Stack, base_only, fit_stack
from buffycoat.learn import fit_labels
from buffycoat.learn.fit_opinion import Opinion
from buffycoat.learn.fit_restoration import CleanedSet
from buffycoat.learn.fit_scores import OutOfFold
from buffycoat.learn.training_set import TrainingSet
from buffycoat.predict.stages import ENSEMBLE
from buffycoat.progress import Reporter
from buffycoat.refine import rescue
from buffycoat.refine.conformal import cross_fitted_sets
from buffycoat.refine.decide import Conformal, Distributions, fit_conformal
from buffycoat.refine.rescue import RescueRules, published_rules


@dataclass(frozen=True)
class Decision:
    """The fitted last stages, and the out-of-fold scores that they were fitted on.

    Attributes:
        stack: How ensemble and second opinions become one score.
        rules: Rescue of tail classes.
        conformal: Sets of classes that cannot be ruled out.
        distributions: Of the features in each class.
        probs: Out of fold, after the stack, at the prior of the settings, shape (2n, k).
        sets: Label sets of the same rows by limits from the other folds, shape (2n, k), bool.
        power_fit: Which class becomes the label for macro-F1; None where scores are of unknown mix.
        labels: Of the same rows, as the bundle gives labels by itself: the most probable class, or
            cross-fitted ones for macro-F1; shape (2n,).
    """

    stack: Stack
    rules: RescueRules
    conformal: Conformal
    distributions: Distributions
    probs: np.ndarray
    sets: np.ndarray
    power_fit: PowerFit | None
    labels: np.ndarray


def fit(
    data: TrainingSet,
    cleaned: CleanedSet,
    scores: OutOfFold,
    opinion: Opinion,
    config: Config,
    reporter: Reporter,
) -> Decision:
    """Let second opinions in if they help, fit the rules that may overrule, and measure doubt."""
    reporter.start("fuse and refine")
    members = {ENSEMBLE: scores.log_probs, **opinion.log_probs}
    stack = base_only(ENSEMBLE)
    if config.fuse.stack == "auto":
        stack = fit_stack(members, scores.targets, scores.folds, ENSEMBLE, config.seed, data.groups)
    k = len(data.taxonomy)
    fused = stack.apply(members)
    probs = apply_prior(fused, uniform(k), prior_of(config.fuse.prior, data.expected_counts))
    rules = _rules(data, cleaned, scores, opinion, probs, config)
    alpha, groups = config.refine.conformal_alpha, data.groups
    lineages = [cell.lineage for cell in data.taxonomy.classes]
    conformal = fit_conformal(probs, scores.targets, alpha, lineages, groups)
    sets = cross_fitted_sets(probs, scores.targets, scores.folds, alpha, lineages, groups)
    distributions = Distributions.fit(cleaned.cells.features, data.targets, k)
    n_on = sum(bool(row["is_on"]) for row in rules.table())
    labels = _labels(data, scores, fused, probs.argmax(axis=1), config)
    is_moved = labels is not None and labels.power_fit.is_default
    score = "macro-F1 at the training class mix" if is_moved else "the most probable class"
    reporter.finish(f"{n_on} of {len(rules.table())} rescue rules stay on; labels: {score}")
    return Decision(
        stack,
        rules,
        conformal,
        distributions,
        probs,
        sets,
        None if labels is None else labels.power_fit,
        labels.labels if labels is not None and is_moved else probs.argmax(axis=1),
    )


def _labels(
    data: TrainingSet,
    scores: OutOfFold,
    fused: np.ndarray,
    most_probable: np.ndarray,
    config: Config,
) -> fit_labels.LabelFit | None:
    """What is best for macro-F1; the default for data that are scored by it."""
    if config.fuse.prior == "as_trained":
        return None
    asked = config.refine.optimise
    counts = data.expected_counts
    cells = fit_labels.OutOfFoldScores(fused, scores.targets, scores.folds, data.groups, counts)
    is_wanted = asked != NONE and fit_labels.is_scored_by(data.cells.manifest.statement)
    return fit_labels.fit(cells, most_probable, is_wanted, is_forced=asked == MACRO_F1)


def _rules(
    data: TrainingSet,
    cleaned: CleanedSet,
    scores: OutOfFold,
    opinion: Opinion,
    probs: np.ndarray,
    config: Config,
) -> RescueRules:
    if config.refine.rescue == "off":
        return RescueRules(data.taxonomy.codes, ())
    if config.refine.rescue == "published":
        rules = published_rules(
            data.taxonomy, cleaned.cells.features, data.targets, {**config.refine.transfer}
        )
        has_head = HEAD in opinion.log_probs or config.embed.head == "off"
        return (
            rules if has_head else rules.without_head("not estimable: it asks the embedding head")
        )
    features = np.concatenate([cleaned.cells.features, cleaned.twins.features])
    head = np.exp(opinion.log_probs[HEAD]) if HEAD in opinion.log_probs else None
    counts = dict(zip(data.taxonomy.codes, data.expected_counts.tolist(), strict=True))
    tail = [
        code
        for code, band in data.taxonomy.bands(counts).items()
        if band == "tail" and counts[code] > 0
    ]
    held_out = rescue.OutOfFold(
        rescue.Scores(probs, head, features),
        scores.targets,
        scores.folds,
        data.groups,
        np.tile(data.cells.manifest.column("cell_id"), 2),
    )
    return rescue.fit_rules(held_out, data.taxonomy, tail, config.refine)
