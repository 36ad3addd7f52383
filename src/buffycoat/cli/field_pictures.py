"""The pictures of a differential of fields: every field outlined, and the cells of each class."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from buffycoat import images
from buffycoat.cells import DOUBTS
from buffycoat.cli.counted import by_slide, flag_tables, limits_in_words, refusal, slide_table
from buffycoat.errors import ImageError
from buffycoat.evaluate.doubtful_cells import REFUSED
from buffycoat.exchange.geojson import colour_of
from buffycoat.fields.crops import part_in_field
from buffycoat.fields.folder import Outcome, Place
from buffycoat.fields.overlay import MarkedCell, draw_classes, hatch_outside
from buffycoat.fields.rows import box_of
from buffycoat.images import write_atomic
from buffycoat.plurals import counted
from buffycoat.progress import Reporter
from buffycoat.report import field_page
from buffycoat.report.differential_plot import bars_of, differential_bars
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE

if TYPE_CHECKING:
    from buffycoat.evaluate.counting import Counting, Differential
    from buffycoat.fields.nuclei import Box
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.taxonomy import Taxonomy

OVERLAYS, PAGE = "overlays", "differential.html"
MOST_TABLES = 30
"""Slides with a table on the page; the CSV file has all."""
SHOWN = (
    "label", "probability", "conformal_set", "is_abstained", "reasons", "field", "field_faults",
)  # fmt: skip
"""Columns of predictions that the pictures show."""
JPEG_QUALITY = 90
MIDDLE = 0.66
"""Of a crop's side, on the contact sheet; a typical cell is 0.38 of it wide."""
GRAY = (110, 110, 110)
"""Of smudges."""
Row = Mapping[str, Any]
CUT = "cut by the right or lower border"


@dataclass(frozen=True)
class Results:
    """What was found, and the folder of results.

    Attributes:
        name: Of the folder of fields.
        places: The fields.
        outcome: Of `find`.
        out: Folder of results, with `cells` and `predictions.parquet` in it.
    """

    name: str
    places: Sequence[Place]
    outcome: Outcome
    out: Path

    def predictions(self) -> dict[str, Row]:
        """What is shown of each classified cell, by its id."""
        table = pd.read_parquet(self.out / "predictions.parquet", columns=["cell_id", *SHOWN])
        return {str(row["cell_id"]): row for row in table.to_dict("records")}

    def overlay(self, field: str) -> Path:
        """Picture of a field, from the folder of results."""
        return Path(OVERLAYS) / f"{field}.jpg"


def draw_overlays(
    results: Results, found: Differential, taxonomy: Taxonomy, reporter: Reporter
) -> None:
    """Draw every field with the outline and class of each cell.

    A dashed outline and "?" mark cells that a person should look at, brackets those that do not
    count.

    Args:
        results: What was found.
        found: Which cells count.
        taxonomy: Gives each class its colour.
        reporter: Progress.
    """
    called = results.predictions()
    of_field: dict[str, list[Row]] = {}
    for row in results.outcome.cells:
        of_field.setdefault(row["field"], []).append(row)
    faults = {row["field"]: row["faults"] for row in results.outcome.fields}
    places = [place for place in results.places if place.name in faults]
    reporter.start("draw", counted(len(places), "field"))
    for done, place in enumerate(places, start=1):
        rows = of_field.get(place.name, ())
        footer = f"{place.name}: {counted(len(rows), 'cell')}. ? look, ( ) not counted"
        footer += f". Field left out: {faults[place.name]}" if faults[place.name] else ""
        try:
            pixels, factor = place.picture()
        except ImageError:  # it was read a minute ago, and `find` lists those that cannot be
            continue
        cells = [_marked(row, called, found.counted, taxonomy, factor) for row in rows]
        picture = draw_classes(pixels, cells, footer)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
        write_atomic(results.out / results.overlay(place.name), buffer.getvalue())
        reporter.advance(done, len(places))
    reporter.finish()


def write_page(
    results: Results,
    found: Differential,
    pipeline: Pipeline,
    asked: Counting,
    warnings: Sequence[str],
) -> None:
    """Write the page with figures, fields left out and the contact sheet.

    Args:
        results: What was found.
        found: Figures.
        pipeline: That classified the cells.
        asked: How they were counted.
        warnings: What differs from the training cells, and what to do.
    """
    by = found.by
    called = results.predictions()
    slides = by_slide(found.rows).values()
    given = [of for of in slides if of[0].status != REFUSED]
    refused = [refusal(of[0], by) for of in slides if of[0].status == REFUSED]
    flags = flag_tables(found.rows, by, asked.thresholds) if given else []
    tables = [field_page.Figures(*table) for table in flags]
    for place, of in enumerate(given[:MOST_TABLES]):
        title, columns, rows = slide_table(of, asked.thresholds)
        bars = differential_bars(f"slide-{place}", title, bars_of(of, asked.thresholds))
        tables.append(field_page.Figures(title, columns, rows, bars))
    page = field_page.FieldPage(
        title=results.name,
        bundle=f"Bundle {pipeline.bundle_sha256[:12]}",
        notice=pipeline.notice or NOT_A_MEDICAL_DEVICE,
        warnings=warnings,
        summary=_summary(results, found, called, by),
        figures=tables,
        refused=refused[:MOST_TABLES],
        n_more=max(len(given) - MOST_TABLES, 0) + max(len(refused) - MOST_TABLES, 0),
        left_out=_left_out(results),
        classes=_sheets(called, results, found, pipeline.taxonomy),
    )
    field_page.write_field_page(results.out / PAGE, page)


