"""Out-of-fold scores of the fold models, and the choice between original and restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.classify.ensemble import FoldModel
from buffycoat.config import Config
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.evaluate.paired import paired_interval
from buffycoat.fuse.calibrate import fit_temperature
from buffycoat.fuse.stack import LOWER_BOUND, MIN_ROWS
from buffycoat.learn.fit_restoration import CleanedSet
from buffycoat.learn.stage_store import Outcome, StageStore
from buffycoat.learn.training_set import TrainingSet
from buffycoat.predict.stages import Classified, of_views
from buffycoat.progress import Progress, Reporter

USES = ("original", "restored", "both")


@dataclass(frozen=True)
class OutOfFold:
    """Each training cell, then each twin, scored by the model that saw neither.

    Attributes:
        targets: Shape (2n,).
        folds: Shape (2n,): the fold, and so the model, of each row.
        log_probs: Calibrated, uniform prior, shape (2n, k).
        logits: Mean over the model's views, shape (2n, k).
        temperatures: Of each fold model.
        use: What the models see: "original", "restored" or "both".
        choice: How that was decided, one row an option.
        view_logits: Of every view of the images that the models see, shape (2n, v, k); None where
            these are two images a cell.
    """

    targets: np.ndarray
    folds: np.ndarray
    log_probs: np.ndarray
    logits: np.ndarray
    temperatures: list[float]
    use: str
    choice: list[dict[str, Any]]
    view_logits: np.ndarray | None = None

    def of_models(self, n_refits: int) -> tuple[float, ...]:
        """Temperature of each fold model and, for each refit, their mean."""
        mean = float(np.mean(self.temperatures))
        return (*self.temperatures, *[mean] * n_refits)


def fit(
    data: TrainingSet,
    cleaned: CleanedSet,
    models: Sequence[FoldModel],
    models_key: str,
    config: Config,
    store: StageStore,
    reporter: Reporter,
) -> OutOfFold:
    """Score out of fold, calibrate each model by itself, and choose what later cells show.

    "auto" takes the restored image, or both, only where held-out cells prove it: balanced
    macro-F1 rises and the paired interval does not fall below -0.002; on fewer than `MIN_ROWS` rows
    they are not asked.
    """
    reporter.start("score", "each cell by the model that has not seen it")
    views = [
        _of_fold(data, cleaned, model, fold, models_key, store, reporter)
        for fold, model in enumerate(models)
    ]
    reporter.finish()
    targets, folds = np.tile(data.targets, 2), np.tile(data.folds.fold, 2)
    options = USES if len(targets) >= MIN_ROWS else USES[:1]
    if config.restore.use != "auto":
        options = (config.restore.use,)
    scored = {
        use: _calibrated(views, targets, folds, use, config.fuse.calibrate) for use in options
    }
    logs = {use: found.log_probs for use, (found, _) in scored.items()}
    choice = [_compare(use, logs[use], logs[options[0]], targets, data) for use in options]
    kept = [row for row in choice if row["is_kept"]]
    use = max(kept, key=lambda row: row["balanced_macro_f1"])["use"]
    found, temperatures = scored[use]
    return OutOfFold(
        targets,
        folds,
        found.log_probs,
        found.logits,
        temperatures,
        use,
        choice,
        None if use == "both" else _in_order(views, folds, use),
    )


def _in_order(views: list[dict[str, np.ndarray]], folds: np.ndarray, use: str) -> np.ndarray:
    """Logits of the folds' rows as the rows of all, shape (2n, v, k)."""
    logits = np.empty((len(folds), *views[0][use].shape[1:]), dtype=np.float32)
    for fold, arrays in enumerate(views):
        logits[folds == fold] = arrays[use]
    return logits


