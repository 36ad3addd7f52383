from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffycoat.statistics import quantile


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40),
    st.floats(0, 1),
)
def test_a_quantile_is_numpys(values: list[float], share: float) -> None:
    array = np.array(values)
    expected = np.quantile(array, share)
    assert quantile(array, share) == pytest.approx(expected, rel=1e-9, abs=1e-6)
