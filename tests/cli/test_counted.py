"""A share beside its limit: what is shown never says otherwise than its flag."""

from __future__ import annotations

import re

import numpy as np
import pytest

from buffycoat.cli.counted import flag_tables, slide_table
from buffycoat.evaluate.doubtful_cells import (
    BELOW,
    FLAGGED,
    NOT_EXCLUDED,
    CheckedRow,
    check_doubt,
    flag,
)
from buffycoat.evaluate.flags import class_flag
from buffycoat.report.differential_plot import bars_of
from buffycoat.taxonomy import WBCBENCH

LIMITS = {"BL": 1.0}


def slide(n_blasts: int, n: int, n_doubtful: int = 0) -> list[CheckedRow]:
    """A slide of blasts and lymphocytes, of which some are doubtful."""
    calls = WBCBENCH.encode(["BL"] * n_blasts + ["LY"] * (n - n_blasts))
    doubtful = np.arange(n) >= n - n_doubtful
    return check_doubt(calls, np.array(["one"] * n), WBCBENCH, doubtful, most=0.5)


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.\d+", text)]


@pytest.mark.parametrize(
    ("n_blasts", "n", "said"),
    [(2, 201, NOT_EXCLUDED), (2, 200, FLAGGED), (172, 20_000, BELOW), (1, 100, FLAGGED)],
)
def test_no_digit_contradicts_the_flag(n_blasts: int, n: int, said: str) -> None:
    rows = slide(n_blasts, n)
    (row,) = (row for row in rows if row.every.name == "BL")
    assert flag(row, LIMITS["BL"]) == said
    ((_, _, ((_, _, in_flags, by_flag),)),) = flag_tables(rows, "slide_id", LIMITS)
    assert by_flag == said
    in_table = next(cells for cells in slide_table(rows, LIMITS)[2] if cells[0] == "BL")[2]
    bar = next(bar for bar in bars_of(rows, LIMITS) if bar.label == "BL").text
    for text in (in_flags, in_table, bar):
        value, _, high = numbers(text)
        assert (value >= 1) == (said == FLAGGED), text
        assert (high >= 1) == (said != BELOW), text


def test_a_flag_names_the_figure_that_reaches_the_limit() -> None:
    (row,) = (row for row in slide(2, 201, 1) if row.every.name == "BL")
    assert row.kept is not None
    found = class_flag(
        "BL", flag(row, 1.0), row.every.raw.value, limit=1.0, kept=row.kept.raw.value
    )
    assert found is not None
    assert found.text == ("blasts 0.995 % (without doubtful cells 1.0 %), flagged from 1 % on")
