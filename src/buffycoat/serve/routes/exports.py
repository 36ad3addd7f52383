"""A slide's differential for other programs, and how readers and model agree."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from buffycoat.exchange import fhir, hl7, pdf, sheets
from buffycoat.exchange.differential_report import DifferentialReport
from buffycoat.serve.method import compare_methods
from buffycoat.serve.routes.forms import Id, Number, Served, SignedIn
from buffycoat.serve.sending import labels_sent, make_report, to_geojson
from buffycoat.serve.states import state_of

router = APIRouter()
Format = Literal["csv", "fhir", "hl7", "pdf", "geojson"]
KINDS = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "fhir": ("application/fhir+json", "json"),
    "hl7": ("text/plain; charset=utf-8", "hl7"),
    "pdf": ("application/pdf", "pdf"),
    "geojson": ("application/geo+json", "geojson"),
}
"""Format -> media type and suffix."""


@router.get("/slides/{slide}/export/{format}", response_class=Response)
def export(
    slide: Id,
    format: Format,
    review: Served,
    person: SignedIn,
    version: Annotated[Number | None, Query()] = None,
) -> Response:
    """A signed version, the last one if none is named; preliminary while the slide is open."""
    with review.store.reading() as reader:
        state = state_of(reader, slide)
        cells = review.catalogue.slide(reader, slide)
        if version is None and state.is_open:
            state.require_sight(person)
        if format == "geojson":
            labels, signed = labels_sent(reader, slide, cells, version)
            data, number = to_geojson(cells, labels).encode(), signed and signed.version
        else:
            report = make_report(reader, slide, cells, version)
            data, number = _written(report, format), report.signer and report.version
    media_type, suffix = KINDS[format]
    # The name of the file holds no patient's: people send files on.
    name = f"differential-{slide}-{f'v{number}' if number else 'preliminary'}.{suffix}"
    disposition = f'attachment; filename="{name}"'
    return Response(data, media_type=media_type, headers={"Content-Disposition": disposition})


def _written(report: DifferentialReport, format: str) -> bytes:
    if format == "pdf":
        return pdf.to_pdf(report)
    write = {"csv": sheets.to_csv, "fhir": fhir.to_fhir, "hl7": hl7.to_hl7}[format]
    return write(report).encode()


@router.get("/agreement")
def agreement(review: Served, person: SignedIn) -> dict[str, Any]:
    """Method comparison of readers and model over the slides that were read."""
    with review.store.reading() as reader:
        return compare_methods(reader, review.catalogue)