def _of_fold(
    data: TrainingSet,
    cleaned: CleanedSet,
    model: FoldModel,
    fold: int,
    models_key: str,
    store: StageStore,
    reporter: Reporter,
) -> dict[str, np.ndarray]:
    """Logits of every view of the fold's cells and twins, as they are and as they stand."""
    rows = np.flatnonzero(data.folds.fold == fold)

    def compute() -> Outcome:
        def report(done: int, total: int) -> None:
            reporter.advance(fold * total + done, data.folds.n_folds * total)

        originals = np.concatenate([data.cells.images[rows], data.degraded[rows]])
        stands, restored = (
            np.concatenate([getattr(part, name)[rows] for part in (cleaned.cells, cleaned.twins)])
            for name in ("images", "is_restored")
        )
        return view_logits(model, originals, stands, restored, report), {}

    inputs = {
        "models": models_key,
        "log_prior": model.log_prior.tolist(),
        "cleaned": cleaned.key,
        "data": data.key,
        "fold": fold,
    }
    return dict(store.run(f"views{fold}", inputs, lambda _: compute()).arrays)


def view_logits(
    model: FoldModel,
    originals: np.ndarray,
    stands: np.ndarray,
    is_restored: np.ndarray,
    on_progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Logits of every view of cells as they are, and as they stand after restoration.

    Args:
        model: One fold's.
        originals: Shape (n, w, w, 3), uint8.
        stands: The same cells after the gate, same shape.
        is_restored: Shape (n,), bool: where the two differ; only those are scored twice.
        on_progress: Called with (cells done, cells in all).

    Returns:
        "original" and "restored", each of shape (n, v, k), float32.
    """
    logits = model.view_logits(np.concatenate([originals, stands[is_restored]]), on_progress)
    restored = logits[: len(originals)].copy()
    restored[is_restored] = logits[len(originals) :]
    return {"original": logits[: len(originals)], "restored": restored}


def seen(views: Mapping[str, np.ndarray], temperature: float, use: str) -> Classified:
    """What a model says by the logits of `view_logits`: see `stages.score`."""
    return of_views([views[name] for name in _names(use)], temperature)


def _names(use: str) -> tuple[str, ...]:
    return ("original", "restored") if use == "both" else (use,)


def _calibrated(
    views: list[dict[str, np.ndarray]],
    targets: np.ndarray,
    folds: np.ndarray,
    use: str,
    is_calibrated: bool,
) -> tuple[Classified, list[float]]:
    """What is said of the 2n rows, and each model's temperature."""
    shape = (len(targets), views[0]["original"].shape[2])
    found = Classified(np.empty(shape), np.empty(shape), np.empty(len(targets), dtype=np.int64))
    temperatures = []
    for fold, arrays in enumerate(views):
        inside = folds == fold
        together = np.concatenate([arrays[name] for name in _names(use)], axis=1)
        temperature = fit_temperature(together, targets[inside]) if is_calibrated else 1.0
        said = seen(arrays, temperature, use)
        found.log_probs[inside], found.logits[inside] = said.log_probs, said.logits
        found.views[inside] = said.views
        temperatures.append(temperature)
    return found, temperatures


def _compare(
    use: str, logs: np.ndarray, base: np.ndarray, targets: np.ndarray, data: TrainingSet
) -> dict[str, Any]:
    k = len(data.taxonomy)
    predicted, before = logs.argmax(axis=1), base.argmax(axis=1)
    gain = paired_interval(targets, before, predicted, class_weighted_macro_f1, data.groups, k=k)
    is_base = base is logs
    return {
        "use": use,
        "balanced_macro_f1": macro_f1(targets, predicted, k),
        "gain": gain.estimate,
        "low": None if is_base else gain.low,
        "high": None if is_base else gain.high,
        "is_kept": bool(is_base or (gain.estimate > 0 and gain.is_from(LOWER_BOUND))),
    }


def macro_f1(targets: np.ndarray, predicted: np.ndarray, k: int) -> float:
    """Macro-F1 with rows weighted 1/n of their class, over the classes present."""
    return float(class_weighted_macro_f1(confusion(targets, predicted, k)))
