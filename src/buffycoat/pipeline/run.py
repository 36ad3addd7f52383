"""The whole of buffycoat on one page: how cells are judged, and how that is learned.

    sources -> cells -> splits -> [ segment -> restore, gate -> segment what was kept
                                    -> classify + embed -> fuse -> refine ] -> evaluate -> report

`run_stages` is the bracket, and `judge` the final word on it. `train` fits its stages in the same
order and writes them as one bundle; `predictor.Pipeline` loads a bundle and calls `judge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from buffycoat.cells import Manifest, Prediction
from buffycoat.config import Config
from buffycoat.embed.encoders import build_encoder
from buffycoat.embed.panel import HEAD
from buffycoat.errors import ManifestError
from buffycoat.pipeline import (
    cleaning,
    fit_classifier,
    fit_decision,
    fit_opinion,
    fit_restoration,
    fit_scores,
    labels,
    least_data,
    outcome,
    prepare,
    stages,
    summary,
)
from buffycoat.pipeline.cleaning import Cleaned
from buffycoat.pipeline.fingerprint import StageStore
from buffycoat.pipeline.fit_restoration import CleanedSet
from buffycoat.pipeline.fitted import Fitted
from buffycoat.pipeline.outcome import RunResult
from buffycoat.pipeline.progress import Reporter, Silent, Stopwatch
from buffycoat.pipeline.stages import Classified
from buffycoat.pipeline.training_set import TrainingSet, build_training_set, folds_of
from buffycoat.refine.decide import Findings, decide
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sources.options import Reading
from buffycoat.taxonomy import resolve


@dataclass(frozen=True)
class Judged:
    """What each stage found, on a batch of n cells.

    Attributes:
        cleaned: Segmented, restored where that was accepted, and measured.
        members: Of the stack: name -> log probabilities under a uniform prior, shape (n, k).
        fused: Probabilities under a uniform prior, shape (n, k).
        findings: All that the final word rests on.
    """

    cleaned: Cleaned
    members: dict[str, np.ndarray]
    fused: np.ndarray
    findings: Findings


def judge(
    images: np.ndarray, cell_ids: Sequence[str], fitted: Fitted, prior: str | None = None
) -> list[Prediction]:
    """The final word on a batch of cells; arguments as in `run_stages`."""
    findings = run_stages(images, cell_ids, fitted, prior).findings
    return decide(
        findings, fitted.taxonomy, fitted.conformal, fitted.config.refine, fitted.distributions
    )


def run_stages(
    images: np.ndarray, cell_ids: Sequence[str], fitted: Fitted, prior: str | None = None
) -> Judged:
    """Every stage, in order, on a batch of cells.

    Args:
        images: Working images, shape (n, w, w, 3), uint8.
        cell_ids: n of them; they are copied to the result and seen by no stage.
        fitted: What training learned.
        prior: "uniform", "train" or a mix "SNE=60,LY=30,..."; None for the one in the settings.

    Returns:
        What each stage found.
    """
    average = fitted.config.fuse.average
    cleaned = cleaning.clean(images, fitted.restoration)
    classified = stages.classify(
        images, cleaned, fitted.models, fitted.temperatures, fitted.use, average
    )
    members, strangeness = _opinions(cleaned, classified, fitted)
    fused = of_known_classes(fitted.stack.apply(members), fitted.expected_counts)
    refined = stages.refine(
        fused,
        members.get(HEAD),
        cleaned,
        fitted.rules,
        fitted.prior(),
        fitted.prior(prior),
    )
    findings = stages.findings(cell_ids, refined, cleaned, strangeness, fitted.outliers)
    return Judged(cleaned, members, fused, findings)


def of_known_classes(probs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Probabilities without the classes that training had no cell of: they cannot be told.

    Args:
        probs: Shape (n, k), rows sum to 1.
        counts: Training cells of each class, shape (k,).

    Returns:
        Shape (n, k), rows sum to 1.
    """
    known = probs * (counts > 0)
    return known / known.sum(axis=1, keepdims=True)