def _marked(
    row: Row,
    called: Mapping[str, Row],
    counted: frozenset[str],
    taxonomy: Taxonomy,
    factor: float,
) -> MarkedCell:
    """A cell of the table of `find` as it is drawn."""
    points = [point.split(",") for point in row["outline"].split()]
    outline = np.array(points, dtype=float) * factor
    if row["kind"] != "cell":
        return MarkedCell(outline, row["kind"], GRAY, is_doubtful=False)
    found = called.get(row["cell_id"])
    if found is None:
        return MarkedCell(outline, "unreadable", GRAY, is_doubtful=True)
    label, is_doubtful = str(found["label"]), bool(found["is_abstained"])
    text = f"{label}?" if is_doubtful else label
    text = text if row["cell_id"] in counted else f"({text})"
    return MarkedCell(outline, text, _colour(label, taxonomy), is_doubtful)


def _colour(label: str, taxonomy: Taxonomy) -> tuple[int, int, int]:
    red, green, blue = colour_of(label, taxonomy.codes)
    return red, green, blue


def _sheets(
    called: Mapping[str, Row],
    results: Results,
    found: Differential,
    taxonomy: Taxonomy,
) -> list[field_page.SheetClass]:
    """The cells of each class, doubtful ones first, each kind by falling doubt."""
    sheets = []
    sizes = {row["field"]: (row["width"], row["height"]) for row in results.outcome.fields}
    places = {
        row["cell_id"]: part_in_field(box_of(row), row["crop_px"], sizes[row["field"]])
        for row in results.outcome.cells
    }
    for kind in taxonomy.classes:
        cells = [(name, row) for name, row in called.items() if row["label"] == kind.code]
        cells.sort(key=lambda cell: (not cell[1]["is_abstained"], cell[1]["probability"]))
        shown = [
            _cell(name, row, places[name], results, found)
            for name, row in cells[: field_page.MOST_SHOWN]
        ]
        n_doubtful = sum(bool(row["is_abstained"]) for _, row in cells)
        colour = _colour(kind.code, taxonomy)
        if cells:
            sheets.append(
                field_page.SheetClass(kind.code, kind.name, colour, len(cells), n_doubtful, shown)
            )
    return sheets


def _cell(
    cell_id: str, row: Row, seen: Box, results: Results, found: Differential
) -> field_page.SheetCell:
    """A cell of the page.

    Args:
        cell_id: Of the cell.
        row: What is shown of it.
        seen: The part of its crop that is in the field.
        results: What was found.
        found: Which cells count.
    """
    others = [code for code in row["conformal_set"].split() if code != row["label"]]
    said = f"{row['probability']:.2f}" + (f", or {' '.join(others)}" if others else "")
    reasons = ", ".join(DOUBTS[code] for code in row["reasons"].split())
    faults = row["field_faults"]
    why = "" if cell_id in found.counted else (f"field {faults}" if faults else CUT)
    image = _centre(hatch_outside(images.read(results.out / "cells" / cell_id), seen))
    link = results.overlay(row["field"]).as_posix()
    field, slide = row["field"], found.group_of[cell_id]
    where = field if field.startswith(slide) else f"{slide}, {field}"
    return field_page.SheetCell(cell_id, image, where, said, reasons, why, link)


def _centre(crop: np.ndarray) -> np.ndarray:
    """The middle of a crop (h, w, 3), where the cell is."""
    height, width = crop.shape[:2]
    top, left = (round(side * (1 - MIDDLE) / 2) for side in (height, width))
    return np.ascontiguousarray(crop[top : height - top, left : width - left])


def _left_out(results: Results) -> list[field_page.LeftOut]:
    """Fields with a fault, then those that cannot be used."""
    faulty = [
        field_page.LeftOut(row["field"], row["faults"], results.overlay(row["field"]).as_posix())
        for row in results.outcome.fields
        if row["faults"]
    ]
    return faulty + [field_page.LeftOut(name, why, "") for name, _, why in results.outcome.bad]


def _summary(
    results: Results, found: Differential, called: Mapping[str, Row], by: str
) -> list[str]:
    """Fields, cells, and what is left to be looked at, in sentences."""
    outcome = results.outcome
    smudges = sum(row["kind"] == "smudge" for row in outcome.cells)
    n_faulty = sum(bool(row["faults"]) for row in outcome.fields)
    n_doubtful = sum(bool(called[cell_id]["is_abstained"]) for cell_id in found.counted)
    slides = len({*found.group_of.values()})
    lines = [
        f"{counted(len(called), 'white cell')} in {counted(len(outcome.fields), 'field')}, counted "
        f"by {by} ({slides} in all).",
        f"{n_doubtful} of {counted(len(found.counted), 'counted cell')} left to be looked at by a "
        "person (dashed frames below).",
        *found.notes,
    ]
    if smudges:
        lines.append(f"{counted(smudges, 'smudge')}: broken cells, neither classified nor counted.")
    if n_faulty:
        lines.append(f"{counted(n_faulty, 'field')} with a fault, listed below.")
    if outcome.bad:
        lines.append(f"{counted(len(outcome.bad), 'field')} that cannot be used, listed below.")
    is_adjusted = any(row.every.adjusted for row in found.rows)
    return [*lines, limits_in_words(is_adjusted=is_adjusted)]
