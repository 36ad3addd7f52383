"""LOINC codes are of the class that they stand beside, and typed without a slip."""

from __future__ import annotations

from dataclasses import replace

import pytest

from buffycoat.taxonomy import BLOOD, loinc_of
from buffycoat.taxonomy.classes import KNOWN, CellClass
from buffycoat.taxonomy.loinc import PANEL, has_check_digit


@pytest.mark.parametrize("cell", BLOOD.classes, ids=lambda cell: cell.code)
def test_codes_of_each_class_have_a_right_check_digit(cell: CellClass) -> None:
    codes = loinc_of(cell)
    assert codes is not None
    assert has_check_digit(codes.percent)
    assert codes.absolute is None or has_check_digit(codes.absolute)


def test_the_panel_has_a_right_check_digit() -> None:
    assert has_check_digit(PANEL)


def test_no_code_is_used_twice() -> None:
    found = [codes for cell in BLOOD.classes if (codes := loinc_of(cell))]
    every = [code for of in found for code in (of.percent, of.absolute) if code]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("code", ["26446-6", "26464-5", "26446", "2644a-5", "-5", "26446-55"])
def test_a_slip_is_seen(code: str) -> None:
    assert not has_check_digit(code)


def test_a_class_of_ones_own_has_no_code() -> None:
    assert loinc_of(CellClass("HC", "hairy cell", "lymphoid")) is None


def test_a_known_code_used_for_another_cell_has_no_code() -> None:
    assert loinc_of(replace(KNOWN["MY"], name="myeloid cell")) is None
