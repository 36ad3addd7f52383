"""A differential as an HL7 v2.5.1 message ORU^R01, one OBX a class.

Limits are a note (NTE) under their OBX: OBX-7 is the range that is normal, and a second OBX would
pass for a second result. Absolute counts, where the analyser's is known, are OBX of their own, and
so are the number of leukocytes counted and each flag, by codes of ours. Readers are in OBR-33 and
the signer in OBR-32. The comment, and in words all that a receiver must know beside the figures, is
a note a line under the OBR.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from buffycoat.exchange.differential_report import (
    NOTICE,
    DifferentialReport,
    Item,
    in_utc,
    limits_text,
    shown,
)
from buffycoat.optional import require
from buffycoat.plurals import counted
from buffycoat.taxonomy.loinc import PANEL, PANEL_NAME

STATUS = {"preliminary": "P", "final": "F", "amended": "C"}
"""OBX-11 and OBR-25 (tables 0085 and 0123)."""
LOCAL = "99BUFFYCOAT"
_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"})


def to_hl7(report: DifferentialReport, processing: str = "P") -> str:
    r"""The report as a message, segments ended by `\r`, in UTF-8 (MSH-18).

    Args:
        report: What to send.
        processing: MSH-11: "P" production, "T" training, "D" debugging.

    Raises:
        MissingExtraError: Extra `exchange` is not installed.
    """
    core = require("hl7apy.core", "exchange")
    message = core.Message("ORU_R01", version="2.5.1")
    _header(message, report, processing)
    result = message.add_group("ORU_R01_PATIENT_RESULT")
    if report.patient is not None:
        patient = result.add_group("ORU_R01_PATIENT").pid
        patient.pid_1, patient.pid_3 = "1", escaped(report.patient)
        patient.pid_5 = "^^^^^^U"  # required; we hold no name
    order = result.add_group("ORU_R01_ORDER_OBSERVATION")
    _request(order.obr, report)
    notes = (*report.comment.split("\n"), *report.remarks, NOTICE)
    for place, text in enumerate(filter(None, notes), 1):
        _note(order.add_segment("NTE"), place, text)
    rows = [(item, is_absolute) for item in report.items for is_absolute in _kinds(item)]
    for place, (item, is_absolute) in enumerate(rows, 1):
        group = order.add_group("ORU_R01_OBSERVATION")
        _result(group.obx, place, item, is_absolute, report)
        if not is_absolute:
            _note(group.add_segment("NTE"), 1, _counted(item))
    _more_results(order, len(rows), report)
    specimen = order.add_group("ORU_R01_SPECIMEN").spm
    specimen.spm_1, specimen.spm_2, specimen.spm_4 = "1", f"^{escaped(report.slide)}", "BLD"
    message.validate()
    return message.to_er7()


def escaped(text: str) -> str:
    r"""Text without separators of its own.

    >>> print(escaped("3^4 | B&W"))
    3\S\4 \F\ B\T\W
    """
    return text.translate(_ESCAPES)


def _header(message: Any, report: DifferentialReport, processing: str) -> None:
    msh = message.msh
    msh.msh_3, msh.msh_7 = "buffycoat", _time(report.issued)
    msh.msh_9, msh.msh_11, msh.msh_12 = "ORU^R01^ORU_R01", processing, "2.5.1"
    # The same report is the same message, so that a receiver can tell one sent twice.
    msh.msh_10 = hashlib.sha256(repr(report).encode()).hexdigest()[:20]
    msh.msh_18 = "UNICODE UTF-8"
    software = message.add_segment("SFT")
    software.sft_1, software.sft_2 = "buffycoat", escaped(report.software)
    software.sft_3 = escaped(report.model)
    software.sft_4 = report.model_checksum or "unknown"


def _request(obr: Any, report: DifferentialReport) -> None:
    obr.obr_1, obr.obr_3 = "1", f"{escaped(report.slide)}/{report.version}^buffycoat"
    obr.obr_4 = f"{PANEL}^{PANEL_NAME}^LN"
    obr.obr_7 = obr.obr_22 = _time(report.issued)
    obr.obr_25 = STATUS[report.status]
    if report.signer is not None:
        obr.obr_32 = _by(report.signer, report.issued)
    for one in report.readings:
        obr.add_field("OBR_33").value = _by(one.name, one.finished)


def _by(name: str, until: datetime | None) -> str:
    """Who, and when it was done: NDL.1 is a CNN, id & name; NDL.3 the end."""
    return f"&{escaped(name)}" + ("" if until is None else f"^^{_time(until)}")


def _kinds(item: Item) -> tuple[bool, ...]:
    return (False,) if item.absolute is None else (False, True)


def _result(
    obx: Any, place: int, item: Item, is_absolute: bool, report: DifferentialReport
) -> None:
    value = item.absolute if is_absolute else item.percent
    name = f"{item.name}, absolute" if is_absolute else item.name
    loinc = item.loinc_absolute if is_absolute else item.loinc
    local = f"{escaped(item.code)}{'.absolute' if is_absolute else ''}^{escaped(name)}^{LOCAL}"
    obx.obx_1, obx.obx_2 = str(place), "NM"
    obx.obx_3 = local if loinc is None else f"{loinc}^{escaped(name)}^LN^{local}"
    obx.obx_5 = shown(value)
    obx.obx_6 = f"{'10*9/L' if is_absolute else item.unit}^^UCUM"
    # X: no result could be obtained
    obx.obx_11 = STATUS[report.status] if value is not None else "X"
    obx.obx_14 = _time(report.issued)
    obx.obx_17, obx.obx_18 = f"^{escaped(report.method)}", f"{escaped(report.model)}^buffycoat"


def _more_results(order: Any, n: int, report: DifferentialReport) -> None:
    """What the percentages are of, and the flags, after the n results of the classes."""
    more = [("NM", "leukocytes_counted", "leukocytes counted", str(report.n_leukocytes))]
    more += [("ST", f"flag.{f.code}", f"flag: {f.code.replace('_', ' ')}", f.text)
             for f in report.flags]  # fmt: skip
    for place, (kind, code, name, value) in enumerate(more, n + 1):
        group = order.add_group("ORU_R01_OBSERVATION")
        obx = group.obx
        obx.obx_1, obx.obx_2 = str(place), kind
        obx.obx_3 = f"{escaped(code)}^{escaped(name)}^{LOCAL}"
        obx.obx_5 = escaped(value)
        obx.obx_11, obx.obx_14 = STATUS[report.status], _time(report.issued)
        if kind == "NM" and report.few:
            _note(group.add_segment("NTE"), 1, f"{report.few}.")


def _counted(item: Item) -> str:
    limits = limits_text(item)
    return counted(item.count, "cell", comma="") + (f"; 95 % limits {limits}" if limits else "")


def _note(nte: Any, place: int, text: str) -> None:
    nte.nte_1, nte.nte_2, nte.nte_3 = str(place), "L", escaped(text)


def _time(when: datetime) -> str:
    return in_utc(when).strftime("%Y%m%d%H%M%S+0000")
