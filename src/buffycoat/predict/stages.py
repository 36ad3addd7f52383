"""The stages as prediction runs them, after cleaning.py: each a pure call on a batch of cells.

What one stage needs of another is handed on here as arrays; the rooms never import each other.
Training (`fit_*.py`) calls the same functions, so a score out of fold is made the way a new
cell's is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from buffycoat.classify.cascade import Cascade, Step, order_of
from buffycoat.classify.ensemble import FoldModel
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.outliers import OutlierModel
from buffycoat.embed.panel import Panel
from buffycoat.fuse.calibrate import FLOOR, log_probs, log_softmax
from buffycoat.fuse.label_rule import LabelRule
from buffycoat.fuse.prior import apply_prior, uniform
from buffycoat.predict.cleaning import Cleaned
from buffycoat.progress import Progress
from buffycoat.refine.apply import RescueResult, apply, may_be_rescued
from buffycoat.refine.decide import Findings
from buffycoat.refine.rules import RescueRules
from buffycoat.sites.shift import Shift

ENSEMBLE = "ensemble"
"""What the classifier is called among the members of the stack."""
CELLS_AT_ONCE = 128
"""Cells in memory at a time; a stage's result for a cell does not depend on it."""


@dataclass(frozen=True)
class Classified:
    """What the classifier says of n cells.

    Attributes:
        log_probs: Calibrated, under a uniform prior, shape (n, k).
        logits: As the models give them, mean over views and models, shape (n, k).
        views: Views that all models together looked at, shape (n,).
    """

    log_probs: np.ndarray
    logits: np.ndarray
    views: np.ndarray


def batches(n: int) -> Iterator[slice]:
    """Slices that cover n cells, `CELLS_AT_ONCE` at a time."""
    for start in range(0, n, CELLS_AT_ONCE):
        yield slice(start, min(start + CELLS_AT_ONCE, n))


Look = Callable[[np.ndarray, int, Sequence[int]], np.ndarray]
"""Rows, number of a model, and views, to the logits of these views, shape (n, v, k)."""


def classify(
    original: np.ndarray,
    cleaned: Cleaned,
    models: Sequence[FoldModel],
    temperatures: Sequence[float],
    use: str,
    average: str = "geometric",
    cascade: Cascade | None = None,
) -> Classified:
    """Mean over fold models of each one's calibrated probabilities.

    Args:
        original: Working images, shape (n, w, w, 3), uint8.
        cleaned: The same cells after restoration.
        models: One a fold.
        temperatures: Of each model, fitted on the cells that it did not see.
        use: "original", "restored", or "both" (the mean of the two).
        average: A key of `MEANS`.
        cascade: When to stop early; None looks at every view of every cell, and so does "both".
    """
    pairs = list(zip(models, temperatures, strict=True))
    if cascade is None or use == "both":
        return together([score(original, cleaned, *pair, use) for pair in pairs], average)
    images = cleaned.images if use == "restored" else original

    def look(rows: np.ndarray, model: int, views: Sequence[int]) -> np.ndarray:
        return models[model].look(images[rows], views)

    order = order_of(models[0].config.views)
    return classify_early(len(images), look, cascade, temperatures, order, average)


def classify_early(
    n: int,
    look: Look,
    cascade: Cascade,
    temperatures: Sequence[float],
    order: Sequence[int],
    average: str,
) -> Classified:
    """The same, with no more views of a cell than it takes to be sure of it.

    Args:
        n: Cells.
        look: Gives logits.
        cascade: When to stop.
        temperatures: Of each model.
        order: Of the views.
        average: A key of `MEANS`.
    """
    rows = np.arange(n)
    seen = [np.empty((n, 0, 0), dtype=np.float32) for _ in temperatures]
    found = Classified(np.empty((n, 0)), np.empty((n, 0)), np.zeros(n, dtype=np.int64))
    everything = Step(0, len(order), 1.0, 0.0, 0.0)
    for step in (*cascade.steps, everything):
        if not len(rows):
            break
        for model in range(step.models or len(temperatures)):
            wanted = order[seen[model].shape[1] : step.views]
            if len(wanted):
                new = look(rows, model, wanted)
                old = seen[model]
                seen[model] = np.concatenate([old, new], axis=1) if old.size else new
        scored = [
            of_views([logits], temperature * step.temperature)
            for logits, temperature in zip(seen, temperatures, strict=True)
            if logits.size
        ]
        said = together(scored, average)
        if not found.log_probs.shape[1]:
            k = said.log_probs.shape[1]
            found = Classified(np.empty((n, k)), np.empty((n, k)), found.views)
        is_done = np.exp(said.log_probs.max(axis=1)) >= step.limit
        done = rows[is_done]
        found.log_probs[done] = said.log_probs[is_done]
        found.logits[done] = said.logits[is_done] + step.shift
        found.views[done] = said.views[is_done]
        rows = rows[~is_done]
        seen = [part[~is_done] if part.size else part for part in seen]
    return found


