"""How well `buffycoat find` finds the white cells of ../shared/fields and ../shared/seg-wbc.

    python -m benchmarks.finding chula bccd aslan pig seg-wbc --out benchmarks/results/fields

writes a row a site, matching and size into `finding.csv`. `--misses FOLDER` draws what is missed or
wrong there; keep that folder outside the repository. True boxes under `LEAST_PX` are slips of the
mouse (`chula` has one of 3 px) and are left out. True boxes of `seg-wbc` are those of its expert
masks, of which no constant was chosen. Timings are of one thread, reading included.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from buffycoat import images
from buffycoat.evaluate import finding
from buffycoat.fields import red_cells
from buffycoat.fields.field import Field, read_field
from buffycoat.fields.find import FoundCells, find, measure_scale
from buffycoat.tables import write_csv

SITES = ("chula", "bccd", "aslan", "pig", "seg-wbc")
MATCHINGS = {"IoU 0.5": finding.LEAST_IOU, "centre": 0.0}
LEAST_PX = 6
SMALL, LARGE = 0.8, 1.25
"""Sides of a box over the site's median, under and over which a cell is small or large."""
TILE_PX, COLUMNS = 220, 8
MOST_TILES = 64


@dataclass(frozen=True)
class Searched:
    """A field, its true boxes and what was found.

    Attributes:
        view: The field.
        true: Left, top, width, height; shape (m, 4).
        found: The same, shape (n, 4).
        faults: Of the field's quality.
    """

    view: Field
    true: np.ndarray
    found: np.ndarray
    faults: tuple[str, ...]


def true_boxes(path: Path) -> dict[str, np.ndarray]:
    """White cells of a COCO file: name of the field -> boxes (m, 4)."""
    coco = json.loads(path.read_text())
    red = {kind["id"] for kind in coco["categories"] if kind["name"] == "RBC"}
    boxes: dict[int, list[list[float]]] = {image["id"]: [] for image in coco["images"]}
    for one in coco["annotations"]:
        if one["category_id"] not in red and min(one["bbox"][2:]) >= LEAST_PX:
            boxes[one["image_id"]].append(one["bbox"])
    return {
        image["file_name"]: np.array(boxes[image["id"]], dtype=float).reshape(-1, 4)
        for image in coco["images"]
    }


def boxes_of_masks(folder: Path) -> dict[str, np.ndarray]:
    """White cells of pictures with masks: name of the picture -> boxes (m, 4)."""
    found = {}
    for path in sorted(folder.glob("*_mask.png")):
        mask = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) > 0).astype(np.uint8)
        stats = cv2.connectedComponentsWithStats(mask)[2][1:, :4]
        whole = stats[stats[:, 2:].min(axis=1) >= LEAST_PX]
        found[path.name.replace("_mask", "")] = whole.astype(float)
    return found


def search(shared: Path, site: str, most: int | None = None) -> tuple[list[Searched], float]:
    """Find the cells of a site as the command does; and seconds a field."""
    if site == "seg-wbc":
        folder, truth = shared / site, boxes_of_masks(shared / site)
    else:
        folder = shared / "fields" / site
        truth = true_boxes(shared / "fields" / f"{site}.json")
    names = sorted(truth)[:most]
    began = time.process_time()
    views = [read_field(folder / name, name) for name in names]
    red = [measure_scale(view) for view in views]
    done = []
    for view, diameter in zip(views, red_cells.agree(red), strict=True):
        cells = find(view, diameter) if diameter else None
        done.append(Searched(view, truth[view.name], _boxes(cells), _faults(cells)))
    return done, (time.process_time() - began) / len(names)


def hematoxylin(image: np.ndarray) -> np.ndarray:
    """Stain by colour deconvolution, shape (h, w)."""
    from skimage.color import rgb2hed

    return rgb2hed(image)[..., 0]


def search_by_skimage(
    fields: Sequence[Searched], stain_of: Callable[[np.ndarray], np.ndarray] = hematoxylin
) -> tuple[list[Searched], float]:
    """The same fields by scikit-image's own pipeline; and seconds a field, reading left out.

    A stain, Otsu's threshold, watershed of the distances, regions; as its gallery does it. It is
    told the size of the cells: regions under a fifth of the site's median box are left out.

    Args:
        fields: Of one site.
        stain_of: What is high where a cell is stained.
    """
    from scipy import ndimage
    from skimage import feature, filters, measure, segmentation

    typical = float(np.median(np.concatenate([np.prod(f.true[:, 2:], axis=1) for f in fields])))
    apart = max(round(0.35 * np.sqrt(typical)), 1)
    done, began = [], time.process_time()
    for one in fields:
        stain = filters.gaussian(stain_of(one.view.pixels), 2)
        mask = stain > filters.threshold_otsu(stain)
        distance = ndimage.distance_transform_edt(mask)
        peaks = feature.peak_local_max(distance, min_distance=apart, labels=measure.label(mask))
        markers = np.zeros(mask.shape, dtype=int)
        markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        labels = segmentation.watershed(-distance, markers, mask=mask)
        regions = [r for r in measure.regionprops(labels) if r.area >= typical / 5]
        boxes = [
            (r.bbox[1], r.bbox[0], r.bbox[3] - r.bbox[1], r.bbox[2] - r.bbox[0]) for r in regions
        ]
        done.append(Searched(one.view, one.true, np.array(boxes, dtype=float).reshape(-1, 4), ()))
    return done, (time.process_time() - began) / len(fields)


