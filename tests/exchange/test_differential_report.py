"""The record of a differential refuses what would be sent wrongly."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pypdf
import pytest

from buffycoat.errors import ManifestError
from buffycoat.evaluate.reported import report_items
from buffycoat.exchange.differential_report import DifferentialReport, absolute, in_utc, rounded
from buffycoat.exchange.pdf import to_pdf
from buffycoat.exchange.remarks import ROLES, Flag, ReadBy
from buffycoat.exchange.sheets import to_csv
from buffycoat.taxonomy import PBC

WHEN = datetime(2026, 3, 1, 12, 30, 15, 999, tzinfo=UTC)
ITEMS = report_items({"SNE": 150, "LY": 50, "ERB": 3}, PBC, wbc=7.25)
REPORT = DifferentialReport(
    "S1", None, 1, "final", WHEN, "A. Reader", "starter", None, "buffycoat 0", ITEMS, 200, 203
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"slide": " "}, "no name of a slide"),
        ({"slide": "a\rb"}, "control character"),
        ({"comment": "a\x0bb"}, "control character"),
        ({"patient": "\ud800"}, "control character"),
        ({"status": "signed"}, "expected one of preliminary, final, amended"),
        ({"signer": None}, "who signs makes it final"),
        ({"status": "preliminary"}, "who signs makes it final"),
        ({"status": "amended"}, "version 1 is 'amended'"),
        ({"version": 2}, "version 2 is 'final'"),
        ({"version": 0}, "version 0, expected 1 or more"),
        ({"issued": datetime(2026, 3, 1)}, "no time zone"),
        ({"items": (), "n_counted": 0, "n_leukocytes": 0}, "it has no class"),
        ({"items": (*ITEMS, ITEMS[0])}, "class 'PMY' is there twice"),
        ({"flags": (Flag("blasts", "a\rb"),)}, "control character"),
        ({"readings": (ReadBy("first", "a\nb", None),)}, "control character"),
        ({"readings": (ReadBy("second", "a", None), ReadBy("first", "b", None))}, "once each"),
        ({"readings": (ReadBy("first", "a", datetime(2026, 3, 1)),)}, "no time zone"),
        ({"reason": "a\x0bb"}, "control character"),
        ({"items": (replace(ITEMS[0], name="a\nb"), *ITEMS[1:])}, "control character"),
        ({"n_counted": 204}, "classes sum to 203 cells, n_counted is 204"),
        ({"n_leukocytes": 203}, "leukocytes sum to 200 cells, n_leukocytes is 203"),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(change: dict, said: str) -> None:
    with pytest.raises(ManifestError, match="report of slide") as caught:
        replace(REPORT, **change)
    assert said in str(caught.value)


def test_a_comment_may_have_lines() -> None:
    assert replace(REPORT, comment="one\ntwo").comment == "one\ntwo"


def test_figures_are_rounded_halves_up_and_what_is_no_number_is_none() -> None:
    assert [rounded(x) for x in (0.25, Decimal("0.35"), 0.0)] == [
        Decimal("0.3"), Decimal("0.4"), Decimal("0.0")
    ]  # fmt: skip
    assert rounded(float("nan")) is rounded(float("inf")) is rounded(None) is None


def test_absolute_counts_are_the_analysers_split_by_the_differential() -> None:
    found = {item.code: item.absolute for item in ITEMS}
    assert found["SNE"] == Decimal("5.44")  # 7.25 * 150 / 200 = 5.4375
    assert found["ERB"] == Decimal("0.11")
    assert absolute(7.25, 0, 0) is None


def test_without_leukocytes_there_is_no_percentage() -> None:
    items = report_items({"ERB": 3}, PBC, wbc=1)
    assert {item.percent for item in items} == {None}
    assert {item.absolute for item in items} == {None}


def test_moments_are_stated_in_utc_to_the_second() -> None:
    there = WHEN.astimezone(timezone(timedelta(hours=9)))
    assert in_utc(there).isoformat() == "2026-03-01T12:30:15+00:00"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "＝1", "'=1"])
def test_no_text_is_a_formula(text: str) -> None:
    line = to_csv(replace(REPORT, slide=text)).splitlines()[1]
    assert line.startswith(f"'{text},")


def test_the_page_names_no_one_in_its_metadata_and_is_the_same_each_time() -> None:
    report = replace(REPORT, patient="Patient-77")
    page = to_pdf(report)
    assert b"Patient-77" not in page
    assert b"A. Reader" not in page
    assert page == to_pdf(report)


def test_thirty_classes_are_one_page() -> None:
    (one,) = (item for item in ITEMS if item.code == "SNE")
    items = tuple(replace(one, code=f"C{n}", name=f"class number {n}") for n in range(30))
    report = replace(
        REPORT, items=items, n_leukocytes=30 * 150, n_counted=30 * 150, comment="two\nlines",
        slide="a name without a space " + "x" * 150,
        flags=(Flag("blasts", "blasts 1.0 %, flagged from 1 % on"),),
        readings=tuple(ReadBy(role, "A. Reader", WHEN, "stated") for role in ROLES), n_differ=3,
    )  # fmt: skip
    assert len(pypdf.PdfReader(io.BytesIO(to_pdf(report))).pages) == 1
