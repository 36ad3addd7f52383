"""LOINC codes of the classes in a differential of blood, without a method.

Source: panel 24318-8 as https://loinc.org/24318-8 lists it (LOINC 2.78), which gives each class its
share of the leukocytes and its number a volume; nucleated red cells per 100 leukocytes: the LOINC
term of that code. A laboratory checks them against its own LOINC release before it sends any.

This material contains content from LOINC (https://loinc.org), copyright Regenstrief Institute, Inc.
and the LOINC Committee, available at no cost under https://loinc.org/license.
"""

from __future__ import annotations

from dataclasses import dataclass

from buffycoat.taxonomy.classes import KNOWN, CellClass

PANEL = "69738-3"
PANEL_NAME = "Differential panel, method unspecified - Blood"
"""Neither the manual (24318-8) nor the automated panel (57023-4): a model proposes and a person may
have decided."""


@dataclass(frozen=True)
class Loinc:
    """Codes of one class.

    Attributes:
        percent: Of the share of the leukocytes; of the ratio to them for what is none.
        absolute: Of the number a volume; None where the source has none.
    """

    percent: str
    absolute: str | None = None


_CODES = {
    "SNE": Loinc("26505-8", "30451-9"),
    "LY": Loinc("26478-8", "26474-7"),
    "MO": Loinc("26485-3", "26484-6"),
    "BL": Loinc("26446-5", "30376-8"),
    "EO": Loinc("26450-7", "26449-9"),
    "MY": Loinc("26498-6", "30446-9"),
    "BA": Loinc("30180-4", "26444-0"),
    "BNE": Loinc("26508-2", "26507-4"),
    "VLY": Loinc("13046-8", "26477-0"),
    "MMY": Loinc("28541-1", "30433-7"),
    "PMY": Loinc("26524-9", "26523-1"),
    "PC": Loinc("13047-6", "30458-4"),
    "PLY": Loinc("30465-9", "30464-2"),
    "ERB": Loinc("19048-8"),
}


def loinc_of(cell: CellClass) -> Loinc | None:
    """The codes of a class; None for a class that is not exactly a known one.

    A taxonomy of one's own may use a known code for something else: name and lineage decide too.
    """
    usual = KNOWN.get(cell.code)
    is_usual = usual is not None and (usual.name, usual.lineage) == (cell.name, cell.lineage)
    return _CODES.get(cell.code) if is_usual else None


def has_check_digit(code: str) -> bool:
    """Whether the last digit of a LOINC code is right (mod 10, Luhn).

    >>> has_check_digit("26446-5"), has_check_digit("26446-6")
    (True, False)
    """
    number, _, check = code.partition("-")
    if not (number.isdecimal() and check.isdecimal() and len(check) == 1):
        return False
    doubled = (
        int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(number[::-1])
    )
    return (sum(n // 10 + n % 10 for n in doubled) + int(check)) % 10 == 0
