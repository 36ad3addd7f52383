"""Would a learned score of nuclei find white cells better than the rules of `fields.chromatin`?

    python -m benchmarks.nucleus_scorer --out benchmarks/results/fields/nucleus_scorer.csv

Everything that is stained like a nucleus (with looser limits than the rules') is described by
ratios that know no site: area, roundness, colour, its darkness over that of the field's red cells
and of its darkest spot. A logistic regression learns which spots lie in an annotated box, on all
sites but the one that is scored. Two figures a site: F1 of centres in its fields, and cells found
in halves of its fields that hold no annotated cell. Most fields of a smear hold no white cell, but
nearly all annotated ones do, and a score that learns from those alone learns that the darkest spot
is one.

At `chula`, spots that the rules take for nuclei and that have no box are left out of the learning:
most of them are white cells that were not annotated.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.finding import boxes_of_masks, true_boxes
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from buffycoat.fields import chromatin, find, nuclei, red_cells
from buffycoat.fields.chromatin import Chromatin
from buffycoat.fields.field import Field, read_field
from buffycoat.fields.nuclei import RED_AREA_PX, RED_PX
from buffycoat.tables import write_csv

SITES = ("bccd", "aslan", "chula", "pig", "seg-wbc")
NUCLEUS = ("nucleus", "smudge")
LOOSE = {"LEAST_OF_DARKEST": 0.25, "LEAST_SIGNAL": 1.5}
"""In place of the rules' limits, so that spots which they pass over can be chosen."""
LIMITS = (0.4, 0.6, 0.8)
FEATURES = (
    "area radius solidity hull blue red around of_darkest of_red aspect texture contrast is_smudge"
).split()
MARGIN_PX = 8


def spots_of(view: Field, red_px: float) -> list[dict[str, float | str]]:
    """Features of everything in a field that is stained like a nucleus, and the rules' word."""
    picture = find._Picture.of(view, red_px)
    stain = Chromatin.of(picture.density, picture.outside)
    green = np.ascontiguousarray(picture.density[..., 1])
    reds = red_cells.places(green, picture.outside, RED_PX)
    found = stain.spots(reds)
    darkest = max((spot.density for spot in found), default=1.0)
    rows = []
    for spot in found:
        colours = chromatin._window(stain.density, spot.box)[spot.mask]
        colour = colours.mean(axis=0)
        amount = float(chromatin._window(stain.amount, spot.box)[spot.mask].mean())
        hull = float(nuclei.hull(spot.mask).sum()) / RED_AREA_PX
        of_red = stain._of_red(reds, spot.box)
        across, down = ((value + 0.5) / picture.factor for value in spot.centre)
        rows.append(
            {
                "across": across,
                "down": down,
                "is_chosen": spot.kind in NUCLEUS and spot.density >= 0.5 * darkest,
                "area": np.log(spot.area),
                "radius": nuclei.inner_radius(spot.mask) / RED_PX,
                "solidity": spot.area / hull,
                "hull": np.log(hull),
                "blue": colour[2] / max(colour[1], 1e-3),
                "red": colour[0] / max(colour[1], 1e-3),
                "around": stain._around(spot.box, spot.mask) / max(amount, 1e-3),
                "of_darkest": spot.density / darkest,
                "of_red": np.log(spot.density / of_red) if of_red > 0 else np.nan,
                "aspect": max(spot.box[2:]) / min(spot.box[2:]),
                "texture": colours[:, 1].std() / max(colour[1], 1e-3),
                "contrast": np.log(max(amount, 1e-3) / spot.density),
                "is_smudge": float(spot.kind == "smudge"),
            }
        )
    return rows


def halves_without(view: Field, boxes: np.ndarray) -> Iterator[Field]:
    """Halves of a field that no annotated box (m, 4) touches."""
    height, width = view.height, view.width
    middle, centre = height // 2, width // 2
    cuts = ((0, middle, 0, width), (middle, height, 0, width))
    cuts += ((0, height, 0, centre), (0, height, centre, width))
    left, top, across, down = boxes.T
    for number, (y, bottom, x, right) in enumerate(cuts):
        is_beside = (left + across + MARGIN_PX < x) | (left - MARGIN_PX > right)
        is_beside |= (top + down + MARGIN_PX < y) | (top - MARGIN_PX > bottom)
        if is_beside.all():
            part = np.ascontiguousarray(view.pixels[y:bottom, x:right])
            yield Field(f"{view.name}#{number}", part)


