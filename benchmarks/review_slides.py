"""Rendered slides with made-up predictions, as `buffycoat review` takes them.

The cells are drawn and so are the probabilities: nothing here says how a model does. It serves the
tests of the review page, its pictures in docs/, and `review_time.py`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from buffycoat.images import write_png
from buffycoat.simulate.render import render_cell
from buffycoat.taxonomy import WBCBENCH

COUNTS = {"SNE": 100, "LY": 55, "MO": 16, "EO": 8, "BNE": 8, "BA": 2, "VLY": 6, "MMY": 3, "MY": 2}
"""Cells of one slide of 200; no blast, so that a blast is a finding."""
MISTAKEN = {
    "SNE": "BNE", "BNE": "SNE", "LY": "VLY", "VLY": "MO", "MO": "VLY", "EO": "SNE", "MMY": "MY",
    "MY": "PMY", "BA": "LY", "BL": "LY", "PMY": "MY", "PC": "VLY", "PLY": "LY",
}  # fmt: skip
"""What a class is taken for where the prediction is wrong."""
BUNDLE = "5eed" * 16
SIDE_PX = 112
LIMIT = 0.5
"""Under it a cell needs a look."""


@dataclass(frozen=True)
class Slides:
    """What was written.

    Attributes:
        predictions: Table of predictions, CSV.
        images: Folder of the pictures.
        truth: Cell id -> class that was drawn.
        wrong: Ids of the cells whose prediction is another class.
    """

    predictions: Path
    images: Path
    truth: Mapping[str, str]
    wrong: tuple[str, ...]


def render_slides(
    folder: Path,
    slides: Mapping[str, Mapping[str, int]],
    n_wrong: int,
    seed: int = 0,
    n_drawn: int | None = None,
) -> Slides:
    """Draw the cells of slides, and write predictions of them.

    Args:
        folder: Where to write.
        slides: Slide id -> class -> number of cells.
        n_wrong: Cells of each slide whose prediction is wrong; all of these are doubtful.
        seed: Equal seeds give equal files.
        n_drawn: Different drawings a class; None draws every cell anew.
    """
    rng = np.random.default_rng(seed)
    images = folder / "images"
    rows, truth, wrong = [], {}, []
    drawn: dict[tuple[str, int], np.ndarray] = {}
    for slide, counts in slides.items():
        codes = [code for code, count in counts.items() for _ in range(count)]
        rng.shuffle(codes)
        mistaken = {*rng.choice(len(codes), n_wrong, replace=False).tolist()}
        for number, code in enumerate(codes):
            name = f"{slide}/{number:04d}.png"
            key = (code, number if n_drawn is None else number % n_drawn)
            if key not in drawn:
                drawn[key] = render_cell(code, rng, SIDE_PX).image
            (images / slide).mkdir(parents=True, exist_ok=True)
            write_png(images / name, drawn[key])
            checksum = hashlib.sha256((images / name).read_bytes()).hexdigest()
            predicted = MISTAKEN[code] if number in mistaken else code
            row = _row(name, slide, predicted, code, rng)
            rows.append(row | {"image_sha256": checksum})
            truth[name] = code
            wrong += [name] if predicted != code else []
    return Slides(_write(folder / "cells.csv", rows), images, truth, tuple(wrong))


def _row(
    name: str, slide: str, predicted: str, code: str, rng: np.random.Generator
) -> dict[str, str]:
    """A row as `buffycoat predict` writes it."""
    is_wrong = predicted != code
    top = rng.uniform(0.36, 0.49) if is_wrong else rng.beta(30, 2) * 0.35 + 0.65
    probs = dict.fromkeys(WBCBENCH.codes, 0.0)
    probs[predicted] = top
    runner_up = code if is_wrong else MISTAKEN[code]
    probs[runner_up] = min((1 - top) * 0.8, top - 0.02)
    rest = [other for other in probs if other not in (predicted, runner_up)]
    for other in rest:
        probs[other] = (1 - top - probs[runner_up]) / len(rest)
    evidence = [
        {
            "stage": "classify", "code": "top_classes", "value": None, "limit": None,
            "text": f"{predicted} {top:.2f}, {runner_up} {probs[runner_up]:.2f}",
        }
    ]  # fmt: skip
    if top < LIMIT:
        evidence.append(
            {
                "stage": "classify", "code": "low_probability", "value": top, "limit": LIMIT,
                "text": f"top probability {top:.2f} < {LIMIT:.2f}",
            }
        )  # fmt: skip
    return {
        "cell_id": name,
        "label": predicted,
        "slide_id": slide,
        "patient_id": f"P-{slide}",
        "probability": f"{top:.6f}",
        **{f"prob_{each}": f"{value:.6f}" for each, value in probs.items()},
        "conformal_set": " ".join([predicted] + ([runner_up] if top < 0.8 else [])),
        "outlier_percentile": f"{rng.uniform(2, 90):.1f}",
        "is_abstained": str(top < LIMIT).lower(),
        "reasons": "low_probability" if top < LIMIT else "",
        "evidence": json.dumps(evidence),
        "bundle_sha256": BUNDLE,
    }


def _write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
