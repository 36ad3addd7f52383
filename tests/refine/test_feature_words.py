"""Reasons in a hematologist's words."""

from __future__ import annotations

import pytest

from buffycoat.refine.feature_words import in_words
from buffycoat.refine.features import FEATURES, with_unit


@pytest.mark.parametrize("feature", FEATURES, ids=lambda one: one.name)
@pytest.mark.parametrize(("sign", "nth"), [(">", "99th"), ("<", "1st")])
def test_no_column_of_a_table_is_in_a_reason(feature, sign, nth):
    text = (
        f"{feature.name} {with_unit(1.5, feature.unit)} {sign} 1.2 (immature one {nth} percentile)"
    )
    told = in_words(text)
    assert "_" not in told
    assert told.endswith(f": {with_unit(1.5, feature.unit)}, {nth} percentile of immature one 1.2")
    limit = in_words(f"{feature.name} 1.5 {sign} 1.2 (fitted limit)")
    assert "_" not in limit
    assert limit.endswith(f" 1.5 {sign} 1.2 (fitted limit)")


def test_low_and_high_are_told_apart():
    low, high = (
        in_words(f"nc_ratio 0.5 {sign} 0.6 (LY {nth} percentile)")
        for sign, nth in (("<", "1st"), (">", "99th"))
    )
    assert low.startswith("nucleus is small for the cell")
    assert high.startswith("nucleus is large for the cell")


@pytest.mark.parametrize(
    "text",
    [
        "top probability 0.42 < 0.50",
        "SNE 0.51, then BNE 0.42",
        "own_column 2 > 1 (LY 99th percentile)",
    ],
)
def test_other_reasons_stay(text):
    assert in_words(text) == text
