"""Which training recipe works on other laboratories' cells, and what it costs at home.

    python -m benchmarks.travel SHARED --work FOLDER --out benchmarks/results/sites

One classifier a recipe of `grids/travel.toml` learns from PBC cells (PBC-LT's training split and
pbc-more with its labels, at most 450 a class) without one fifth of them, on which it is scored as
they are and degraded ("home"). Abroad are typed cells of two sites that it never saw. Five types
are forced: SNE and BNE together are NE; MMY, MY, PMY and ERB, which no cell abroad is labelled, are
left out of the probabilities. Rows: what is not finished is trained; the rest is read from FOLDER.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from benchmarks.boxed_cells import TYPES, Site, read_sites
from safetensors.torch import load_file, save_file
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import ClassifyConfig, Config, load
from buffycoat.images import load_work, writing
from buffycoat.segment.stain import segment_all
from buffycoat.simulate.degrade import degrade
from buffycoat.sources.several import read_sites as read_data
from buffycoat.tables import write_csv

GRID = Path(__file__).parent / "grids" / "travel.toml"
CODES = ("SNE", "BNE", "MMY", "MY", "PMY", "LY", "MO", "EO", "BA", "ERB")
OF_TYPE = {"NE": ("SNE", "BNE"), "LY": ("LY",), "MO": ("MO",), "EO": ("EO",), "BA": ("BA",)}
MOST_OF_A_CLASS = 450
HOME_PARTS = 5
VIEWS = (0, 3)
"""As it is, and turned by 180 degrees."""
DRAWS = 1000


@dataclass(frozen=True)
class Home:
    """Cells of the training laboratory.

    Attributes:
        images: Working images, shape (n, w, w, 3), uint8.
        targets: Columns of `CODES`, shape (n,).
        learned: Rows to learn from.
        tested: Rows to score.
        degraded: Degraded twins of those.
    """

    images: np.ndarray
    targets: np.ndarray
    learned: np.ndarray
    tested: np.ndarray
    degraded: np.ndarray


def read_home(shared: Path, config: Config) -> Home:
    """PBC-LT's training cells and pbc-more, dealt into cells to learn from and cells to score."""
    data = read_data({"pbc-lt": shared / "pbc-lt", "pbc-more": shared / "pbc-more"})
    cells = data.of_split("train")
    cells = cells.subset(cells.is_labelled)
    images = load_work(cells, config.images).images
    targets = np.array([CODES.index(label) for label in cells.frame["label"]])
    parts = StratifiedKFold(HOME_PARTS, shuffle=True, random_state=0).split(targets, targets)
    learned, tested = next(iter(parts))
    rng = np.random.default_rng(1)
    kept = [
        rng.permutation(learned[targets[learned] == column])[:MOST_OF_A_CLASS]
        for column in range(len(CODES))
    ]
    twins = np.stack([_degraded(images[row], int(row)) for row in tested])
    return Home(images, targets, np.sort(np.concatenate(kept)), tested, twins)


def _degraded(image: np.ndarray, row: int) -> np.ndarray:
    rng = np.random.default_rng((0, row))
    return degrade(image, int(rng.integers(1, 5)), rng)


def train(home: Home, name: str, recipe: ClassifyConfig, work: Path) -> FoldModel:
    """One recipe's model, from the folder where it is finished."""
    stored = work / name / "model.safetensors"
    if not stored.exists():
        masks = np.stack([found.cell for found in segment_all(home.images)])
        learned = home.learned
        cells = TrainingCells(home.images, learned, home.targets[learned], len(CODES), None, masks)
        stored.parent.mkdir(parents=True, exist_ok=True)
        checkpoint = stored.with_name("checkpoint.safetensors")
        model, history = fit_fold(cells, recipe, 0, checkpoint)
        print(f"{name}: loss {history[-1]['loss']:.3f}", flush=True)
        with writing(stored) as part:
            save_file({key: t.cpu().contiguous() for key, t in model.state_dict().items()}, part)
        checkpoint.unlink(missing_ok=True)
    return FoldModel.assemble(load_file(stored), recipe, len(CODES), np.zeros(len(CODES)))