def together(scores: Sequence[Classified], average: str) -> Classified:
    """What several models say, as one.

    Args:
        scores: Of each model, on the same n cells.
        average: A key of `MEANS`.
    """
    return Classified(
        MEANS[average]([part.log_probs for part in scores]),
        np.mean([part.logits for part in scores], axis=0),
        np.sum([part.views for part in scores], axis=0),
    )


def score(
    original: np.ndarray, cleaned: Cleaned, model: FoldModel, temperature: float, use: str
) -> Classified:
    """The same of one fold model; arguments as in `classify`."""
    if use == "restored":
        return of_views([model.view_logits(cleaned.images)], temperature)
    found = of_views([model.view_logits(original)], temperature)
    rows = np.flatnonzero(cleaned.is_restored)
    if use == "both" and len(rows):
        second = of_views([model.view_logits(cleaned.images[rows])], temperature)
        found.log_probs[rows] = mean_of_probs([found.log_probs[rows], second.log_probs])
        found.logits[rows] = (found.logits[rows] + second.logits) / 2
        found.views[rows] += second.views
    return found


def of_views(seen: Sequence[np.ndarray], temperature: float) -> Classified:
    """What one model says, by the logits of each view of each kind of image that it sees.

    Args:
        seen: Logits of the original, of the restored image, or of both; each (n, v, k).
        temperature: Of the model.
    """
    return Classified(
        mean_of_probs([log_probs(views, temperature) for views in seen]),
        np.mean([views.mean(axis=1) for views in seen], axis=0),
        np.full(len(seen[0]), sum(views.shape[1] for views in seen)),
    )


def embed(images: np.ndarray, encoder: Encoder, on_progress: Progress | None = None) -> np.ndarray:
    """Embeddings of cells, shape (n, d), float32, L2-normalised."""
    return encoder.encode(images, on_progress)


def score_embeddings(
    embeddings: np.ndarray, panel: Panel, is_uniform: bool = True, average: str = "geometric"
) -> np.ndarray:
    """Second opinion: mean over fold models of each one's calibrated probabilities.

    Args:
        embeddings: Shape (n, d).
        panel: One model a fold.
        is_uniform: Take the class mix of the training out, else leave it in.
        average: A key of `MEANS`.

    Returns:
        Log probabilities, shape (n, k).
    """
    pairs = zip(panel.models, panel.temperatures, strict=True)
    return MEANS[average]([log_probs(one.logits(embeddings, is_uniform), t) for one, t in pairs])


def mean_of_probs(logs: Sequence[np.ndarray]) -> np.ndarray:
    """Log of the mean of probabilities that are given as logs; all of one shape."""
    return np.log(np.maximum(np.mean([np.exp(part) for part in logs], axis=0), FLOOR))


def mean_of_logs(logs: Sequence[np.ndarray]) -> np.ndarray:
    """Log of the geometric mean of probabilities that are given as logs, rows normalised."""
    return log_softmax(np.mean(logs, axis=0))


MEANS = {"geometric": mean_of_logs, "arithmetic": mean_of_probs}
"""How models' calibrated probabilities become one. The arithmetic mean of models that are each
calibrated is right more often than it says (docs/adr/0011)."""


