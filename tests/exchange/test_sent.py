"""Every format carries the numbers of the CSV, whatever is in the report."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import hl7
import jsonschema
import pypdf
import pytest
from fhir.resources.R4B.bundle import Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given, settings
from tests.exchange.reports import reports

from buffycoat.evaluate.reported import report_items
from buffycoat.exchange.differential_report import RATIO_UNIT, DifferentialReport
from buffycoat.exchange.fhir import to_fhir
from buffycoat.exchange.hl7 import STATUS, to_hl7
from buffycoat.exchange.pdf import to_pdf
from buffycoat.exchange.remarks import Flag, ReadBy
from buffycoat.exchange.sheets import to_csv
from buffycoat.taxonomy import PBC

Numbers = dict[str, tuple[str, ...]]
"""Code -> percent, low, high, count, absolute; each as it is written, empty for none."""

SCHEMA = json.loads(Path(__file__).with_name("fhir_r4.schema.json").read_text())
VALIDATOR = jsonschema.Draft6Validator(SCHEMA)
WHEN = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)


def rows(report: DifferentialReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(report), newline="")))


def numbers_of_csv(report: DifferentialReport) -> Numbers:
    columns = ("percent", "low", "high", "count", "absolute_1e9_per_l")
    return {row["code"]: tuple(row[column] for column in columns) for row in rows(report)}


def numbers_of_fhir(report: DifferentialReport) -> Numbers:
    bundle = json.loads(to_fhir(report), parse_float=Decimal, parse_int=str)
    by_name: dict[str, dict[str, Any]] = {
        entry["resource"]["code"]["text"]: entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    }
    found = {}
    for item in report.items:
        parts = {part["code"]["text"]: part for part in by_name[item.name]["component"]}
        limits = parts.get("95 % confidence interval", {}).get("valueRange", {})
        absolute = by_name.get(f"{item.name}, absolute", {})
        values = (by_name[item.name], limits.get("low"), limits.get("high"), absolute)
        percent, low, high, absolute = (_value(value) for value in values)
        count = parts["cells counted"]["valueInteger"]
        found[item.code] = (percent, low, high, count, absolute)
    return found


def _value(of: dict[str, Any] | None) -> str:
    quantity = (of or {}).get("valueQuantity", of) or {}
    return str(quantity.get("value", ""))


def numbers_of_hl7(report: DifferentialReport) -> Numbers:
    """By python-hl7, which did not write the message."""
    message = hl7.parse(to_hl7(report))
    results: dict[str, str] = {}
    notes: dict[str, str] = {}
    last = ""
    for segment in message:
        kind = str(segment[0])
        if kind == "OBX":
            last = message.unescape(str(segment[3][0][-3 if len(segment[3][0]) > 3 else 0]))
            results[last] = str(segment[5])
        elif kind == "NTE" and last:
            notes[last] = str(segment[3])
    found = {}
    for item in report.items:
        text = notes[item.code].replace("1 cell;", "1 cells;")
        count, _, limits = text.partition(" cells; 95 % limits ")
        low, _, high = limits.removesuffix(f" {item.unit}").partition(" - ")
        high = "" if high == "no upper limit" else high
        absolute = results.get(f"{item.code}.absolute", "")
        found[item.code] = (results[item.code], low, high, count, absolute)
    return found


def text_of_pdf(report: DifferentialReport) -> str:
    pages = pypdf.PdfReader(io.BytesIO(to_pdf(report))).pages
    assert len(pages) == 1
    return " ".join(pages[0].extract_text().split())


def line_of_pdf(numbers: tuple[str, ...], name: str, unit: str, loinc: str) -> str:
    percent, low, high, count, absolute = numbers
    unit = "per 100 WBC" if unit == RATIO_UNIT else unit
    shown = f"{percent} {unit}" if percent else "-"
    limits = f"{low} - {high or 'no upper limit'} {unit}" if low else ""
    return " ".join(filter(None, (name, count, shown, limits, absolute, loinc)))


@given(reports())
@settings(max_examples=15, deadline=None)
def test_numbers_are_those_of_the_csv(report: DifferentialReport) -> None:
    numbers = numbers_of_csv(report)
    assert numbers == {
        i.code: tuple("" if v is None else str(v) for v in (i.percent, i.low, i.high, i.count,
                                                            i.absolute))
        for i in report.items
    }  # fmt: skip
    assert numbers_of_fhir(report) == numbers
    assert numbers_of_hl7(report) == numbers


@given(reports())
@settings(max_examples=8, deadline=None)
def test_the_page_for_people_has_them_too(report: DifferentialReport) -> None:
    text = text_of_pdf(report)
    for code, numbers in numbers_of_csv(report).items():
        item = next(item for item in report.items if item.code == code)
        assert line_of_pdf(numbers, item.name, item.unit, item.loinc or "-") in text


@given(reports())
@settings(max_examples=8, deadline=None)
def test_fhir_is_valid_r4(report: DifferentialReport) -> None:
    text = to_fhir(report)
    VALIDATOR.validate(json.loads(text))
    bundle = Bundle.model_validate_json(text)
    urls = [entry.fullUrl for entry in bundle.entry]
    diagnostic = bundle.entry[0].resource
    assert len(set(urls)) == len(urls)
    assert {result.reference for result in diagnostic.result} == set(urls[2:])
    assert {entry.resource.status for entry in bundle.entry[2:]} == {report.status}
    assert diagnostic.status == report.status
    held = {entry.resource.code.text: entry.resource for entry in bundle.entry[2:]}
    assert held["leukocytes counted"].valueInteger == report.n_leukocytes
    plain = re.sub(r"[^\S\n]", " ", report.comment)
    assert (diagnostic.conclusion or "").startswith(plain)
    said = (diagnostic.conclusion or "").split("\n")
    assert [re.sub(r"[^\S\n]", " ", text) for text in report.remarks] == said[
        -1 - len(report.remarks) : -1
    ]
    for item in report.items:
        readers = [one.display for one in held[item.name].performer or []]
        names = dict.fromkeys(one.name for one in report.readings)
        assert readers == [re.sub(r"[^\S\n]", " ", name) for name in names]
        assert bool(held[item.name].note) == (report.n_leukocytes < 100)


@given(reports())
@settings(max_examples=8, deadline=None)
def test_hl7_is_read_back_by_two_libraries(report: DifferentialReport) -> None:
    text = to_hl7(report)
    strict = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    assert strict.validate()
    message = hl7.parse(text)
    results = message.segments("OBX")
    of_classes = len(report.items) + sum(i.absolute is not None for i in report.items)
    assert len(results) == of_classes + 1 + len(report.flags)
    more = {str(row[3][0][0]): message.unescape(str(row[5])) for row in results[of_classes:]}
    assert more.pop("leukocytes_counted") == str(report.n_leukocytes)
    assert more == {f"flag.{flag.code}": flag.text for flag in report.flags}
    assert {str(row[11]) for row in results} <= {STATUS[report.status], "X"}
    assert str(message.segment("OBR")[25]) == STATUS[report.status]
    notes = [message.unescape(str(n[3])) for n in message.segments("NTE")]
    lines = [line for line in report.comment.split("\n") if line]
    assert notes[: len(lines)] == lines
    assert notes[len(lines) :][: len(report.remarks)] == [*report.remarks]
    assisted = message.segment("OBR")
    readers = [message.unescape(str(one[0][1])) for one in assisted[33]] if (
        len(assisted) > 33 and str(assisted[33])
    ) else []  # fmt: skip
    assert readers == [one.name for one in report.readings]
    told = message.unescape(str(message.segment("SPM")[2][0][1]))
    assert told == report.slide
    if report.patient is not None:
        assert message.unescape(str(message.segment("PID")[3])) == report.patient


def test_a_schema_that_is_not_met_is_seen() -> None:
    report = {"resourceType": "DiagnosticReport", "status": "signed", "code": {"text": "x"}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": report}]}
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(bundle)
    report["status"] = "final"
    VALIDATOR.validate(bundle)


def test_what_a_receiver_must_know_is_the_same_in_every_format() -> None:
    report = DifferentialReport(
        "S1", None, 2, "amended", WHEN, "Cleo", "starter", "a" * 64, "buffycoat 0",
        report_items({"SNE": 38, "BNE": 2}, PBC), 40, 40,
        flags=(Flag("left_shift", "immature granulocytes 2.5 %, flagged from 2 % on"),),
        readings=(ReadBy("first", "Anna", WHEN, "account"), ReadBy("second", "Ben", None, "stated"),
                  ReadBy("consensus", "Cleo", WHEN)),
        n_differ=3, signer_identity="stated", reason="one band\nmissed",
    )  # fmt: skip
    said = [
        "40 leukocytes counted: too few for a differential of 100; limits are wide.",
        "Flag: immature granulocytes 2.5 %, flagged from 2 % on.",
        "First reading: Anna, 2026-03-01 12:30 UTC.",
        "Second reading: Ben (a stated name, not a login), not finished.",
        "Consensus: Cleo, 2026-03-01 12:30 UTC.",
        "Cells on which two readers differed: 3.",
        "Signed: Cleo (a stated name, not a login), 2026-03-01 12:30 UTC, version 2.",
        "Reason of the amendment: one band missed",
    ]
    assert [*report.remarks] == said
    row = rows(report)[0]
    assert row["remarks"].split("\n") == said
    columns = ("flags", "is_few", "first_reader", "second_reader", "second_read_at",
               "consensus_reader", "consensus_at", "n_differ", "without_login")  # fmt: skip
    assert [row[column] for column in columns] == [
        "left_shift", "True", "Anna", "Ben", "", "Cleo", "2026-03-01T12:30:15+00:00", "3",
        "Ben; Cleo",
    ]  # fmt: skip
    bundle = json.loads(to_fhir(report))
    VALIDATOR.validate(bundle)
    resources = [entry["resource"] for entry in bundle["entry"]]
    assert resources[0]["conclusion"].split("\n")[:-1] == said
    assert resources[0]["resultsInterpreter"] == [{"display": "Cleo"}]
    held = {one["code"]["text"]: one for one in resources[2:]}
    assert held["flag: left shift"]["valueString"] == report.flags[0].text
    assert held["leukocytes counted"]["note"][1:] == [
        {"authorString": "Anna", "time": "2026-03-01T12:30:15+00:00",
         "text": "First reading finished"},
        {"authorString": "Ben", "text": "Second reading not finished"},
        {"authorString": "Cleo", "time": "2026-03-01T12:30:15+00:00", "text": "Consensus finished"},
    ]  # fmt: skip
    message = hl7.parse(to_hl7(report))
    assert [str(note[3]) for note in message.segments("NTE")][: len(said)] == said
    assert str(message.segment("OBR")[32]) == "&Cleo^^20260301123015+0000"
    assert str(message.segment("OBR")[33]) == (
        "&Anna^^20260301123015+0000~&Ben~&Cleo^^20260301123015+0000"
    )
    text = text_of_pdf(report)
    assert all(one in text for one in said)


def test_enough_leukocytes_need_no_remark() -> None:
    report = DifferentialReport(
        "S1", None, 1, "preliminary", WHEN, None, "m", None, "buffycoat 0",
        report_items({"SNE": 100}, PBC), 100, 100,
    )  # fmt: skip
    assert report.remarks == ()
    assert rows(report)[0]["is_few"] == "False"
    assert "Remarks" not in text_of_pdf(report)
