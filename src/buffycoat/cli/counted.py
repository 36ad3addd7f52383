"""What a differential looks like in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from buffycoat.cli.console import results_console
from buffycoat.cli.tables import new_table
from buffycoat.evaluate.differential import Percent
from buffycoat.evaluate.doubtful_cells import REFUSED, CheckedRow, alike, flag
from buffycoat.exchange.differential_report import one_decimal
from buffycoat.plurals import counted, some_of

FULL_TABLES = 3
"""Groups up to which all classes are shown; of more, one line each."""
SHOWN_REFUSALS = 20
WITHOUT = "\nwithout doubtful"
"""Second line of the heads of columns that leave doubtful cells out."""


def print_differential(
    rows: Sequence[CheckedRow], by: str, thresholds: Mapping[str, float]
) -> None:
    """Figures of each slide, and those that are flagged from a threshold on.

    Args:
        rows: From `check_doubt`; at least one.
        by: Column that was counted by, e.g. "slide_id".
        thresholds: Class or "immature granulocytes" -> percent.
    """
    console = results_console()
    slides = by_slide(rows)
    given = {name: of for name, of in slides.items() if of[0].status != REFUSED}
    refused = [of[0] for name, of in slides.items() if name not in given]
    if len(slides) <= FULL_TABLES:
        for of in given.values():
            console.print(_shown(*slide_table(of, thresholds)))
    for row in refused[:SHOWN_REFUSALS]:
        console.print(f"[yellow]{escape(refusal(row, by))}[/]", highlight=False)
    if len(refused) > SHOWN_REFUSALS:
        console.print(f"[yellow]... and {len(refused) - SHOWN_REFUSALS} more[/]", highlight=False)
    for title, columns, cells in flag_tables(rows, by, thresholds) if given else ():
        console.print(_shown(title, columns, cells))
    for line in _notes([row for of in given.values() for row in of]):
        console.print(line, highlight=False)
    console.print("Not a medical device.")


def by_slide(rows: Sequence[CheckedRow]) -> dict[str, list[CheckedRow]]:
    """Slide -> its rows."""
    slides: dict[str, list[CheckedRow]] = {}
    for row in rows:
        slides.setdefault(row.every.group, []).append(row)
    return slides


def slide_table(
    of: Sequence[CheckedRow], thresholds: Mapping[str, float]
) -> tuple[str, list[str], list[list[str]]]:
    """Every class on one slide: title, heads and rows.

    The figures without doubtful cells are there only where there are some.

    Args:
        of: Rows of the slide.
        thresholds: Class or "immature granulocytes" -> percent from which it is flagged.
    """
    first = of[0]
    title = f"{first.every.group}: {counted(first.every.n_leukocytes, 'leukocyte')}"
    columns = ["percent", *(["adjusted"] if any(row.every.adjusted for row in of) else [])]
    if first.n_doubtful:
        cells = some_of(first.n_doubtful, first.n_cells, "cell", "is", "are", comma="")
        title += f"; {cells} doubtful"
        is_kept_adjusted = any(row.kept and row.kept.adjusted for row in of)
        best = "adjusted" if is_kept_adjusted else "percent"
        columns = ["doubtful", *columns, f"{best}{WITHOUT}"]
    rows = []
    for row in of:
        unit = "" if row.every.is_leukocyte else ", per 100 leukocytes"
        n_kept = row.kept.count if row.kept else 0
        limit = thresholds.get(row.every.name)
        found = _figures(row, limit) | {"doubtful": str(row.every.count - n_kept)}
        figures = (found[column] for column in columns)
        rows.append([row.every.name + unit, str(row.every.count), *figures])
    return title, ["class", "cells", *columns], rows


def flag_tables(
    rows: Sequence[CheckedRow], by: str, thresholds: Mapping[str, float]
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, heads and rows for each class with a threshold: one row a slide, with its flag."""
    asked = {name: [row for row in rows if row.every.name == name] for name in thresholds}
    return [_flag_table(of, by, name, thresholds[name]) for name, of in asked.items() if of]


