"""Dice of the stain segmentation against expert masks.

    python benchmarks/segmentation.py FOLDER [--mosaic OUT.png] [--out OUT.json]

FOLDER holds NNN.png with NNN_mask.png (0 background, 1 cytoplasm, 2 nucleus). Every image is
measured as it is, and again by `DRAWS` degradations at severity 2.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from buffycoat import images
from buffycoat.segment.stain import CellMasks, segment
from buffycoat.simulate.degrade import degrade

SIDE_PX = 224
SEVERITY = 2
DRAWS = 4


def dice(found: np.ndarray, true: np.ndarray) -> float:
    """Dice coefficient of two bool masks; 1 when both are empty."""
    total = found.sum() + true.sum()
    return 1.0 if total == 0 else float(2 * (found & true).sum() / total)


def read_pair(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Image (h, w, 3) and mask (h, w), both scaled to `SIDE_PX`."""
    image = images.read(path)
    mask = images.read(path.with_name(path.stem + "_mask.png"))[..., 0]
    size = (SIDE_PX, SIDE_PX)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image, cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)


def overlay(image: np.ndarray, masks: CellMasks) -> np.ndarray:
    """The image with the contours drawn: cell green, nucleus yellow."""
    drawn = image.copy()
    for mask, colour in ((masks.cell, (0, 200, 0)), (masks.nucleus, (255, 230, 0))):
        contours = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )[0]
        cv2.drawContours(drawn, contours, -1, colour, 1)
    return drawn


def degraded(image: np.ndarray, truth: np.ndarray, number: int) -> tuple[float, float]:
    """Mean Dice of nucleus and cell over degradations of one image."""
    found = []
    for draw in range(DRAWS):
        masks = segment(degrade(image, SEVERITY, np.random.default_rng((draw, number))))
        found.append((dice(masks.nucleus, truth == 2), dice(masks.cell, truth > 0)))
    nucleus, cell = np.mean(found, axis=0)
    return float(nucleus), float(cell)


def summary(table: np.ndarray) -> dict[str, dict[str, float]]:
    """Mean Dice and how much of it degradation takes; columns nucleus, cell, and both degraded."""
    means = table.mean(axis=0)
    return {
        name: {
            "mean": float(means[place]),
            "median": float(np.median(table[:, place])),
            f"mean_at_severity_{SEVERITY}": float(means[place + 2]),
            "drop": float(means[place] - means[place + 2]),
        }
        for place, name in enumerate(("nucleus", "cell"))
    }


def main() -> None:
    """Measure a folder and print one row a cell, then the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mosaic", type=Path, help="write the drawn contours here")
    parser.add_argument("--out", type=Path, help="write the summary here, as JSON")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rows, tiles = [], []
    for path in sorted(arguments.folder.glob("*_mask.png")):
        image, truth = read_pair(path.with_name(path.name.replace("_mask", "")))
        start = time.perf_counter()
        masks = segment(image)
        took_ms = 1000 * (time.perf_counter() - start)
        own = dice(masks.nucleus, truth == 2), dice(masks.cell, truth > 0)
        rows.append((*own, *degraded(image, truth, len(rows)), took_ms))
        print(
            f"{path.stem[:-5]}  nucleus {rows[-1][0]:.3f}  cell {rows[-1][1]:.3f}  "
            f"quality {masks.quality:.2f}"
        )
        tiles.append(overlay(image, masks))
    table = np.array(rows)
    for name, column in zip(("nucleus Dice", "cell Dice"), table.T[:2], strict=True):
        low, middle = np.percentile(column, [10, 50])
        print(f"{name}: mean {column.mean():.4f}, median {middle:.4f}, 10th percentile {low:.4f}")
    found = summary(table)
    for name, row in found.items():
        print(f"{name} Dice at severity {SEVERITY}: {row['drop']:.4f} less")
    print(f"median time {np.median(table[:, 4]):.1f} ms at {SIDE_PX} px, {len(table)} cells")
    if arguments.out:
        text = json.dumps({"cells": len(table), "dice": found}, indent=1) + "\n"
        images.write_atomic(arguments.out, text.encode())
    if arguments.mosaic:
        tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 10)
        grid = np.vstack([np.hstack(tiles[i : i + 10]) for i in range(0, len(tiles), 10)])
        cv2.imwrite(str(arguments.mosaic), cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
