"""How a bundle is learned, on one page.

    sources -> cells -> splits -> [ segment -> restore, gate -> segment what was kept
                                    -> classify + embed -> fuse -> refine ] -> evaluate -> report

The bracket is `predict.bracket`; `train` fits its stages in the same order and writes them as one
bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.config import Config
from buffycoat.embed.encoders import build_encoder
from buffycoat.images import only_writer
from buffycoat.learn import (
    fit_abroad,
    fit_cascade,
    fit_classifier,
    fit_decision,
    fit_home,
    fit_models,
    fit_opinion,
    fit_restoration,
    fit_scores,
    labels,
    least_data,
    needs,
    outcome,
    prepare,
    summary,
    taken_restoration,
    unlabelled,
    unlabelled_notes,
)
from buffycoat.learn.fit_restoration import CleanedSet
from buffycoat.learn.outcome import RunResult
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.stopwatch import Stopwatch
from buffycoat.learn.training_set import TrainingSet, build_training_set, folds_of
from buffycoat.plurals import counted
from buffycoat.progress import Reporter, Silent
from buffycoat.refine.features import NAMES
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sites.reference import SiteReference
from buffycoat.sources.options import Reading
from buffycoat.taxonomy import resolve


@dataclass(frozen=True)
class Learned:
    """What training makes of its cells, before anything is compared with held-out ones.

    Attributes:
        training: The cells.
        cleaned: After restoration, as they are and degraded.
        scores: Of the fold models, out of fold.
        opinion: Of the models on embeddings, out of fold.
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
    data: Path | Mapping[str, Path],
    out: Path,
    config: Config,
    reporter: Reporter | None = None,
    layout: str = "auto",
    allow_bad: int = 0,
    reading: Reading | None = None,
    without_labels: Sequence[Path] = (),
    workers: int = 1,
) -> RunResult:
    """Learn every stage from labelled cells; write a bundle, metrics and a report.

    Killed, the same call goes on: a stage runs again only if its inputs or settings changed. While
    it runs, no other command may write into the folder.

    Args:
        data: Folder or table of cells; or several, site -> folder or table.
        out: Folder of the run.
        config: The settings.
        reporter: Progress.
        layout: How the data lies; a key of `sources.read.LAYOUTS`.
        allow_bad: Unreadable cells that are tolerated; they are listed in `bad_cells.csv`.
        reading: Where the layout leaves a choice; its taxonomy is that of the settings.
        without_labels: Folders or tables of further cells, whose labels are unknown or not read.
        workers: Models that are trained at the same time, each in a process that is spawned: in a
            script, call this under `if __name__ == "__main__":`.

    Returns:
        Where the bundle and the report are, and the metrics.

    Raises:
        BuffycoatError: The data, the settings or the disk are at fault; the message says how.
    """
    with only_writer(out):
        watch = Stopwatch(reporter or Silent(), out / "timings.json")
        learned = learn(
            data, out, config, watch, layout, allow_bad, reading, without_labels, workers
        )
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
    data: Path | Mapping[str, Path],
    out: Path,
    config: Config,
    watch: Reporter,
    layout: str,
    allow_bad: int,
    reading: Reading | None = None,
    without_labels: Sequence[Path] = (),
    workers: int = 1,
) -> Learned:
    """Every stage of training in order; arguments as in `train`."""
    needs.check(config)
    build_segmenter(config.segment)
    encoder = build_encoder(config.embed)
    if config.restore.take_from:
        taken_restoration.check(encoder, config)
    further = unlabelled.read_cells(without_labels, watch)
    manifest = prepare.read_data(data, layout, reading, config, watch, out, without_labels)
    learned = labels.labelled(manifest, "train")
    adapted = labels.adapt(
        learned, resolve(config.taxonomy, manifest.frame["label"].dropna().tolist())
    )
    taxonomy, learned = adapted.taxonomy, adapted.learned
    coarse = sorted({*learned.frame["label"]} - {*taxonomy.codes})
    # What can be wrong in the settings or too little in the data fails here, and not after hours.
    folds_of(learned, taxonomy, config)
    weights = fit_classifier.check(config, len(taxonomy), coarse)
    fit_opinion.check(config, taxonomy)

    watch.start("images", counted(len(learned), "training cell"))
    cells = prepare.load_cells(learned, config, out / "cache", watch, allow_bad)
    store = StageStore(out / "stages")
    training = build_training_set(cells, taxonomy, config, store, watch)
    grain = (*adapted.notes, *training.notes)
    watch.finish(". ".join((*grain, *training.folds.notes)))
    outcome.write_bad_cells(out / "bad_cells.csv", cells.bad)
    too_few = least_data.plan(training, config)
    for sentence in least_data.sentences(too_few):
        watch.say(sentence)

    others = None
    if without_labels:
        watch.start("unlabelled", counted(len(further), "cell"))
        others = unlabelled.load(further, manifest, config, out, store, watch)
        watch.finish(f"{others.sentence}. {out / unlabelled.TABLE} lists them")
    restoration, key, why_off = fit_restoration.fit(training, encoder, config, store, watch)
    cleaned = fit_restoration.clean_all(training, restoration, key, store, watch)
    if others is not None:
        others = fit_restoration.as_learned(others, restoration, key, store, watch)
    models = fit_models.fit(training, cleaned, others, config, store, watch, workers)
    scores, taught = models.scores, models.taught
    if others is not None and taught is not None:
        unlabelled_notes.write_table(out, others, taught, taxonomy.codes)
        for sentence in unlabelled_notes.sentences(taught.record):
            watch.say(sentence)
    opinion = fit_opinion.fit(
        training, cleaned, encoder, config, store, watch, out / "cache", scores.logits, too_few
    )
    decision = fit_decision.fit(training, cleaned, scores, opinion, config, watch)
    cascade, words = fit_cascade.of_scores(
        scores, config.classify.views, config.fuse.average, training.groups
    )
    watch.say(f"Fewer views for cells that are clear: {words}")

    unrestored = {"restoration": why_off} if why_off else {}
    fitted = Fitted(
        config=config,
        taxonomy=taxonomy,
        counts=training.counts,
        restoration=restoration,
        models=(*models.folds, *models.refits),
        temperatures=scores.of_models(len(models.refits)),
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
        | ({} if taught is None else {"unlabelled": taught.record})
        | {"too_few": unrestored | too_few | opinion.notes},
        coarse_counts=training.coarse_counts,
        power_fit=decision.power_fit,
        cascade=cascade,
        home=_home(training, cleaned, scores, config),
    )
    fitted = replace(fitted, abroad=fit_abroad.fit(training, fitted, models.key, store, watch))
    held_out = manifest.of_split("eval")
    held_out = labels.relabel(held_out.subset(held_out.is_labelled), taxonomy)
    return Learned(training, cleaned, scores, opinion, decision, fitted, held_out)


def _home(
    data: TrainingSet, cleaned: CleanedSet, scores: fit_scores.OutOfFold, config: Config
) -> SiteReference | None:
    """The looks of the training cells and of their degraded twins."""
    area = NAMES.index("cell_area")
    areas = [
        np.where(part.mask_quality >= fit_home.GOOD_OUTLINE, part.features[:, area], np.nan)
        for part in (cleaned.cells, cleaned.twins)
    ]
    seen = fit_home.SeenCells(
        data.cells.manifest,
        np.concatenate([data.cells.images, data.degraded]),
        scores.logits,
        np.concatenate(areas),
        np.concatenate([np.rint(cleaned.cells.severity), data.degraded_severity]).astype(int),
    )
    return fit_home.fit(seen, config.images, config.segment)