def probs(model: FoldModel, images: np.ndarray) -> np.ndarray:
    """Geometric mean of two views, shape (n, k)."""
    logits = torch.from_numpy(model.look(images, VIEWS))
    return logits.log_softmax(-1).mean(1).softmax(-1).numpy()


def forced(table: np.ndarray) -> np.ndarray:
    """Probabilities of the five types, shape (n, 5)."""
    columns = [[CODES.index(code) for code in OF_TYPE[kind]] for kind in TYPES]
    five = np.stack([table[:, members].sum(axis=1) for members in columns], axis=1)
    return five / five.sum(axis=1, keepdims=True)


def figures(model: FoldModel, home: Home, sites: list[Site], first: Mapping[str, Any]) -> Any:
    """Rows of the table: home, then each site and way of cutting.

    Args:
        model: To be scored.
        home: Its laboratory.
        sites: Others.
        first: (site, crop) -> which cells the first recipe got right, for paired gains.

    Returns:
        Rows, and which cells were right by (site, crop).
    """
    rows, right = [], {}
    for name, images in (("as they are", home.images[home.tested]), ("degraded", home.degraded)):
        found, truth = probs(model, images).argmax(axis=1), home.targets[home.tested]
        score = f1_score(truth, found, average="macro")
        ok = found == truth
        right["home", name] = ok
        rows.append(_row("home", name, ok, np.arange(len(ok)), first) | {"macro_f1": score})
    for site in sites:
        for name, images in site.crops.items():
            table = forced(probs(model, images))
            ok = table.argmax(axis=1) == site.types
            right[site.name, name] = ok
            kept = np.argsort(-table.max(axis=1))[: round(0.4 * len(ok))]
            recalls = {
                f"recall_{kind}": ok[site.types == column].mean()
                for column, kind in enumerate(TYPES)
                if (site.types == column).any()
            }
            row = _row(site.name, name, ok, site.groups, first)
            rows.append(row | {"right_of_surest_40": ok[kept].mean()} | recalls)
    return rows, right


def _row(
    site: str, crop: str, ok: np.ndarray, groups: np.ndarray, first: Mapping[Any, np.ndarray]
) -> dict[str, Any]:
    low, high = interval(ok.astype(float), groups)
    gain = ok.astype(float) - first.get((site, crop), ok)
    gain_low, gain_high = interval(gain, groups)
    return {
        "site": site,
        "crop": crop,
        "n": len(ok),
        "n_distinct": len(np.unique(groups)),
        "right": ok.mean(),
        "low": low,
        "high": high,
        "gain": gain.mean(),
        "gain_low": gain_low,
        "gain_high": gain_high,
    }


def interval(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 of the mean when groups are resampled."""
    index = np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(index, values), np.bincount(index)
    n = len(sizes)
    times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), DRAWS)
    low, high = np.percentile((times @ sums) / (times @ sizes), [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    """Train what is missing, score all and write the table."""
    parser = argparse.ArgumentParser(description="Recipes that work on other laboratories' cells.")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    grid = tomllib.loads(GRID.read_text())
    config = load(grid["preset"], grid["set"])
    home = read_home(options.shared, config)
    sites = read_sites(options.shared, config.images.work_px, config.images.frame_fraction)
    rows, first = [], {}
    for recipe in grid["recipe"]:
        own = load(grid["preset"], [*grid["set"], *recipe.get("set", [])]).classify
        model = train(home, recipe["name"], own, options.work)
        found, right = figures(model, home, sites, first)
        first = first or right
        rows += [{"recipe": recipe["name"]} | row for row in found]
        write_csv(options.out / "travel.csv", pd.DataFrame(rows).round(4))


if __name__ == "__main__":
    main()
