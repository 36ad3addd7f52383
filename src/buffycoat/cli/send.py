"""`buffycoat send`: counted slides as messages and pages for a laboratory's system."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.errors import EXIT_FINDINGS
from buffycoat.cli.output import check_folder
from buffycoat.plurals import counted

if TYPE_CHECKING:
    from buffycoat.exchange.differential_report import DifferentialReport


class Format(StrEnum):
    """Kinds of file."""

    FHIR = "fhir"
    HL7 = "hl7"
    CSV = "csv"
    PDF = "pdf"


SUFFIX = {Format.FHIR: ".json", Format.HL7: ".hl7", Format.CSV: ".csv", Format.PDF: ".pdf"}


def send(
    table: Annotated[Path, typer.Argument(help="Table that `differential --out` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for one file a slide.", show_default=False)],
    format: Annotated[
        Format, typer.Option("--format", help="FHIR R4, HL7 v2.5.1, CSV or PDF.")
    ] = Format.FHIR,
    slides: Annotated[
        Path | None,
        typer.Option(help="CSV with slide_id and, if known, patient_id and wbc (10^9/L)."),
    ] = None,
    model: Annotated[str, typer.Option(help="Name of the model, for the reports.")] = "classifier",
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file.")
    ] = "auto",
) -> None:
    """Write the differential of each slide for a laboratory's system, or for people.

    Every report is preliminary: no one has signed it. Signed ones come from the review page.
    A slide that was refused as mostly doubtful is not sent; the exit code is 4 then.

    Example: `buffycoat send differential.csv --format fhir --out reports`
    """
    check_folder(out)

    from buffycoat.evaluate.reported import read_reports
    from buffycoat.images import write_atomic

    reports, refused = read_reports(table, slides, model, taxonomy)
    for name, report in _named(reports).items():
        write_atomic(out / f"{name}{SUFFIX[format]}", _written(report, format))
    console = results_console()
    n = len(reports)
    console.print(f"{counted(n, 'preliminary report')}: {escape(str(out))}", soft_wrap=True)
    console.print("Not a medical device.")
    for slide in refused:
        errors_console().print(
            f"[yellow]{escape(slide)}: not sent, it is mostly doubtful cells[/]", highlight=False
        )
    if refused:
        raise typer.Exit(EXIT_FINDINGS)


def _named(reports: list[DifferentialReport]) -> dict[str, DifferentialReport]:
    """Name of a file -> report; slides have any characters, files do not."""
    from urllib.parse import quote

    from buffycoat.errors import OutputError

    found = {}
    for report in reports:
        name = quote(report.slide, safe=" ")
        if name.startswith("."):
            name = "%2E" + name[1:]
        if len(name) > 200:
            raise OutputError(f"slide {report.slide!r}: too long for the name of a file; rename it")
        found[name] = report
    return found


def _written(report: DifferentialReport, format: Format) -> bytes:
    from buffycoat.exchange import fhir, hl7, pdf, sheets

    if format is Format.PDF:
        return pdf.to_pdf(report)
    write = {Format.FHIR: fhir.to_fhir, Format.HL7: hl7.to_hl7, Format.CSV: sheets.to_csv}
    return write[format](report).encode()
