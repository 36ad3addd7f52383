"""The differential of one slide as it is sent: one record, the same numbers in every format.

Figures are rounded here, once, as half-up decimals; every format writes their text. A figure that
cannot be stated (a percentage of no cells) is None and stays empty.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from buffycoat.errors import ManifestError
from buffycoat.exchange.remarks import (
    ROLES,
    Flag,
    Identity,
    ReadBy,
    Role,
    minute,
    named,
    too_few,
)
from buffycoat.plurals import counted, some_of

Status = Literal["preliminary", "final", "amended"]
STATUSES: tuple[Status, ...] = ("preliminary", "final", "amended")

NOTICE = "Not a medical device. Research use; a person must confirm every figure."
METHOD = "Cells on a stained blood smear, classified by software"
METHOD_SIGNED = "Cells on a stained blood smear, classified by software, signed by a person"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

RATIO_UNIT = "/100{WBCs}"
TENTH = Decimal("0.1")
HUNDREDTH = Decimal("0.01")
"""10^9/L to two decimals, as analysers report them."""


@dataclass(frozen=True)
class Item:
    """One class of a differential.

    Attributes:
        code: Of the taxonomy, e.g. "BNE".
        name: In words, e.g. "band neutrophil".
        loinc: LOINC code of the percentage, of the ratio for what is no leukocyte; None: no code.
        count: Cells of the class.
        percent: Of the leukocytes; for what is no leukocyte, cells per 100 leukocytes. None where
            no leukocyte was counted.
        low: Lower 95 % limit of `percent`, of counting so many cells.
        high: Upper 95 % limit; None where there is none.
        is_leukocyte: Whether it counts in the 100 %.
        absolute: Cells, 10^9/L; None without the analyser's count of white cells.
        loinc_absolute: LOINC code of `absolute`.
    """

    code: str
    name: str
    loinc: str | None
    count: int
    percent: Decimal | None
    low: Decimal | None
    high: Decimal | None
    is_leukocyte: bool
    absolute: Decimal | None = None
    loinc_absolute: str | None = None

    @property
    def unit(self) -> str:
        """UCUM unit of the percentage and its limits."""
        return "%" if self.is_leukocyte else RATIO_UNIT


@dataclass(frozen=True)
class DifferentialReport:
    """What is sent of one slide.

    Attributes:
        slide: Its name.
        patient: Identifier of the patient; None where it is not known.
        version: 1 for the first; each amendment is one more. An unsigned state has the number that
            it would get.
        status: "preliminary" until signed, then "final"; "amended" from the second version on.
        issued: When it was signed or made, with a time zone.
        signer: Who signed; None exactly while preliminary.
        model: Name of the model.
        model_checksum: SHA-256 of its bundle; None where it is not known.
        software: Name and version of the program.
        items: The classes.
        n_leukocytes: Cells that the percentages are of.
        n_counted: All cells with a class, leukocytes or not.
        comment: Of the signer; may be empty.
        n_decided: Cells that readers decided one by one; None where that is not known.
        n_read: Of so many cells, those without a figure too; the others were accepted as classified
            when the reading was finished.
        flags: Why the slide should be looked at, by the figures that are stated.
        readings: Who read it, first, second and consensus.
        n_differ: Cells on which two readers differed; None where not two have read it.
        signer_identity: How the signer's name is known; None where that was not recorded.
        reason: Of the amendment; None for a first version.
    """

    slide: str
    patient: str | None
    version: int
    status: Status
    issued: datetime
    signer: str | None
    model: str
    model_checksum: str | None
    software: str
    items: tuple[Item, ...]
    n_leukocytes: int
    n_counted: int
    comment: str = ""
    n_decided: int | None = None
    n_read: int | None = None
    flags: tuple[Flag, ...] = ()
    readings: tuple[ReadBy, ...] = ()
    n_differ: int | None = None
    signer_identity: Identity | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise ManifestError(f"report of slide {self.slide!r}:\n  " + "\n  ".join(faults))

    @property
    def method(self) -> str:
        """How the cells were told apart, in words."""
        if self.status == "preliminary":
            return METHOD
        if self.n_decided is None or self.n_read is None:
            return METHOD_SIGNED
        n, rest = self.n_decided, self.n_read - self.n_decided
        others = f", {rest} accepted as classified" if rest else ""
        cells = some_of(n, self.n_read, "cell", comma="")
        return f"{METHOD_SIGNED}; decided one by one: {cells}{others}"

    @property
    def few(self) -> str | None:
        """That too few leukocytes were counted, in words; None where there are enough."""
        return too_few(self.n_leukocytes)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a receiver must know beside the figures, in sentences; every format has them."""
        found = [f"{self.few}."] if self.few else []
        found += [f"Flag: {flag.text}." for flag in self.flags]
        found += [one.words(self.roles) for one in self.readings]
        if self.n_differ is not None:
            found.append(f"Cells on which two readers differed: {self.n_differ}.")
        if self.signer is not None:
            signed = f"{named(self.signer, self.signer_identity)}, {minute(self.issued)}"
            found.append(f"Signed: {signed}, version {self.version}.")
        if self.reason:
            found.append(f"Reason of the amendment: {' '.join(self.reason.split())}")
        return tuple(found)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Those of its readings."""
        return tuple(one.role for one in self.readings)

    @property
    def without_login(self) -> tuple[str, ...]:
        """Names that stand here without a login, each once."""
        names = [one.name for one in self.readings if named(one.name, one.identity) != one.name]
        if self.signer and named(self.signer, self.signer_identity) != self.signer:
            names.append(self.signer)
        return tuple(dict.fromkeys(names))


def is_carried(text: str) -> bool:
    """Whether every format can carry a text of one line: it has no control character."""
    return not _CONTROL.search(text)


def _faults(report: DifferentialReport) -> Iterable[str]:
    if not report.slide.strip():
        yield "it has no name of a slide"
    for field in ("slide", "patient", "signer", "model", "software", "comment"):
        text = getattr(report, field) or ""
        if _CONTROL.search(text.replace("\n", "") if field == "comment" else text):
            yield f"{field} {text!r} holds a control character, which no format can carry"
    if report.status not in STATUSES:
        yield f"status {report.status!r}, expected one of {', '.join(STATUSES)}"
    if (report.signer is None) != (report.status == "preliminary"):
        yield f"status {report.status!r} with signer {report.signer!r}: who signs makes it final"
    if (report.status == "amended") != (report.version > 1) and report.status != "preliminary":
        yield f"version {report.version} is {report.status!r}: from 2 on it is amended"
    if report.version < 1:
        yield f"version {report.version}, expected 1 or more"
    if report.issued.tzinfo is None:
        yield f"issued {report.issued.isoformat()} has no time zone; give UTC"
    yield from _reading_faults(report)
    codes = [item.code for item in report.items]
    if not codes:
        yield "it has no class"
    yield from (
        f"class {code!r} is there twice" for code in {c for c in codes if codes.count(c) > 1}
    )
    counted = sum(item.count for item in report.items)
    leukocytes = sum(item.count for item in report.items if item.is_leukocyte)
    if counted != report.n_counted:
        yield f"classes sum to {counted} cells, n_counted is {report.n_counted}"
    if leukocytes != report.n_leukocytes:
        yield f"leukocytes sum to {leukocytes} cells, n_leukocytes is {report.n_leukocytes}"


def _reading_faults(report: DifferentialReport) -> Iterable[str]:
    texts = [f.text for f in report.flags] + [one.name for one in report.readings]
    for text in [*texts, *(text for item in report.items for text in (item.code, item.name))]:
        if not is_carried(text):
            yield f"{text!r} holds a control character, which no format can carry"
    roles = report.roles
    if tuple(role for role in ROLES if role in roles) != roles:
        yield f"readings {', '.join(roles)}: expected some of {', '.join(ROLES)}, once each"
    if any(one.finished is not None and one.finished.tzinfo is None for one in report.readings):
        yield "the end of a reading has no time zone; give UTC"
    if report.reason and _CONTROL.search(report.reason.replace("\n", "")):
        yield f"reason {report.reason!r} holds a control character, which no format can carry"


def rounded(value: float | Decimal | None, step: Decimal = TENTH) -> Decimal | None:
    """A figure as it is sent: a decimal, halves up; None for NaN and infinity.

    >>> rounded(12.25), rounded(float("inf"))
    (Decimal('12.3'), None)
    """
    if value is None or not math.isfinite(value):
        return None
    return Decimal(str(value)).quantize(step, ROUND_HALF_UP)


def one_decimal(value: float, limit: float | None = None) -> str:
    """A figure in a sentence, rounded as it is sent; "inf" or "nan" where it is not finite.

    >>> one_decimal(1.25), one_decimal(float("inf"))
    ('1.3', 'inf')
    >>> one_decimal(0.995, limit=1.0), one_decimal(1.0, limit=1.0)
    ('0.995', '1.0')

    Args:
        value: The figure.
        limit: What it is compared with: more decimals are shown where one would put the figure on
            the wrong side, "at least the limit" or "below it".
    """
    if not math.isfinite(value):
        return f"{value}"
    exact, step = Decimal(str(value)), TENTH
    if limit is not None:
        bound = Decimal(str(limit))
        while (exact.quantize(step, ROUND_HALF_UP) >= bound) != (exact >= bound):
            step /= 10
    return str(exact.quantize(step, ROUND_HALF_UP))


def absolute(wbc: float | Decimal, count: int, n_leukocytes: int) -> Decimal | None:
    """Cells of a class, 10^9/L.

    Args:
        wbc: White cells by the analyser, 10^9/L, corrected for nucleated red cells.
        count: Cells of the class.
        n_leukocytes: Leukocytes counted.
    """
    return rounded(Decimal(str(wbc)) * count / n_leukocytes, HUNDREDTH) if n_leukocytes else None


def in_utc(when: datetime) -> datetime:
    """The same moment in UTC, to the second: what all formats can write."""
    return when.astimezone(UTC).replace(microsecond=0)


def shown(value: Decimal | None) -> str:
    """Text of a figure, the same in every format; empty for none."""
    return "" if value is None else str(value)


def limits_text(item: Item) -> str:
    """The limits in words, with their unit; empty where there are none."""
    if item.low is None:
        return ""
    high = "no upper limit" if item.high is None else str(item.high)
    return f"{item.low} - {high} {item.unit}"


def total_text(items: Sequence[Item]) -> str:
    """What the percentages are of, in words."""
    n = sum(item.count for item in items if item.is_leukocyte)
    return counted(n, "leukocyte", comma="")
