"""Squares of a field, mirrored at its borders."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.fields.field import Field


def _numbered() -> Field:
    numbers = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)
    return Field("a", np.repeat(numbers[..., None], 3, axis=2))


def test_a_square_within_the_field_is_cut_out() -> None:
    field = _numbered()
    assert np.array_equal(field.square((4, 3), 4), field.pixels[1:5, 2:6])


def test_beyond_the_border_the_field_is_mirrored() -> None:
    field = _numbered()
    square = field.square((0, 0), 4)[..., 0]
    assert square.tolist() == [[18, 17, 16, 17], [10, 9, 8, 9], [2, 1, 0, 1], [10, 9, 8, 9]]


def test_a_square_may_be_larger_than_the_field() -> None:
    assert _numbered().square((4, 3), 31).shape == (31, 31, 3)


def test_gray_arrays_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected a field of shape"):
        Field("a", np.zeros((5, 5), np.uint8))