def gather(shared: Path) -> tuple[pd.DataFrame, dict[str, int], dict[str, int]]:
    """Spots of all fields and of halves without a cell; true cells and such halves a site."""
    rows: list[dict[str, object]] = []
    n_true, n_halves = dict.fromkeys(SITES, 0), dict.fromkeys(SITES, 0)
    for site in SITES:
        crops = site == "seg-wbc"
        folder = shared / site if crops else shared / "fields" / site
        true = boxes_of_masks(folder) if crops else true_boxes(folder.with_suffix(".json"))
        views = [read_field(folder / name, name) for name in true]
        diameters = red_cells.agree([find.measure_scale(view) for view in views])
        for view, red_px in zip(views, diameters, strict=True):
            boxes = true[view.name]
            n_true[site] += len(boxes)
            if red_px is None:
                continue
            for spot in spots_of(view, red_px):
                rows.append({"site": site, "field": view.name, "box": _box_at(spot, boxes), **spot})
            for half in () if crops else halves_without(view, boxes):
                n_halves[site] += 1
                for spot in spots_of(half, red_px):
                    rows.append({"site": site, "field": half.name, "box": -1, **spot})
    return pd.DataFrame(rows), n_true, n_halves


def _box_at(spot: dict[str, float | str], boxes: np.ndarray) -> int:
    left, top, width, height = boxes.T
    across, down = spot["across"], spot["down"]
    holds = (left <= across) & (across <= left + width) & (top <= down) & (down <= top + height)
    return int(np.argmax(holds)) if holds.any() else -1


def scores(
    spots: pd.DataFrame, n_true: dict[str, int], n_halves: dict[str, int], halves_learned: bool
) -> list[dict[str, object]]:
    """Rows a site: the rules, and a logistic regression of the other sites at some limits."""
    is_half = spots["field"].str.contains("#")
    largest = spots[spots["box"] >= 0].groupby(["site", "field", "box"])["area"].idxmax()
    is_cell = pd.Series(0, index=spots.index)
    is_cell[largest] = 1
    is_unsure = (spots["site"] == "chula") & (is_cell == 0) & spots["is_chosen"]
    rows = []
    for site in SITES:
        own = spots[spots["site"] == site]
        learned = (spots["site"] != site) & ~is_unsure & (halves_learned | ~is_half)
        model = make_pipeline(
            SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=5000)
        )
        groups = pd.DataFrame({"site": spots["site"], "cell": is_cell})[learned]
        weights = 1000 / groups.groupby(["site", "cell"])["cell"].transform("size")
        model.fit(
            spots.loc[learned, FEATURES],
            is_cell[learned],
            logisticregression__sample_weight=weights,
        )
        prob = model.predict_proba(own[FEATURES])[:, 1]
        choices = {"rules": own["is_chosen"].to_numpy(bool)}
        choices |= {f"learned, over {limit}": prob > limit for limit in LIMITS}
        for name, chosen in choices.items():
            whole = own[chosen & ~is_half[own.index]]
            hit = whole[whole["box"] >= 0].groupby("field")["box"].nunique().sum()
            rows.append(
                {
                    "site": site,
                    "learned_from": "fields and halves without a cell"
                    if halves_learned
                    else "fields",
                    "choice": name,
                    "f1_centre": round(2 * hit / (len(whole) + n_true[site]), 4),
                    "halves_without": n_halves[site],
                    "found_in_them": int((chosen & is_half[own.index]).sum()),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for name, value in LOOSE.items():
        setattr(chromatin, name, value)
    gathered = gather(arguments.shared)
    rows = [row for learned in (False, True) for row in scores(*gathered, learned)]
    table = pd.DataFrame(rows)
    write_csv(arguments.out, table)
    print(table.to_string())


if __name__ == "__main__":
    main()
