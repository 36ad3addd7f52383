"""Recipes of the classifier under one protocol: the same cells, folds and seeds, and one table.

    for each recipe, seed and fold: train -> score the fold's cells and their degraded twins
    for each recipe: one row, written as soon as the recipe ends

Every cell is scored as it is and once more degraded, by the model that saw neither, as in
`learn.fit_scores`; restoration has no part in it. Killed, the same call goes on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.train import fit_fold
from buffycoat.config import Config, load
from buffycoat.errors import ConfigError
from buffycoat.fuse.calibrate import MIN_ROWS, fit_temperature, log_probs
from buffycoat.images import only_writer
from buffycoat.learn import prepare
from buffycoat.learn.experiments.grid_table import Scored, to_row, write
from buffycoat.learn.fit_classifier import check, check_cells, log_prior, recipe_key
from buffycoat.learn.labels import adapt, labelled
from buffycoat.learn.stage_store import Outcome, StageStore
from buffycoat.learn.stopwatch import Stopwatch
from buffycoat.learn.training_set import TrainingSet, build_training_set, folds_of
from buffycoat.plurals import counted
from buffycoat.progress import Reporter, Silent
from buffycoat.sources.options import Reading
from buffycoat.taxonomy import resolve

KEYS = {"preset", "set", "seeds", "folds", "recipe"}
CLOCK = "timings.json"


@dataclass(frozen=True)
class Grid:
    """What is compared.

    Attributes:
        recipes: Name -> settings, in the order of the file; the first is what others are compared
            with.
        seeds: Of the trainings; the folds are those of the preset's own seed.
        folds: Which folds are trained; None for all.
    """

    recipes: Mapping[str, Config]
    seeds: tuple[int, ...]
    folds: tuple[int, ...] | None


def read_grid(path: Path) -> Grid:
    """Read a grid's TOML file.

    Keys: `preset`; `set`, changes for all; `seeds` and `folds`, lists; and tables `[[recipe]]` with
    `name` and `set`, which may change nothing but `classify`.

    Raises:
        ConfigError: The file cannot be read, or a key or a setting in it is wrong.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a readable grid ({error})") from error
    unknown = sorted(set(table) - KEYS)
    recipes = table.get("recipe", [])
    if unknown or not recipes:
        wrong = f"unknown keys {', '.join(unknown)}" if unknown else "no [[recipe]]"
        raise ConfigError(f"{path}: {wrong}. A grid has {', '.join(sorted(KEYS))}")
    preset, common = table.get("preset", "cpu"), table.get("set", [])
    base = load(preset, common)
    found: dict[str, Config] = {}
    for recipe in recipes:
        name = recipe.get("name", "")
        if not name or name in found or set(recipe) - {"name", "set"}:
            raise ConfigError(
                f"{path}: recipe {recipe!r}: expected 'name', unlike others, and 'set'"
            )
        config = load(preset, [*common, *recipe.get("set", [])])
        fixed = config.model_copy(update={"classify": base.classify})
        if fixed != base or config.classify.folds != base.classify.folds:
            raise ConfigError(
                f"{path}: recipe {name!r} changes more than the classifier's recipe; put what all "
                "recipes share (folds too) under the grid's own 'set'"
            )
        found[name] = config
    folds = table.get("folds")
    wrong_folds = [fold for fold in folds or [] if fold not in range(base.classify.folds)]
    if wrong_folds:
        raise ConfigError(f"{path}: folds {wrong_folds}: there are 0 to {base.classify.folds - 1}")
    return Grid(found, tuple(table.get("seeds", [0])), tuple(folds) if folds else None)


def run(
    data: Path,
    grid: Grid,
    out: Path,
    reporter: Reporter | None = None,
    layout: str = "auto",
    reading: Reading | None = None,
) -> list[dict[str, Any]]:
    """Train and score every recipe; writes `table.csv`, `table.md` and each recipe's predictions.

    Args:
        data: Folder or table of cells; its training split is used.
        grid: What to compare.
        out: Folder of results; the same again resumes.
        reporter: Progress.
        layout: How the data lies.
        reading: Where the layout leaves a choice; its taxonomy is that of the settings.

    Returns:
        One row a recipe, as in the table.
    """
    with only_writer(out):
        return _run(data, grid, out, reporter or Silent(), layout, reading)


