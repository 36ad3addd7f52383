"""A differential as a page for people: A4, one page for up to 30 classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffycoat.exchange.differential_report import (
    NOTICE,
    RATIO_UNIT,
    DifferentialReport,
    Item,
    in_utc,
    limits_text,
    shown,
    total_text,
)
from buffycoat.optional import require
from buffycoat.plurals import counted

if TYPE_CHECKING:
    from fpdf import FPDF

FONT = "Open Sans"
"""Latin, Greek, Cyrillic and Hebrew; under the Open Font License, embedded as a subset."""
TITLES = {
    "preliminary": "Preliminary leukocyte differential",
    "final": "Leukocyte differential",
    "amended": "Amended leukocyte differential",
}
HEAD = ("class", "cells", "percent", "95 % limits", "10^9/L", "LOINC")
WIDTHS = (40, 14, 28, 52, 18, 20)
MARGIN_MM = 18


def to_pdf(report: DifferentialReport) -> bytes:
    """The report as PDF; the file's metadata name neither patient nor slide.

    A character that the font lacks is written by its number, as `<U+4E2D>`.

    Raises:
        MissingExtraError: Extra `exchange` is not installed.
    """
    page = _page(report)
    _lines(page, report)
    _remarks(page, report)
    _table(page, report)
    page.ln(4)
    if report.comment:
        _text(page, f"Comment: {report.comment}")
    _text(page, "Limits are those of counting so many cells.")
    _text(page, NOTICE)
    return bytes(page.output())


def _page(report: DifferentialReport) -> FPDF:
    page = require("fpdf", "exchange").FPDF(format="A4")
    path = require("fontpkg", "exchange").path(FONT)
    page.add_font(FONT, "", path)
    page.add_font(FONT, "B", path, variations={"wght": 700})
    page.set_title("Leukocyte differential")
    page.set_creator(report.software)
    page.set_creation_date(in_utc(report.issued))
    page.set_lang("en")
    page.set_margins(MARGIN_MM, MARGIN_MM)
    page.add_page()
    return page


def _lines(page: FPDF, report: DifferentialReport) -> None:
    """What the figures are of, above them."""
    page.set_font(FONT, "B", 16)
    _text(page, TITLES[report.status], height=10)
    page.set_font(FONT, "", 9)
    issued = f"{in_utc(report.issued):%Y-%m-%d %H:%M} UTC"
    signed = "not signed" if report.signer is None else f"signed by {report.signer}, {issued}"
    _text(page, f"Slide {report.slide}" + (f"; patient {report.patient}" if report.patient else ""))
    _text(page, f"Version {report.version}, {signed}" + ("" if report.signer else f"; {issued}"))
    every = counted(report.n_counted, "cell", comma="")
    _text(page, f"{report.method}; {total_text(report.items)}, {every} in all")
    _text(page, f"Model {report.model}, SHA-256 {report.model_checksum or 'unknown'}")
    _text(page, report.software)
    page.ln(2)


def _remarks(page: FPDF, report: DifferentialReport) -> None:
    """What must be known before the figures are used: flags, too few cells, who read and signed."""
    if report.remarks:
        page.set_font(FONT, "B", 9)
        _text(page, "Remarks")
        page.set_font(FONT, "", 9)
        for text in report.remarks:
            _text(page, text)
    page.ln(2)


def _table(page: FPDF, report: DifferentialReport) -> None:
    align = ("LEFT", "RIGHT", "RIGHT", "RIGHT", "RIGHT", "RIGHT")
    with page.table(
        col_widths=WIDTHS, text_align=align, line_height=5, borders_layout="HORIZONTAL_LINES"
    ) as table:
        for cells in (HEAD, *map(_cells, report.items)):
            row = table.row()
            for cell in cells:
                row.cell(_drawable(page, cell))


def _cells(item: Item) -> tuple[str, ...]:
    percent = "-" if item.percent is None else f"{item.percent} {item.unit}"
    percent, limits = (t.replace(RATIO_UNIT, "per 100 WBC") for t in (percent, limits_text(item)))
    return item.name, str(item.count), percent, limits, shown(item.absolute), item.loinc or "-"


def _text(page: FPDF, text: str, height: float = 4.6) -> None:
    page.multi_cell(0, height, _drawable(page, text), align="LEFT", new_x="LMARGIN", new_y="NEXT")


def _drawable(page: FPDF, text: str) -> str:
    """Text with the number of each character that the font lacks."""
    font = page.fonts[page.font_family + page.font_style]
    known = font.cmap  # pyright: ignore[reportAttributeAccessIssue] - ours are none of the core's
    return "".join(c if c == "\n" or ord(c) in known else f"<U+{ord(c):04X}>" for c in text)
