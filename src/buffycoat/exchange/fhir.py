"""A differential as FHIR R4 (4.0.1): a Bundle of a DiagnosticReport, its Observations and a Device.

One Observation a class, coded by LOINC without a method, in UCUM units; the absolute count is one
more, and so are the number of leukocytes counted and each flag. Readers are performers of the
figures, and the signer is the report's interpreter; `conclusion` says all of it in words. Limits
and the number of cells are components of a class's Observation: FHIR has components for results
that cannot be interpreted outside of theirs, while `referenceRange` would state what is normal. The
limits' code is the confidence interval of R4's own code system of precision estimates.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from buffycoat.exchange.differential_report import (
    NOTICE,
    DifferentialReport,
    Item,
    in_utc,
)
from buffycoat.exchange.remarks import role_in_words
from buffycoat.optional import require
from buffycoat.taxonomy.loinc import PANEL, PANEL_NAME

NAMESPACE = uuid.UUID("0f5cf4b2-6f5e-5b0a-8d1c-1f6e2f0f9a54")
"""Of UUIDs made from what a report says: the same report has the same ones each time it is sent."""
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
UCUM = "http://unitsofmeasure.org"
LOCAL = f"urn:uuid:{NAMESPACE}"
"""System of our own codes: of flags, and of the number of leukocytes."""
_ODD_SPACE = re.compile(r"[^\S \n]")
"""Space that a FHIR string must not hold, such as one that does not break."""
_DECIMAL = re.compile(r'"\\u0000(-?[0-9.]+)"')

Resource = dict[str, Any]


def to_fhir(report: DifferentialReport) -> str:
    """The report as JSON of a FHIR R4 Bundle of type collection, checked by `fhir.resources`.

    Numbers keep their trailing zeros, which state precision in FHIR. Spaces of other kinds in texts
    become plain ones: a FHIR string has no others.

    Raises:
        MissingExtraError: Extra `exchange` is not installed.
    """
    bundle = _bundle(report)
    # R4 and R4B are the same in these four resources; the package has no R4 of its own.
    require("fhir.resources.R4B.bundle", "exchange").Bundle.model_validate(bundle)
    text = json.dumps(bundle, ensure_ascii=False, indent=1, default=_marked)
    return _ODD_SPACE.sub(" ", _DECIMAL.sub(r"\1", text)) + "\n"


def _marked(number: Decimal) -> str:
    return f"\0{number}"


def _bundle(report: DifferentialReport) -> Resource:
    own = uuid.uuid5(NAMESPACE, repr(report))
    device = f"urn:uuid:{uuid.uuid5(own, 'device')}"
    observations = {
        f"urn:uuid:{uuid.uuid5(own, name)}": resource
        for name, resource in _observations(report, device)
    }
    issued = in_utc(report.issued).isoformat()
    resources = {
        f"urn:uuid:{own}": _diagnostic_report(report, own, list(observations)),
        device: _device(report),
        **observations,
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": issued,
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in resources.items()],
    }


def _diagnostic_report(report: DifferentialReport, own: uuid.UUID, results: list[str]) -> Resource:
    found: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [
            {"use": "official", "system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{own}"},
            {"use": "secondary", "value": f"{report.slide}/{report.version}"},
        ],
        "status": report.status,
        "category": [_concept(f"{TERMINOLOGY}/v2-0074", "HM", "Hematology")],
        "code": _concept("http://loinc.org", PANEL, PANEL_NAME),
        **_about(report),
        "specimen": [_specimen(report)],
        "result": [{"reference": url} for url in results],
    }
    if report.signer is not None:
        found["resultsInterpreter"] = [{"display": report.signer}]
    notes = filter(None, (report.comment, *report.remarks, NOTICE))
    return found | {"conclusion": "\n".join(notes)}


def _about(report: DifferentialReport) -> Resource:
    """Of which slide and patient, and when; references by identifier, since we hold no record."""
    issued = in_utc(report.issued).isoformat()
    found: Resource = {"effectiveDateTime": issued, "issued": issued}
    if report.patient is not None:
        found["subject"] = {"type": "Patient", "identifier": {"value": report.patient}}
    return found


def _specimen(report: DifferentialReport) -> Resource:
    return {"type": "Specimen", "identifier": {"value": report.slide}}


def _device(report: DifferentialReport) -> Resource:
    versions = [{"type": {"text": "software"}, "value": report.software}]
    if report.model_checksum is not None:
        versions.append({"type": {"text": "model, SHA-256"}, "value": report.model_checksum})
    return {
        "resourceType": "Device",
        "deviceName": [{"name": report.model, "type": "model-name"}],
        "type": {"text": "Software that classifies white blood cells"},
        "version": versions,
        "note": [{"text": NOTICE}],
    }


def _observations(report: DifferentialReport, device: str) -> Iterator[tuple[str, Resource]]:
    shared = {
        "resourceType": "Observation",
        "status": report.status,
        "category": [_concept(f"{TERMINOLOGY}/observation-category", "laboratory", "Laboratory")],
        **_about(report),
        "specimen": _specimen(report),
        "method": {"text": report.method},
        "device": {"reference": device},
    }
    readers = dict.fromkeys(one.name for one in report.readings)
    if readers:
        shared["performer"] = [{"type": "Practitioner", "display": name} for name in readers]
    few = {"note": [{"text": f"{report.few}."}]} if report.few else {}
    for item in report.items:
        yield item.code, shared | _percentage(item) | few
        if item.absolute is not None:
            name = f"{item.name}, absolute"
            value = {"valueQuantity": _quantity(item.absolute, "10*9/L")}
            yield name, shared | {"code": _coded(item.loinc_absolute, name)} | value | few
    yield "leukocytes counted", shared | _leukocytes(report)
    for flag in report.flags:
        code = {"code": _own("flag-" + flag.code, f"flag: {flag.code.replace('_', ' ')}")}
        yield f"flag {flag.code}", shared | code | {"valueString": flag.text}


def _leukocytes(report: DifferentialReport) -> Resource:
    """What the percentages are of, noted with who counted them and until when."""
    notes: list[Resource] = [{"text": f"{report.few}."}] if report.few else []
    for one in report.readings:
        when = {} if one.finished is None else {"time": in_utc(one.finished).isoformat()}
        done = "finished" if when else "not finished"
        text = f"{role_in_words(one.role, report.roles)} {done}"
        notes.append({"authorString": one.name, **when, "text": text})
    found: Resource = {
        "code": _own("leukocytes-counted", "leukocytes counted"),
        "valueInteger": report.n_leukocytes,
    }
    return found | ({"note": notes} if notes else {})


def _own(code: str, text: str) -> Resource:
    """A code of ours, where LOINC has none."""
    return {"coding": [{"system": LOCAL, "code": code}], "text": text}


def _percentage(item: Item) -> Resource:
    components: list[Resource] = [
        {"code": {"text": "cells counted"}, "valueInteger": item.count},
    ]
    ends = {
        end: _quantity(value, item.unit)
        for end, value in (("low", item.low), ("high", item.high))
        if value is not None
    }
    if ends:
        limits = _concept(f"{TERMINOLOGY}/precision-estimate-type", "CI", "confidence interval")
        code = limits | {"text": "95 % confidence interval"}
        components.append({"code": code, "valueRange": ends})
    found: Resource = {"code": _coded(item.loinc, item.name), "component": components}
    if item.percent is None:
        absent = _concept(f"{TERMINOLOGY}/data-absent-reason", "not-a-number", "Not a Number (NaN)")
        return found | {"dataAbsentReason": absent | {"text": "no leukocyte was counted"}}
    return found | {"valueQuantity": _quantity(item.percent, item.unit)}


def _quantity(value: Decimal, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _coded(loinc: str | None, text: str) -> Resource:
    """A code with its name here; without LOINC's display, whose wording differs by release."""
    coding = {} if loinc is None else {"coding": [{"system": "http://loinc.org", "code": loinc}]}
    return coding | {"text": text}


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}]}
