"""Procedural smear cells with known masks, for the demo and for tests.

They look like Romanowsky-stained blood, and the classes differ as real ones do, but they are
drawings: no figure measured on them says how a model does on patients.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from buffycoat.errors import ConfigError, OutputError
from buffycoat.optional import choose
from buffycoat.simulate import paint
from buffycoat.simulate.degrade import degrade, draw_severity
from buffycoat.simulate.recipes import RECIPES, Recipe
from buffycoat.simulate.shapes import Canvas, Disk, cell_mask, draw, draw_count, nucleus_mask
from buffycoat.tables import csv_text

FIELD_UM = 30.0
"""Width of the rendered field: a red cell takes about a quarter of it."""
SUPERSAMPLING = 2
MIN_SIZE_PX = 32
RED_CELL_RADIUS_UM = (3.2, 4.0)
SENSOR_SIGMA = 1.2
"""Gray levels of the noise of a clean photograph."""

LONG_TAIL_COUNTS = {
    "SNE": 150, "LY": 130, "MO": 90, "BL": 75, "EO": 55, "MY": 42, "BA": 36, "BNE": 36,
    "VLY": 30, "MMY": 26, "PMY": 16, "PC": 8, "PLY": 8,
}  # fmt: skip
"""Training cells of the demo: WBCBench's classes and the order of its tail, 702 cells, 19:1."""
PRISTINE_SHARE = 0.15
"""Share of the training cells that lie in phase1."""
SEVERITY_SHARES = {
    "train": (0.50, 0.20, 0.15, 0.10, 0.05),
    "eval": (0.34, 0.17, 0.17, 0.16, 0.16),
    "test": (0.20, 0.12, 0.18, 0.25, 0.25),
}
"""Share of severity 0-4 in phase2: harder from train to test, as in WBCBench; the numbers are
ours."""
FIRST_ID = 80_000_000
JPEG_QUALITY = 95


@dataclass(frozen=True)
class RenderedCell:
    """A cell, and where it is.

    Attributes:
        image: Shape (size_px, size_px, 3), uint8 RGB.
        cell_mask: Shape (size_px, size_px), bool: the whole cell.
        nucleus_mask: Same shape; part of `cell_mask`.
        code: Class code.
    """

    image: np.ndarray
    cell_mask: np.ndarray
    nucleus_mask: np.ndarray
    code: str


def render_cell(code: str, rng: np.random.Generator, size_px: int = 160) -> RenderedCell:
    """Draw one cell with red cells around it.

    Args:
        code: A key of `recipes.RECIPES`.
        rng: The only source of randomness.
        size_px: Side of the image.

    Returns:
        The image and its masks.

    Raises:
        ConfigError: Unknown code, or a size under `MIN_SIZE_PX`.
    """
    recipe = choose(RECIPES, code, "cell class")
    if size_px < MIN_SIZE_PX:
        raise ConfigError(f"size_px must be at least {MIN_SIZE_PX}, got {size_px}")
    side = size_px * SUPERSAMPLING
    canvas = Canvas(side, side / FIELD_UM)
    centre = FIELD_UM / 2 + rng.normal(0.0, 0.5, 2)
    body = Disk(centre[0], centre[1], draw(recipe.diameter_um, rng) / 2)
    pressing = _pressing(recipe, body, rng)
    whole = cell_mask(recipe, body, pressing, canvas, rng)
    nucleus = nucleus_mask(recipe.nucleus, body, whole, canvas, rng)
    stain = paint.Stain.random(rng)
    colour = paint.field(_scatter(body, pressing, rng), canvas, stain, rng)
    window = _window(whole)
    masks = (whole[window], nucleus[window])
    paint.cell(colour[window], masks, recipe, canvas, stain, rng)
    return RenderedCell(_photograph(colour, size_px, rng), *_shrink(whole, nucleus, size_px), code)


def _pressing(recipe: Recipe, body: Disk, rng: np.random.Generator) -> list[Disk]:
    """Red cells that dent the cell, spread around it."""
    count = draw_count(recipe.moulding, rng)
    start = rng.uniform(0, 2 * np.pi)
    disks = []
    for index in range(count):
        angle = start + 2 * np.pi * (index + rng.uniform(-0.25, 0.25)) / max(count, 1)
        radius = draw(RED_CELL_RADIUS_UM, rng)
        reach = body.radius_um + radius * rng.uniform(0.55, 0.8)
        x, y = body.x_um + reach * np.cos(angle), body.y_um + reach * np.sin(angle)
        disks.append(Disk(x, y, radius))
    return disks


def _scatter(body: Disk, placed: list[Disk], rng: np.random.Generator) -> list[Disk]:
    """Red cells over the field, off the cell, seldom on top of each other."""
    disks = list(placed)
    wanted = int(rng.integers(5, 15))
    apart = rng.uniform(0.7, 0.98)
    spots = rng.uniform(-2.0, FIELD_UM + 2.0, (4 * wanted, 2))
    radii = rng.uniform(*RED_CELL_RADIUS_UM, 4 * wanted)
    for (x, y), radius in zip(spots, radii, strict=True):
        if np.hypot(x - body.x_um, y - body.y_um) < body.radius_um * 1.03 + 0.95 * radius:
            continue
        if all(np.hypot(x - d.x_um, y - d.y_um) > apart * (radius + d.radius_um) for d in disks):
            disks.append(Disk(x, y, radius))
        if len(disks) >= wanted:
            break
    return disks