@dataclass(frozen=True)
class Place:
    """Where n cells are from, beside the training's laboratory.

    Attributes:
        shifts: n of them: how the site of each cell compares with the training cells; None where
            that is not known.
        is_abroad: Shape (n,), bool: cells to which the limits for unseen laboratories apply.
    """

    shifts: Sequence[Shift | None]
    is_abroad: np.ndarray


@dataclass(frozen=True)
class Refined:
    """What the last stage makes of n cells.

    Attributes:
        probs: Under the wanted class mix, shape (n, k).
        own_probs: Under the mix that rules and label sets were fitted for, shape (n, k).
        rescue: Most probable classes under the wanted mix, with the reasons of those that a rescue
            rule made.
        labels: Final classes, shape (n,): those of `rescue`, moved where a score asks for it.
        may_be_rescued: Cells that a rule may change, by what it asks beside features, shape (n,).
    """

    probs: np.ndarray
    own_probs: np.ndarray
    rescue: RescueResult
    labels: np.ndarray
    may_be_rescued: np.ndarray


def refine(
    fused: np.ndarray,
    head: np.ndarray | None,
    cleaned: Cleaned,
    rules: RescueRules,
    own_prior: np.ndarray,
    wanted_prior: np.ndarray,
    rule: LabelRule | None = None,
) -> Refined:
    """Apply the class mix, then the rules that may overrule, then what labels shall maximise.

    Args:
        fused: Probabilities under a uniform prior, shape (n, k).
        head: The second opinion's log probabilities, shape (n, k); None without one.
        cleaned: Gives the morphology.
        rules: Fitted on probabilities under `own_prior`.
        own_prior: The class mix that the rules were fitted for, shape (k,).
        wanted_prior: The class mix that probabilities shall assume, shape (k,).
        rule: Gives the label of cells that no rescue rule changed; None for the most probable
            class.
    """
    even = uniform(fused.shape[1])
    opinion = None if head is None else np.exp(head)
    own_probs = apply_prior(fused, even, own_prior)
    rescue = apply(rules, own_probs, opinion, cleaned.features)
    is_asked = may_be_rescued(rules, own_probs, opinion)
    probs = own_probs
    if not np.array_equal(own_prior, wanted_prior):
        probs = apply_prior(fused, even, wanted_prior)
        tops = np.where(rescue.is_rescued, rescue.labels, rules.tops(probs))
        rescue = replace(rescue, labels=tops)
    labels = rescue.labels
    if rule is not None:
        best = rules.tops(np.where(probs > 0, rule.values(fused), 0.0))
        labels = np.where(rescue.is_rescued, labels, best)
    return Refined(probs, own_probs, rescue, labels, is_asked)


def findings(
    cell_ids: Sequence[str],
    refined: Refined,
    cleaned: Cleaned,
    strangeness: np.ndarray,
    outliers: OutlierModel,
    views: np.ndarray,
    place: Place,
    asked: str = "",
) -> Findings:
    """All that the final word on n cells rests on.

    Args:
        cell_ids: n of them.
        refined: From `refine`.
        cleaned: What was measured.
        strangeness: Outlier score, shape (n,).
        outliers: Gives that score's name and its percentile among the training cells.
        views: Views that the classifier looked at, shape (n,).
        place: Where the cells are from.
        asked: What the labels maximise, in words; "" for the most probable class.
    """
    return Findings(
        cell_ids=list(cell_ids),
        probs=refined.probs,
        set_probs=refined.own_probs,
        rescue=refined.rescue,
        labels=refined.labels,
        asked=asked,
        severity=cleaned.severity,
        degradation=cleaned.degradation,
        is_restored=cleaned.is_restored,
        restore_reasons=cleaned.reasons,
        restore_changes=cleaned.changes,
        outlier_name=outliers.name,
        outlier_score=strangeness,
        outlier_percentile=np.where(
            np.isnan(strangeness), np.nan, outliers.percentile(strangeness)
        ),
        views=views,
        mask_quality=cleaned.mask_quality,
        features=cleaned.features,
        shifts=place.shifts,
        is_abroad=place.is_abroad,
    )
