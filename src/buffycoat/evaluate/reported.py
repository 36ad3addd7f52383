"""Counted slides as the reports that are sent of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from buffycoat import __version__
from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.evaluate.differential import IMMATURE, raw_percents
from buffycoat.evaluate.doubtful_cells import REFUSED
from buffycoat.evaluate.flags import class_flag, doubt_flag
from buffycoat.evaluate.grain import common_grain
from buffycoat.evaluate.side_tables import TRUTH_VALUES
from buffycoat.exchange.differential_report import (
    DifferentialReport,
    Item,
    absolute,
    rounded,
)
from buffycoat.exchange.remarks import Flag
from buffycoat.notes import tell
from buffycoat.plurals import counted, some_of
from buffycoat.tables import Rows, known_name, read_rows, to_number
from buffycoat.taxonomy import Taxonomy, clinical_order, loinc_of, resolve

SOFTWARE = f"buffycoat {__version__}"
BUNDLE = "bundle_sha256"
"""Column of predictions, and of a table of counts that were made of them."""
MOST_WBC = 2000
"""10^9/L; what is more was counted in another unit."""


def report_items(
    counts: Mapping[str, int], taxonomy: Taxonomy, wbc: float | Decimal | None = None
) -> tuple[Item, ...]:
    """One item a class in clinical order, also for those of which no cell was counted.

    Args:
        counts: Class code -> cells; a code that is absent counts 0.
        taxonomy: The classes.
        wbc: White cells by the analyser, 10^9/L, corrected for nucleated red cells; None gives no
            absolute counts.

    Raises:
        TaxonomyError: A code is none of the taxonomy's classes.
    """
    unknown = sorted(set(counts) - set(taxonomy.codes))
    if unknown:
        raise taxonomy.unknown(unknown)
    numbers = np.array([counts.get(code, 0) for code in taxonomy.codes])
    n_leukocytes = int(numbers[taxonomy.is_leukocyte].sum())
    figures = raw_percents(numbers, np.eye(len(taxonomy), dtype=bool), taxonomy.is_leukocyte)
    items = []
    for column in clinical_order(taxonomy):
        cell, count, figure = taxonomy.classes[column], int(numbers[column]), figures[column]
        codes = loinc_of(cell)
        items.append(
            Item(
                cell.code,
                cell.name,
                codes and codes.percent,
                count,
                rounded(figure.value),
                rounded(figure.low),
                rounded(figure.high),
                cell.is_leukocyte,
                None if wbc is None else absolute(wbc, count, n_leukocytes),
                codes and codes.absolute,
            )
        )
    return tuple(items)


def read_reports(
    table: Path, slides: Path | None, model: str, taxonomy: str = "auto"
) -> tuple[list[DifferentialReport], list[str]]:
    """Preliminary reports of the slides that `differential --out` counted.

    Args:
        table: What it wrote.
        slides: A table with `slide_id` and, if known, `patient_id` and `wbc` (10^9/L); None knows
            neither.
        model: Name of the model, for the reports.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.

    Returns:
        A report a slide, and the slides that were refused as mostly doubtful.

    Raises:
        ManifestError: Lists every fault: a missing column, a count or `wbc` that is none, a class
            or slide that is there twice, or none of the slides is in `slides`; or the table was
            counted by another taxonomy.
    """
    rows = read_rows(table, ("group", "name", "count", "status"))
    faults: list[str] = []
    counts = _counts(rows, faults)
    known = {} if slides is None else _known(slides, counts, faults)
    if faults:
        raise manifest_error(str(table if slides is None else f"{table} and {slides}"), faults)
    names = {name for of in counts.values() for name in of}
    classes = common_grain(resolve(taxonomy, names), names)
    _check_same_taxonomy(rows, classes)
    checksums = set(rows.column(BUNDLE)) if BUNDLE in rows.header else set()
    checksum = checksums.pop() or None if len(checksums) == 1 else None
    refused = {row["group"] for _, row in rows if row["status"] == REFUSED}
    issued, flags = datetime.now(UTC), _flags(rows)
    found = []
    for slide in (slide for slide in counts if slide not in refused):
        patient, wbc = known.get(slide, (None, None))
        items = report_items(counts[slide], classes, wbc)
        whole = sum(item.count for item in items if item.is_leukocyte)
        every = sum(item.count for item in items)
        state = (1, "preliminary", issued, None, model, checksum, SOFTWARE)
        found.append(
            DifferentialReport(
                slide, patient, *state, items, whole, every, flags=flags.get(slide, ())
            )
        )
    return found, [slide for slide in counts if slide in refused]


def read_counts(path: Path) -> dict[str, dict[str, int]]:
    """Slide -> class -> cells, of a table that `differential --out` wrote.

    Raises:
        ManifestError: Lists every fault: a missing column, a count that is none, a class twice.
    """
    faults: list[str] = []
    counts = _counts(read_rows(path, ("group", "name", "count")), faults)
    if faults:
        raise manifest_error(str(path), faults)
    return counts


def _counts(rows: Rows, faults: list[str]) -> dict[str, dict[str, int]]:
    """Slide -> class -> cells; the immature granulocytes' sum is left out."""
    found: dict[str, dict[str, int]] = {}
    for place, (_, row) in zip(rows.places, rows, strict=True):
        of = found.setdefault(row["group"], {})
        count = to_number(row["count"])
        if row["name"] in of:
            faults.append(f"{place}: {row['name']!r} of slide {row['group']!r} is there twice")
        if not (count >= 0 and count.is_integer()):
            faults.append(f"{place}: count {row['count']!r}, expected a whole number from 0 on")
        elif row["name"] != IMMATURE:
            of[row["name"]] = int(count)
    return found