def _window(mask: np.ndarray, margin: int = 6) -> tuple[slice, slice]:
    left, top, width, height = cv2.boundingRect(mask)
    return (
        slice(max(top - margin, 0), top + height + margin),
        slice(max(left - margin, 0), left + width + margin),
    )


def _photograph(colour: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    image = cv2.resize(colour, (size_px, size_px), interpolation=cv2.INTER_AREA)
    image += np.float32(SENSOR_SIGMA) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _shrink(whole: np.ndarray, nucleus: np.ndarray, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    small = [
        cv2.resize(mask, (size_px, size_px), interpolation=cv2.INTER_AREA) > 127
        for mask in (whole, nucleus)
    ]
    return small[0], small[1] & small[0]


@dataclass(frozen=True)
class RenderedRow:
    """One cell of a rendered benchmark: the whole truth, withheld test labels included.

    Attributes:
        cell_id: File name, e.g. "80000017.jpg".
        code: Class code.
        part: "phase1_train", "phase2_train", "phase2_eval" or "phase2_test".
        severity: 0-4.
    """

    cell_id: str
    code: str
    part: str
    severity: int


def render_benchmark(
    folder: Path,
    train_counts: Mapping[str, int],
    eval_per_class: int,
    test_per_class: int,
    seed: int,
    size_px: int = 160,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[RenderedRow]:
    """Write a long-tailed, degraded benchmark in WBCBench's Kaggle layout.

    Ids are shuffled over all parts, so neither an id nor a row's place tells the class. The
    folder appears only when it is complete.

    Args:
        folder: Where to write; must not exist, or be empty.
        train_counts: Training cells of each class, phase1 and phase2 together.
        eval_per_class: Evaluation cells of each class in `train_counts`.
        test_per_class: Test cells of each class; their labels are not written.
        seed: Equal seeds give equal files.
        size_px: Side of the images.
        on_progress: Called with (cells done, cells in all).

    Returns:
        A row a cell, in the order of the ids: the answer key.

    Raises:
        ConfigError: An unknown class, a negative count, or no cell at all.
        OutputError: The folder is not empty or cannot be written.
    """
    rows = _plan(train_counts, eval_per_class, test_per_class, np.random.default_rng(seed))
    partial = folder.with_name(folder.name + ".partial")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise OutputError(f"{folder}: not empty. Remove it, or name another folder")
        shutil.rmtree(partial, ignore_errors=True)
        for part in ("phase1", "phase2/train", "phase2/eval", "phase2/test"):
            (partial / part).mkdir(parents=True)
        for done, row in enumerate(rows, start=1):
            rng = np.random.default_rng([seed, int(row.cell_id[:-4])])
            _write_cell(partial, row, size_px, rng)
            if on_progress is not None:
                on_progress(done, len(rows))
        for name, header, lines in _tables(rows):
            (partial / name).write_bytes(csv_text(header, lines).encode())
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{folder}: cannot write the rendered benchmark ({error})") from error
    return rows


def _plan(
    train_counts: Mapping[str, int],
    eval_per_class: int,
    test_per_class: int,
    rng: np.random.Generator,
) -> list[RenderedRow]:
    cells: list[tuple[str, str]] = []
    for code, count in train_counts.items():
        choose(RECIPES, code, "cell class")
        if min(count, eval_per_class, test_per_class) < 0:
            raise ConfigError(f"{code}: the number of cells must not be negative")
        pristine = round(PRISTINE_SHARE * count)
        cells += [(code, "phase1_train")] * pristine
        cells += [(code, "phase2_train")] * (count - pristine)
        cells += [(code, "phase2_eval")] * eval_per_class
        cells += [(code, "phase2_test")] * test_per_class
    if not cells:
        raise ConfigError("no cell to render: every count is 0")
    ids = FIRST_ID + 1 + np.flatnonzero(rng.permutation(4 * len(cells)) < len(cells))
    rows = []
    for number, place in zip(ids, rng.permutation(len(cells)), strict=True):
        code, part = cells[place]
        shares = SEVERITY_SHARES[part.split("_")[1]]
        severity = 0 if part == "phase1_train" else draw_severity(rng, shares)
        rows.append(RenderedRow(f"{number}.jpg", code, part, severity))
    return rows


def _write_cell(folder: Path, row: RenderedRow, size_px: int, rng: np.random.Generator) -> None:
    image = degrade(render_cell(row.code, rng, size_px).image, row.severity, rng)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    place = "phase1" if row.part == "phase1_train" else row.part.replace("_", "/")
    (folder / place / row.cell_id).write_bytes(data.tobytes())


def _tables(rows: list[RenderedRow]) -> Iterator[tuple[str, list[str], list[list[object]]]]:
    """File name, header and lines of each table of the Kaggle layout."""

    def of(part: str) -> list[RenderedRow]:
        return [row for row in rows if row.part == part]

    yield (
        "phase1_label.csv",
        ["ID", "labels", "split", "", "", ""],
        [[row.cell_id, row.code, row.part, "", "", ""] for row in of("phase1_train")],
    )
    for part in ("phase2_train", "phase2_eval"):
        lines: list[list[object]] = [[row.cell_id, row.code, part] for row in of(part)]
        yield f"{part}.csv", ["ID", "labels", "split"], lines
    severities: list[list[object]] = [[row.cell_id, row.severity] for row in of("phase2_eval")]
    yield "phase2_eval_severity.csv", ["ID", "severity"], severities
    yield "phase2_test.csv", ["ID", "labels"], [[row.cell_id, ""] for row in of("phase2_test")]