def _run(
    data: Path, grid: Grid, out: Path, reporter: Reporter, layout: str, reading: Reading | None
) -> list[dict[str, Any]]:
    base = next(iter(grid.recipes.values()))
    manifest = prepare.read_data(data, layout, reading, base, reporter, out)
    learned = labelled(manifest, "train")
    adapted = adapt(learned, resolve(base.taxonomy, manifest.frame["label"].dropna().tolist()))
    taxonomy, learned = adapted.taxonomy, adapted.learned
    folds_of(learned, taxonomy, base)
    reporter.start("images", counted(len(learned), "training cell"))
    cells = prepare.load_cells(learned, base, out / "cache", reporter, 0)
    store = StageStore(out / "stages")
    training = build_training_set(cells, taxonomy, base, store, reporter)
    reporter.finish(". ".join((*adapted.notes, *training.notes)))
    for config in grid.recipes.values():
        check(config, len(taxonomy), tuple(training.coarse))
        check_cells(training, config)
    held_out = np.bincount(training.folds.fold, minlength=training.folds.n_folds)
    if base.fuse.calibrate and held_out.min() < MIN_ROWS // 2:
        reporter.say(f"off: calibration (needs {MIN_ROWS // 2} cells a fold, has {held_out.min()})")
    folds = grid.folds or tuple(range(training.folds.n_folds))
    scored: dict[str, list[Scored]] = {}
    table: list[dict[str, Any]] = []
    for name, config in grid.recipes.items():
        scored[name] = [
            _score(name, training, config, seed, folds, store, reporter) for seed in grid.seeds
        ]
        table.append(to_row(name, scored, training, len(folds), config.fuse.average))
        write(out, table)
        reporter.say(
            f"{name}: balanced macro-F1 {table[-1]['balanced_macro_f1']:.3f} "
            f"in {table[-1]['minutes']:.1f} minutes"
        )
    return table


def _score(
    name: str,
    data: TrainingSet,
    config: Config,
    seed: int,
    folds: Sequence[int],
    store: StageStore,
    reporter: Reporter,
) -> Scored:
    """Train one model a fold, and score the fold's cells and twins with it."""
    rows, probs, minutes = [], [], 0.0
    masks = prepare.cell_masks(data.learned.images, data.learned.key, config, store)
    for fold in folds:
        inside = np.flatnonzero(data.folds.fold == fold)
        label = f"{name}, seed {seed}, fold {fold}"

        def compute(folder: Path, fold: int = fold, label: str = label) -> Outcome:
            watch = Stopwatch(reporter, folder / CLOCK)
            return _train_and_score(data, config, seed, fold, folder, watch, label, masks)

        inputs = {
            "data": data.key,
            "images": data.learned.key,
            "seed": seed,
            "fold": fold,
            **recipe_key(config),
        }
        result = store.run(f"recipe-fold{fold}", inputs, compute)
        logits, targets = np.array(result.arrays["logits"]), np.tile(data.targets[inside], 2)
        temperature = fit_temperature(logits, targets) if config.fuse.calibrate else 1.0
        views = np.exp(log_probs(logits, temperature))
        rows.append(np.concatenate([inside, inside + len(data.targets)]))
        probs.append(views)
        minutes += result.values["minutes"]
    return Scored(np.concatenate(rows), np.concatenate(probs), minutes)


def _train_and_score(
    data: TrainingSet,
    config: Config,
    seed: int,
    fold: int,
    folder: Path,
    watch: Stopwatch,
    label: str,
    masks: np.ndarray | None,
) -> Outcome:
    seen = np.flatnonzero(data.learned_folds.fold != fold)
    inside = np.flatnonzero(data.folds.fold == fold)
    cells = data.seen_by(data.learned.images, seen, masks, inside)
    checkpoint = folder / "checkpoint.safetensors"
    watch.start("train", label)
    model, _ = fit_fold(cells, config.classify, seed * 100 + fold, checkpoint, watch.advance)
    watch.finish()
    watch.start("score", label)
    fitted = FoldModel.assemble(
        model.state_dict(), config.classify, cells.n_classes, log_prior(cells, config.classify)
    )
    images = np.concatenate([data.cells.images[inside], data.degraded[inside]])
    logits = fitted.view_logits(images, watch.advance)
    watch.finish()
    checkpoint.unlink(missing_ok=True)
    return {"logits": logits}, {"minutes": watch.seconds["train"] / 60}
