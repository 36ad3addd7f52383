"""What of a crop lies in its field, and how the rest is shown."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from buffycoat.fields.crops import part_in_field
from buffycoat.fields.field import Field
from buffycoat.fields.overlay import hatch_outside

NUMBERED = np.arange(40 * 50, dtype=np.int64).reshape(40, 50)


@given(
    left=st.integers(0, 45), top=st.integers(0, 35), width=st.integers(1, 5),
    height=st.integers(1, 5), side=st.integers(6, 30),
)  # fmt: skip
def test_the_part_in_the_field_is_the_field_itself(left, top, width, height, side) -> None:
    pixels = np.stack([NUMBERED // 256, NUMBERED % 256, NUMBERED * 0], axis=-1).astype(np.uint8)
    field = Field("f", pixels)
    crop = field.square((left + width / 2, top + height / 2), side)
    first, upper, right, lower = part_in_field((left, top, width, height), side, (50, 40))
    seen = crop[upper:lower, first:right].astype(np.int64)
    numbers = seen[..., 0] * 256 + seen[..., 1]
    at = divmod(int(numbers[0, 0]), 50)
    same = NUMBERED[at[0] : at[0] + seen.shape[0], at[1] : at[1] + seen.shape[1]]
    np.testing.assert_array_equal(numbers, same)
    # One more row or column is mirrored: nothing of the field is taken for outside.
    assert (first == 0) or at[1] == 0
    assert (upper == 0) or at[0] == 0
    assert (right == side) or at[1] + seen.shape[1] == 50
    assert (lower == side) or at[0] + seen.shape[0] == 40


def test_only_what_is_outside_is_hatched() -> None:
    crop = np.full((60, 60, 3), 90, np.uint8)
    shown = hatch_outside(crop, (0, 0, 60, 45))
    assert (shown[:45] == 90).all()
    assert (shown[45:] != 90).any(axis=-1).all()
    assert hatch_outside(crop, (0, 0, 60, 60)) is crop