def _shown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    shown = new_table(escape(title), *columns)
    for row in rows:
        shown.add_row(*map(escape, row))
    return shown


def _figures(row: CheckedRow, limit: float | None) -> dict[str, str]:
    kept = row.kept
    return {
        "percent": _words(row.every.raw, limit),
        "adjusted": _words(row.every.adjusted, limit),
        f"percent{WITHOUT}": _words(kept.raw if kept else None, limit),
        f"adjusted{WITHOUT}": _words(kept.adjusted if kept else None, limit),
    }


def _flag_table(
    asked: Sequence[CheckedRow], by: str, name: str, threshold: float
) -> tuple[str, list[str], list[list[str]]]:
    """One line a slide: the figure of one class, with and without doubtful cells, and its flag."""
    columns = ["leukocytes", "percent"]
    columns += ["adjusted"] if any(row.every.adjusted for row in asked) else []
    if any(row.n_doubtful for row in asked):
        columns = ["doubtful", *columns, "without doubtful"]
    title = f"{name[0].upper()}{name[1:]}, flagged from {threshold:g} % on"
    rows = []
    for row in asked:
        found = _figures(row, threshold)
        found |= {"without doubtful": _words(alike(row)[1], threshold)}
        if row.status == REFUSED:
            found = dict.fromkeys(found, "-")
        found |= {"doubtful": _doubtful(row), "leukocytes": str(row.every.n_leukocytes)}
        figures = (found[column] for column in columns)
        rows.append([row.every.group, *figures, flag(row, threshold)])
    return title, [by, *columns, "flag"], rows


def _words(of: Percent | None, limit: float | None) -> str:
    """A figure with its limits, each on the right side of what is flagged from `limit` on."""
    if of is None:
        return "-"
    value = "-" if of.value != of.value else one_decimal(of.value, limit)
    return f"{value} ({one_decimal(of.low, limit)} - {one_decimal(of.high, limit)})"


def _doubtful(row: CheckedRow) -> str:
    return "unknown" if row.n_doubtful is None else f"{row.n_doubtful} of {row.n_cells}"


def refusal(row: CheckedRow, by: str) -> str:
    """That a slide has no differential, and why."""
    what = by.removesuffix("_id")
    cells = some_of(row.n_doubtful or 0, row.n_cells, "cell", "is", "are", comma="")
    return f"{what} {row.every.group}: {cells} doubtful; no differential"


def _notes(rows: Sequence[CheckedRow]) -> list[str]:
    """What the figures of the slides that have some rest on, in sentences."""
    notes = [
        f"Not adjusted, too few labelled cells: {escape(why)}."
        for why in dict.fromkeys(_why(row) for row in rows)
        if why
    ]
    if any(row.n_doubtful for row in rows):
        notes.append(
            "Figures without doubtful cells are no closer to the truth: rare and degraded cells "
            "are doubtful more often. Where the two differ, look at the doubtful cells."
        )
    if rows:
        notes.append(limits_in_words(is_adjusted=any(row.every.adjusted for row in rows)))
    return notes


def limits_in_words(*, is_adjusted: bool) -> str:
    """What the brackets behind a figure are, in sentences.

    Args:
        is_adjusted: Whether there are figures corrected for misclassification.
    """
    if is_adjusted:
        return (
            "In brackets: 95 % limits. Those of percent come from the number of cells counted "
            "alone; those of adjusted include misclassification too."
        )
    return (
        "In brackets: 95 % limits. They come from the number of cells counted alone, and leave "
        "misclassification out (--calibration includes it)."
    )


def _why(row: CheckedRow) -> str:
    if row.every.why:
        return f"{row.every.name}: {row.every.why}"
    if row.kept and row.kept.why:
        return f"{row.every.name} without doubtful cells: {row.kept.why}"
    return ""