def _opinions(
    cleaned: Cleaned, classified: Classified, fitted: Fitted
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Members of the stack, and how strange each cell is; embeds cells only where that is asked."""
    members = {fit_decision.ENSEMBLE: classified.log_probs}
    asks_logits = fitted.outliers.strangeness.looks_at == "logits"
    if asks_logits and not fitted.panels:
        return members, fitted.outliers.score(classified.logits)
    embeddings = stages.embed(cleaned.images, fitted.encoder)
    for kind, panel in fitted.panels.items():
        members[kind] = stages.judge(
            embeddings, panel, fitted.is_uniform, fitted.config.fuse.average
        )
    return members, fitted.outliers.score(classified.logits if asks_logits else embeddings)


@dataclass(frozen=True)
class Learned:
    """What training makes of its cells, before anything is held against held-out ones.

    Attributes:
        training: The cells.
        cleaned: After restoration, as they are and degraded.
        scores: Of the fold models, out of fold.
        opinion: Of the judges on embeddings, out of fold.
        decision: The last stages, fitted on both.
        fitted: All of it, as it goes into a bundle.
        held_out: Labelled cells of the evaluation split; may be empty. Nothing saw them.
    """

    training: TrainingSet
    cleaned: CleanedSet
    scores: fit_scores.OutOfFold
    opinion: fit_opinion.Opinion
    decision: fit_decision.Decision
    fitted: Fitted
    held_out: Manifest


def train(
    data: Path,
    out: Path,
    config: Config,
    reporter: Reporter | None = None,
    layout: str = "auto",
    allow_bad: int = 0,
    reading: Reading | None = None,
) -> RunResult:
    """Learn every stage from labelled cells; write a bundle, metrics and a report.

    Killed, the same call goes on: a stage runs again only if its inputs or settings changed.

    Args:
        data: Folder or table of cells.
        out: Folder of the run.
        config: The settings.
        reporter: Progress.
        layout: How the data lies; a key of `sources.read.LAYOUTS`.
        allow_bad: Unreadable cells that are tolerated; they are listed in `bad_cells.csv`.
        reading: Where the layout leaves a choice; its taxonomy is that of the settings.

    Returns:
        Where the bundle and the report are, and the metrics.

    Raises:
        BuffycoatError: The data, the settings or the disk are at fault; the message says how.
    """
    watch = Stopwatch(reporter or Silent(), out / "timings.json")
    learned = learn(data, out, config, watch, layout, allow_bad, reading)
    for line in summary.restricted(learned.fitted.provenance):
        watch.say(line)
    return outcome.conclude(
        learned.fitted,
        learned.training,
        learned.scores,
        learned.decision,
        learned.held_out,
        out,
        watch,
        allow_bad,
    )


def learn(
    data: Path,
    out: Path,
    config: Config,
    watch: Reporter,
    layout: str,
    allow_bad: int,
    reading: Reading | None = None,
) -> Learned:
    """Every stage of training in order; arguments as in `train`."""
    manifest = prepare.read_data(data, layout, reading, config, watch, out)
    learned = manifest.of_split("train")
    learned = learned.subset(learned.is_labelled)
    if not len(learned):
        raise ManifestError(f"{data}: no labelled cells in split 'train'")
    adapted = labels.adapt(
        learned, resolve(config.taxonomy, manifest.frame["label"].dropna().tolist())
    )
    taxonomy, learned = adapted.taxonomy, adapted.learned
    coarse = sorted({*learned.frame["label"]} - {*taxonomy.codes})
    # What can be wrong in the settings or too little in the data fails here, and not after hours.
    folds_of(learned, taxonomy, config)
    weights = fit_classifier.check(config, len(taxonomy), coarse)
    fit_opinion.check(config, taxonomy)
    build_segmenter(config.segment)
    encoder = build_encoder(config.embed)

    watch.start("images", f"{len(learned)} training cells")
    cells = prepare.load_cells(learned, config, out / "cache", watch, allow_bad)
    store = StageStore(out / "stages")
    training = build_training_set(cells, taxonomy, config, store, watch)
    grain = (*adapted.notes, *training.notes)
    watch.finish(". ".join((*grain, *training.folds.notes)))
    outcome.write_bad_cells(out / "bad_cells.csv", cells.bad)
    too_few = least_data.plan(training, config)
    for sentence in least_data.sentences(too_few):
        watch.say(sentence)

    restoration, key = fit_restoration.fit(training, encoder, config, store, watch)
    cleaned = fit_restoration.clean_all(training, restoration, key, store, watch)
    folds, folds_key = fit_classifier.fit_folds(training, cleaned, config, store, watch)
    scores = fit_scores.fit(training, cleaned, folds, folds_key, config, store, watch)
    refits = fit_classifier.refit(training, cleaned, folds_key, folds[0], config, store, watch)
    opinion = fit_opinion.fit(
        training, cleaned, encoder, config, store, watch, out / "cache", scores.logits, too_few
    )
    decision = fit_decision.fit(training, cleaned, scores, opinion, config, watch)

    fitted = Fitted(
        config=config,
        taxonomy=taxonomy,
        counts=training.counts,
        restoration=restoration,
        models=(*folds, *refits),
        temperatures=scores.of_models(len(refits)),
        use=scores.use,
        encoder=encoder,
        panels=opinion.panels,
        outliers=opinion.outliers,
        gallery=opinion.gallery,
        stack=decision.stack,
        rules=decision.rules,
        conformal=decision.conformal,
        distributions=decision.distributions,
        provenance=summary.provenance(training, weights, encoder, config, grain)
        | {"too_few": fit_restoration.note(restoration, config) | too_few | opinion.notes},
        coarse_counts=training.coarse_counts,
    )
    held_out = manifest.of_split("eval")
    held_out = labels.relabel(held_out.subset(held_out.is_labelled), taxonomy)
    return Learned(training, cleaned, scores, opinion, decision, fitted, held_out)
