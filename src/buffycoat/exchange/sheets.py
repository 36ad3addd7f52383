"""A differential as CSV, one row a class; what holds for all rows is repeated in each."""

from __future__ import annotations

from buffycoat.exchange.differential_report import (
    NOTICE,
    DifferentialReport,
    in_utc,
    shown,
)
from buffycoat.exchange.remarks import ROLES
from buffycoat.tables import csv_text

COLUMNS = (
    "slide", "patient", "version", "status", "issued", "signer", "code", "name", "loinc", "count",
    "percent", "low", "high", "unit", "is_leukocyte", "absolute_1e9_per_l", "loinc_absolute",
    "n_leukocytes", "n_counted", "method", "model", "model_sha256", "software", "comment", "flags",
    "is_few", "first_reader", "first_read_at", "second_reader", "second_read_at",
    "consensus_reader", "consensus_at", "n_differ", "without_login", "amendment_reason", "remarks",
    "notice",
)  # fmt: skip

_FORMULA = (*"=+-@", *"＝＋－＠", "\t", "\r")


def to_csv(report: DifferentialReport) -> str:
    """The report as a table; limits are of 95 %.

    A text that a spreadsheet would run as a formula gets an apostrophe before it, and so does a
    text that begins with one, so that it can be taken off again.
    """
    before = (report.slide, report.patient, report.version, report.status)
    before += (in_utc(report.issued).isoformat(), report.signer)
    after = (report.n_leukocytes, report.n_counted, report.method, report.model)
    after += (report.model_checksum, report.software, report.comment, *_read(report), NOTICE)
    rows = []
    for item in report.items:
        own = (item.code, item.name, item.loinc, item.count)
        own += tuple(map(shown, (item.percent, item.low, item.high)))
        own += (item.unit, item.is_leukocyte, shown(item.absolute), item.loinc_absolute)
        rows.append([_guarded(value) for value in (*before, *own, *after)])
    return csv_text(COLUMNS, rows)


def _read(report: DifferentialReport) -> tuple[object, ...]:
    """Flags, readers, and all remarks in words."""
    held = {one.role: one for one in report.readings}
    readers: list[object] = []
    for role in ROLES:
        one = held.get(role)
        finished = one and one.finished
        readers += [one and one.name, finished and in_utc(finished).isoformat()]
    flags = " ".join(flag.code for flag in report.flags)
    more = ("; ".join(report.without_login), report.reason, "\n".join(report.remarks))
    return (flags, report.few is not None, *readers, report.n_differ, *more)


def _guarded(value: object) -> object:
    """Against formula injection, CWE-1236; numbers here are never negative."""
    is_risky = isinstance(value, str) and value.startswith((*_FORMULA, "'"))
    return f"'{value}" if is_risky else value