def _check_same_taxonomy(rows: Rows, classes: Taxonomy) -> None:
    """Refuse a table whose percentages are of other classes than those of the reports would be."""
    known = dict(zip(classes.codes, map(bool, classes.is_leukocyte), strict=True))
    for place, (_, row) in zip(rows.places, rows, strict=True):
        said, name = TRUTH_VALUES.get(row.get("is_leukocyte", "").strip().lower()), row["name"]
        if said is not None and known.get(name, said) != said:
            words = {True: "a leukocyte", False: "no leukocyte"}
            raise ManifestError(
                f"{rows.path} {place}: {name} is {words[said]}, in taxonomy {classes.name!r} it is "
                f"{words[not said]}. Give --taxonomy as `differential` was given it"
            )


def _flags(rows: Rows) -> dict[str, tuple[Flag, ...]]:
    """Slide -> why it should be looked at, by columns that older tables lack."""
    found: dict[str, dict[str, Flag]] = {}
    for _, row in rows:
        of = found.setdefault(row["group"], {})
        name, said = row["name"], row.get("flag", "")
        raw, better = (to_number(row.get(f"{c}_value", "")) for c in ("raw", "adjusted"))
        reached = class_flag(name, said, raw, None if np.isnan(better) else better)
        doubtful, cells = (to_number(row.get(c, "")) for c in ("n_doubtful", "n_cells"))
        is_known = np.isfinite(doubtful) and np.isfinite(cells)
        doubted = doubt_flag(int(doubtful), int(cells)) if is_known else None
        of |= {one.code: one for one in (reached, doubted) if one is not None}
    return {slide: tuple(of.values()) for slide, of in found.items()}


def _known(
    path: Path, slides: Collection[str], faults: list[str]
) -> dict[str, tuple[str | None, Decimal | None]]:
    """Slide -> patient and white cells by the analyser, where they are known."""
    rows = read_rows(path, ("slide_id",))
    found: dict[str, tuple[str | None, Decimal | None]] = {}
    for place, (_, row) in zip(rows.places, rows, strict=True):
        slide, text = row["slide_id"], row.get("wbc", "")
        wbc = to_number(text) if known_name(text) else None
        if slide in found:
            faults.append(f"{place}: slide {slide!r} is there twice")
        if wbc is not None and not 0 < wbc < MOST_WBC:
            faults.append(f"{place}: wbc {text!r}, expected 10^9/L, above 0, below {MOST_WBC}")
        exact = None if wbc is None else Decimal(str(wbc))
        found[slide] = known_name(row.get("patient_id", "")), exact
    missing = [slide for slide in slides if slide not in found]
    if len(missing) == len(slides):
        faults.append(f"none of the slides is in {path}: {missing[:1]} is not like {[*found][:1]}")
    elif missing:
        told = some_of(len(missing), len(slides), "slide", "is", "are")
        told += f" not in it, first {missing[0]!r}"
        tell(path, f"{told}: sent without patient and absolute counts")
    unknown = [slide for slide in found if slide not in slides]
    if unknown and len(missing) < len(slides):
        tell(path, f"not counted: {counted(len(unknown), 'slide')}, first {unknown[0]!r}")
    return found
