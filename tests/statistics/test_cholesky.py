from __future__ import annotations

import warnings

import numpy as np
import pytest

from buffycoat.errors import NotPositiveDefiniteError
from buffycoat.statistics import JitterWarning, cholesky_with_jitter


def test_jitter_warns_then_fails_with_what_it_reached() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        factor = cholesky_with_jitter(np.diag([4.0, 9.0]))
    assert np.array_equal(factor, np.diag([2.0, 3.0]))
    almost = np.ones((2, 2))
    almost[0, 0] -= 1e-7
    with pytest.warns(JitterWarning, match="added"):
        factor = cholesky_with_jitter(almost)
    assert np.allclose(factor @ factor.T, almost, atol=1e-5)
    with pytest.raises(NotPositiveDefiniteError, match=r"0\.0001 added"):
        cholesky_with_jitter(np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(NotPositiveDefiniteError, match="not finite"):
        cholesky_with_jitter(np.full((2, 2), np.nan))
    with pytest.raises(NotPositiveDefiniteError):
        cholesky_with_jitter(np.zeros((2, 2)))