def _boxes(cells: FoundCells | None) -> np.ndarray:
    whole = [] if cells is None else [cell.box for cell in cells.cells if cell.kind == "cell"]
    return np.array(whole, dtype=float).reshape(-1, 4)


def _faults(cells: FoundCells | None) -> tuple[str, ...]:
    return ("no scale",) if cells is None else cells.quality.faults


def rows_of(site: str, fields: Sequence[Searched], seconds: float) -> list[dict[str, object]]:
    """The table's rows of a site."""
    rows = []
    for matching, least_iou in MATCHINGS.items():
        matches = [finding.match(one.found, one.true, least_iou) for one in fields]
        scores = finding.score(matches)
        row: dict[str, object] = {
            "site": site, "matching": matching, "fields": scores.n_fields,
            "true": scores.n_true, "found": scores.n_found,
        }  # fmt: skip
        for name in ("precision", "recall", "f1"):
            value, low, high = getattr(scores, name)
            row |= {
                name: f"{value:.4f}",
                f"{name}_low": f"{low:.4f}",
                f"{name}_high": f"{high:.4f}",
            }
        row |= {
            f"recall_{size}": f"{r:.4f}" for size, r in _recall_by_size(fields, matches).items()
        }
        row |= {
            "count_error": f"{scores.count_error:.4f}", "count_bias": f"{scores.count_bias:.4f}",
            "duplicates": scores.duplicates, "faulty_fields": sum(bool(f.faults) for f in fields),
            "seconds_a_field": f"{seconds:.3f}",
        }  # fmt: skip
        rows.append(row)
    return rows


def _recall_by_size(
    fields: Sequence[Searched], matches: Sequence[finding.Matches]
) -> dict[str, float]:
    sizes = [np.sqrt(np.prod(one.true[:, 2:], axis=1)) for one in fields]
    typical = np.median(np.concatenate(sizes))
    hits = [np.isin(np.arange(m.n_true), m.true_of) for m in matches]
    size, is_hit = np.concatenate(sizes) / typical, np.concatenate(hits)
    groups = {"small": size < SMALL, "middle": (size >= SMALL) & (size <= LARGE)}
    groups["large"] = size > LARGE
    return {
        name: float(is_hit[own].mean()) if own.any() else np.nan for name, own in groups.items()
    }


def draw_misses(fields: Sequence[Searched], path: Path) -> None:
    """Missed cells (green boxes) and wrong boxes (red), each in the middle of a tile."""
    tiles = []
    for one in fields:
        matched = finding.match(one.found, one.true)
        missed = one.true[~np.isin(np.arange(len(one.true)), matched.true_of)]
        for box in (*missed, *one.found[matched.true_of < 0]):
            tiles.append(_tile(one, box))
    tiles = tiles[:MOST_TILES]
    if not tiles:
        return
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
    images.write_png(path, np.vstack(rows))


def _tile(one: Searched, box: np.ndarray) -> np.ndarray:
    picture = one.view.pixels.copy()
    width = max(1, round(max(box[2:]) / 40))
    for boxes, colour in ((one.true, (0, 200, 0)), (one.found, (220, 0, 0))):
        for left, top, across, down in boxes.round().astype(int):
            cv2.rectangle(picture, (left, top), (left + across, top + down), colour, width)
    side = round(2.2 * max(box[2:]))
    centre = (box[0] + box[2] / 2, box[1] + box[3] / 2)
    crop = Field(one.view.name, picture).square(centre, side)
    tile = cv2.resize(crop, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
    cv2.putText(tile, one.view.name[:8], (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 0), 1)
    return tile


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="Finding white cells in fields of view.")
    parser.add_argument("sites", nargs="+", choices=SITES)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--fields", type=int, help="so many of each site, the first by name")
    parser.add_argument("--rival", action="store_true", help="by scikit-image's pipeline instead")
    parser.add_argument("--misses", type=Path, help="folder for pictures, not in the repository")
    parser.add_argument("--out", type=Path, help="folder of finding.csv; by default it is printed")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows: list[dict[str, object]] = []
    for site in options.sites:
        fields, seconds = search(options.shared, site, options.fields)
        if options.rival:
            fields, seconds = search_by_skimage(fields)
        rows += rows_of(site, fields, seconds)
        for row in rows[-len(MATCHINGS) :]:
            print(row, flush=True)
        if options.misses:
            draw_misses(fields, options.misses / f"{site}.png")
    if options.out:
        write_csv(options.out / "finding.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    main()
