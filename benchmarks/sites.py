"""Bundles on typed cells of laboratories that nothing was trained on, step by step.

    python -m benchmarks.sites BUNDLE ../shared --out benchmarks/results/sites

A row a site and step, written as it is there; steps that the table holds are passed over: the
bundle as it is, and the parts of `learn.adapt`, alone and together. Labels only score.
"Forced" is the type of the largest summed probability among the five (`FIVE`), so that a neutrophil
called a myelocyte is not wrong if neutrophil is next; "kept" is what the bundle itself does not
abstain from, and right is then its own label.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.site_cells import FIVE, TYPED, SiteCells, read_site

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Prediction
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.images import to_work
from buffycoat.learn.batch_norm import reestimate
from buffycoat.predict.background import as_seen
from buffycoat.predict.predictor import Pipeline
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sites.colour import measure
from buffycoat.sites.reference import AdaptedSite
from buffycoat.sites.scale import Sizes, compare
from buffycoat.sites.standardise import ColourReference

N_DRAWS = 2000
COLUMNS = (
    "bundle", "site", "step", "n", "forced", "forced_low", "forced_high", "macro_f1", "kept",
    "kept_right", "kept_right_low", "kept_right_high", *(f"recall_{kind}" for kind in FIVE),
)  # fmt: skip


def work_of(cells: SiteCells, fitted: Fitted) -> np.ndarray:
    """Working images, shape (n, w, w, 3), uint8."""
    settings = fitted.config.images
    return np.stack([to_work(i, settings.work_px, settings.frame_fraction) for i in cells.images])


def as_it_is(fitted: Fitted, cells: SiteCells) -> Fitted:
    """No step."""
    return fitted


def scaled(fitted: Fitted, cells: SiteCells) -> Fitted:
    """Frame by the size of red and white cells."""
    assert fitted.home is not None
    settings = fitted.config.images
    whole = round(settings.work_px / settings.frame_fraction)
    frames = np.stack([to_work(image, whole, 1.0) for image in cells.images])
    masks = build_segmenter(fitted.config.segment)(frames)
    good = np.array([mask.quality >= 0.5 for mask in masks])
    found = compare(Sizes.of(frames, [m.cell for m in masks], good), fitted.home.sizes)
    fraction = min(settings.frame_fraction * found.factor, 1.0)
    images = settings.model_copy(update={"frame_fraction": fraction})
    return replace(fitted, config=fitted.config.model_copy(update={"images": images}))


def coloured(fitted: Fitted, cells: SiteCells) -> Fitted:
    """White and stain strength."""
    colour = ColourReference.of(measure(work_of(cells, fitted)))
    return replace(fitted, site=AdaptedSite(cells.name, colour, True, {}))


def normed(fitted: Fitted, cells: SiteCells) -> Fitted:
    """Batch-norm statistics."""
    seen = as_seen(work_of(cells, fitted), fitted)
    return replace(fitted, models=tuple(reestimate(model, seen) for model in fitted.models))


Step = Callable[[Fitted, SiteCells], Fitted]
STEPS: dict[str, Sequence[Step]] = {
    "as it is": (as_it_is,),
    "scale": (scaled,),
    "colour": (coloured,),
    "batch norm": (normed,),
    "scale + colour": (scaled, coloured),
    "colour + batch norm": (coloured, normed),
    "scale + colour + batch norm": (scaled, coloured, normed),
}


def score(found: Sequence[Prediction], types: np.ndarray, codes: Sequence[str]) -> dict[str, Any]:
    """Figures of predictions whose true types are known.

    Args:
        found: n of them.
        types: Key of `FIVE` for each, shape (n,).
        codes: Of the classes, in the order of the probabilities.

    Returns:
        Balanced accuracy over the types that occur, its 95 % interval by a bootstrap within types;
        macro-F1 over them; the share kept and the share right of those with exact limits.
    """
    kinds, columns = list(FIVE), list(codes)
    probs = np.array([cell.probs for cell in found])
    summed = [probs[:, [columns.index(c) for c in FIVE[kind]]].sum(axis=1) for kind in kinds]
    forced = np.array(kinds)[np.stack(summed, axis=1).argmax(axis=1)]
    present = [kind for kind in kinds if (types == kind).any()]
    right = [(forced == types)[types == kind] for kind in present]
    recalls = np.array([part.mean() for part in right])
    rng = np.random.default_rng(0)
    drawn = np.mean([rng.choice(part, (N_DRAWS, len(part))).mean(axis=1) for part in right], axis=0)
    f1 = [
        2 * ((forced == kind) & (types == kind)).sum()
        / ((forced == kind).sum() + (types == kind).sum())
        for kind in present
    ]  # fmt: skip
    kept = np.array([not cell.is_abstained for cell in found])
    own = np.array([c.label in FIVE[kind] for c, kind in zip(found, types, strict=True)])
    low, high = clopper_pearson(int(own[kept].sum()), int(kept.sum()))
    return {
        "n": len(found),
        "forced": recalls.mean(),
        "forced_low": np.quantile(drawn, 0.025),
        "forced_high": np.quantile(drawn, 0.975),
        "macro_f1": np.mean(f1),
        "kept": kept.mean(),
        "kept_right": own[kept].mean() if kept.any() else np.nan,
        "kept_right_low": float(low),
        "kept_right_high": float(high),
        **{f"recall_{kind}": r for kind, r in zip(present, recalls, strict=True)},
    }


def run(bundle: str, shared: Path, table: Path, sites: Sequence[str]) -> None:
    """Write the rows that the table lacks."""
    done = set()
    if table.is_file():
        with open(table, encoding="utf-8") as file:
            done = {(row["bundle"], row["site"], row["step"]) for row in csv.DictReader(file)}
    fitted = files.read(bundle)
    name = files.checksum(bundle)[:12]
    for site in sites:
        cells = read_site(site, shared)
        for step, parts in STEPS.items():
            if (name, site, step) in done:
                continue
            made = fitted
            for part in parts:
                made = part(made, cells)
            found = Pipeline(made).predict(cells.images)
            row = {"bundle": name, "site": site, "step": step}
            row |= score(found, cells.types, made.taxonomy.codes)
            _append(table, row)
            print(row, flush=True)


def _append(table: Path, row: dict[str, Any]) -> None:
    is_new = not table.is_file()
    table.parent.mkdir(parents=True, exist_ok=True)
    with open(table, "a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        if is_new:
            writer.writeheader()
        writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="A bundle on other laboratories' typed cells.")
    parser.add_argument("bundle", help="that knows its home (benchmarks.add_home for older ones)")
    parser.add_argument("shared", type=Path, help="folder with fields/ and seg-wbc/")
    parser.add_argument("--sites", nargs="+", default=list(TYPED), choices=TYPED)
    parser.add_argument("--out", type=Path, required=True, help="folder of sites.csv")
    options = parser.parse_args()
    run(options.bundle, options.shared, options.out / "sites.csv", options.sites)


if __name__ == "__main__":
    main()
